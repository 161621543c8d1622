"""Tenants."""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from hangtag.errors import NotFoundError
from hangtag.store.cache import TtlCache
from hangtag.store.clock import iso, now
from hangtag.store.erase import erase
from hangtag.store.keys import key
from hangtag.store.models import TenantItem
from hangtag.store.tokens import add_token
from hangtag.store.transact import transaction

SK = "TENANT"


@dataclass(frozen=True, slots=True)
class Tenant:
    """`country` is ISO 3166 (two letters), `time_zone` an IANA name, `created_at` ISO 8601 in UTC."""

    id: str
    name: str
    country: str
    time_zone: str
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


_tenants: TtlCache[str, Tenant] = TtlCache(1000, 60.0)


def get_tenant(tenant_id: str) -> Tenant:
    """The tenant, remembered for a minute. Raises NotFoundError if there is none (any more)."""
    return _tenants.get_or(tenant_id, lambda: load_tenant(tenant_id))


def load_tenant(tenant_id: str) -> Tenant:
    """The tenant as it is now. Raises NotFoundError."""
    item = _item(tenant_id)
    return Tenant(item.id, item.name, item.country, item.time_zone, item.created_at)


def _item(tenant_id: str) -> TenantItem:
    try:
        return TenantItem.get(key("T", tenant_id), SK, consistent_read=True)
    except TenantItem.DoesNotExist:
        raise NotFoundError("there is no such tenant") from None


def create_tenant(name: str, country: str, time_zone: str, token_keys: str) -> tuple[Tenant, str]:
    """A new tenant, and its owner's token, which is shown this once."""
    tenant = Tenant(secrets.token_hex(8), name, country, time_zone, iso(now()))
    item = TenantItem(key("T", tenant.id), SK, **tenant.to_json())
    with transaction() as write:
        write.save(item, condition=TenantItem.pk.does_not_exist())
        token = add_token(write, tenant.id, None, "owner", token_keys, lives=None)
    return tenant, token.token


def erase_tenant(table: str, tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Erase a tenant as far as there is time; true when nothing is left, else call it again.

    Raises NotFoundError when there is no such tenant, and botocore's errors.
    """
    item = _item(tenant_id)
    day = date.fromisoformat(item.erasing) if item.erasing else None
    progress = erase(table, tenant_id, item.created_at, day, has_time)
    if not progress.done:
        item.update(
            actions=[TenantItem.erasing.set(progress.day.isoformat())],
            condition=TenantItem.pk.exists(),
        )
    return progress.done
