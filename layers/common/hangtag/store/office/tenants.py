"""Tenants."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from hangtag.errors import NotFoundError
from hangtag.runtime import TtlCache
from hangtag.store.db import audit, tenant_list
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import EndpointItem, IntegrationItem, TenantItem
from hangtag.store.db.paging import Page
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction
from hangtag.store.office.tokens import add_token
from hangtag.store.privacy.tenant_erasure import erase

SK = "TENANT"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. `country` is ISO 3166 (two letters), `time_zone` an IANA name, `created_at` ISO 8601 in UTC."""

    id: str
    name: str
    country: str
    time_zone: str
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """Return the tenant as the API shows it."""
        return asdict(self)


_tenants: TtlCache[str, Tenant] = TtlCache(1000, 60.0)


def get_tenant(tenant_id: str) -> Tenant:
    """Return a tenant, cached for a minute. Raises NotFoundError."""
    return _tenants.get_or(tenant_id, lambda: load_tenant(tenant_id))


def load_tenant(tenant_id: str) -> Tenant:
    """Return the current tenant, uncached. Raises NotFoundError."""
    return _tenant(_item(tenant_id))


def is_open(tenant_id: str) -> bool:
    """Return True if the tenant exists and is not being erased."""
    try:
        return _item(tenant_id).erasing is None
    except NotFoundError:
        return False


def list_tenants(limit: int, before: str | None) -> Page[Tenant]:
    """Return all tenants, newest first; `before` is a page's `next`.

    Tenants older than the list are missing.
    """
    page = tenant_list.list_ids(limit, before)
    places = [(key("T", tenant_id), SK) for tenant_id in page.items]
    tenants = {item.id: _tenant(item) for item in TenantItem.batch_get(places, consistent_read=True)}
    return Page(tuple(tenants[tenant_id] for tenant_id in page.items if tenant_id in tenants), page.next)


def create_tenant(name: str, country: str, time_zone: str, token_keys: str) -> tuple[Tenant, str]:
    """Create a tenant; returns it with its owner's token, which is shown once."""
    tenant = Tenant(secrets.token_hex(8), name, country, time_zone, iso(now()))
    item = TenantItem(key("T", tenant.id), SK, **tenant.to_json())
    with transaction() as write:
        write.save(item, condition=TenantItem.pk.does_not_exist())
        write.save(tenant_list.pointer(tenant.id, tenant.created_at))
        token = add_token(write, tenant.id, None, "owner", token_keys, lives=None)
        write.save(audit.entry(tenant.id, OPERATOR, "tenant.created", tenant.id))
    return tenant, token.token


def update_tenant(tenant_id: str, changes: Mapping[str, str]) -> Tenant:
    """Change name, country or time zone; fields outside `changes` stay. Caches follow within a minute.

    Stored numbers keep their form. Raises NotFoundError, and ConflictError for concurrent changes.
    """

    def attempt() -> Tenant:
        item = _item(tenant_id)
        before = _tenant(item)
        changed = sorted(name for name, value in changes.items() if getattr(before, name) != value)
        if changed:
            actions = [getattr(TenantItem, name).set(changes[name]) for name in changed]
            unchanged = TenantItem.pk.exists()
            for name in changed:
                unchanged &= getattr(TenantItem, name) == getattr(before, name)
            try:
                with transaction() as write:
                    write.update(item, actions=actions, condition=unchanged)
                    write.save(audit.entry(tenant_id, OPERATOR, "tenant.changed", tenant_id, changed))
            except TransactionRejectedError as error:
                raise ContestedError from error
        return load_tenant(tenant_id)

    after = retry_contested(attempt)
    _tenants.discard(tenant_id)
    if "country" in changes:
        # Even if the country is unchanged: an earlier request can have failed between the two writes.
        _update_endpoints(tenant_id, after.country)
    return after


def _update_endpoints(tenant_id: str, country: str) -> None:
    """Copy the country to the webhook endpoints, which saves the webhook a read."""
    own = key("T", tenant_id)
    for integration in IntegrationItem.query(own, IntegrationItem.sk.startswith(key("INTEGRATION", ""))):
        for hashed in integration.hook_hashes:
            _update_endpoint(EndpointItem(key("TOKEN", hashed), "HOOK"), country)


def _update_endpoint(endpoint: EndpointItem, country: str) -> None:
    def attempt() -> None:
        with transaction() as write:
            write.update(endpoint, actions=[EndpointItem.country.set(country)], condition=EndpointItem.pk.exists())

    # A rotation can have deleted it since.
    with suppress(TransactionRejectedError):
        retry_contested(attempt)


def erase_tenant(tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Erase a tenant while there is time; True when it is complete, otherwise call it again.

    Raises NotFoundError and botocore's errors.
    """
    item = _item(tenant_id)
    day = date.fromisoformat(item.erasing) if item.erasing else None
    if item.erasing is None:
        # Set before deleting anything: tokens of the SaaS's own can't be deleted here, but this flag rejects them.
        _set_erasing(item, "")
    progress = erase(tenant_id, item.created_at, day, has_time)
    if not progress.done:
        _set_erasing(item, progress.day.isoformat())
    return progress.done


def _set_erasing(item: TenantItem, day: str) -> None:
    """Store the progress of an erasure. Raises NotFoundError if another request erased the tenant."""

    def attempt() -> None:
        with transaction() as write:
            write.update(item, actions=[TenantItem.erasing.set(day)], condition=TenantItem.pk.exists())

    try:
        retry_contested(attempt)
    except TransactionRejectedError:
        raise NotFoundError("No such tenant.") from None


def _item(tenant_id: str) -> TenantItem:
    try:
        return TenantItem.get(key("T", tenant_id), SK, consistent_read=True)
    except TenantItem.DoesNotExist:
        raise NotFoundError("No such tenant.") from None


def _tenant(item: TenantItem) -> Tenant:
    return Tenant(item.id, item.name, item.country, item.time_zone, item.created_at)
