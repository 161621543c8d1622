"""Integrations: a tenant's connections to PBXs, each with its webhook token."""

import secrets as random_source
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hangtag import secrets
from hangtag.auth import make_token, secret_hash, token_hash
from hangtag.errors import NotFoundError
from hangtag.store.clock import iso, now
from hangtag.store.keys import key
from hangtag.store.models import HookItem, IntegrationItem
from hangtag.store.paging import Page, children
from hangtag.store.tenants import load_tenant
from hangtag.store.transact import transaction

SK = "INTEGRATION"


@dataclass(frozen=True, slots=True)
class Integration:
    """Without credentials and secrets, which never leave the store this way."""

    id: str
    provider: str
    name: str
    settings: Mapping[str, Any]
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "provider": self.provider,
            "name": self.name,
            "settings": dict(self.settings),
            "created_at": self.created_at,
        }


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration just made, with what is shown this once: the webhook token and the secrets for the PBX."""

    integration: Integration
    token: str
    secrets: Mapping[str, str]


def create_integration(
    tenant_id: str,
    provider: str,
    name: str,
    credentials: Mapping[str, str],
    settings: Mapping[str, Any],
    made_secrets: tuple[str, ...],
    token_keys: str,
) -> NewIntegration:
    """A new integration with its webhook token, and a fresh secret of 128 bits for each name in `made_secrets`.

    Raises NotFoundError (the tenant), BadInputError (too long credentials), and botocore's errors.
    """
    tenant = load_tenant(tenant_id)
    made = Integration(random_source.token_hex(8), provider, name, settings, iso(now()))
    token = make_token("hook", token_keys)
    hashed = token_hash(token)
    shown = {name: random_source.token_hex(16) for name in made_secrets}
    item = IntegrationItem(
        key("T", tenant_id),
        key(SK, made.id),
        sealed=secrets.encrypt(tenant_id, made.id, credentials),
        hook_hashes=[hashed],
        **made.to_json(),
    )
    hook = HookItem(
        key("TOKEN", hashed),
        "HOOK",
        tenant_id=tenant_id,
        integration_id=made.id,
        provider=provider,
        country=tenant.country,
        secrets={name: secret_hash(secret) for name, secret in shown.items()},
    )
    with transaction() as write:
        write.save(item, condition=IntegrationItem.pk.does_not_exist())
        write.save(hook, condition=HookItem.pk.does_not_exist())
    return NewIntegration(made, token, shown)


def get_integration(tenant_id: str, integration_id: str) -> Integration:
    """Raises NotFoundError."""
    return _integration(_item(tenant_id, integration_id))


def list_integrations(tenant_id: str, limit: int, after: str | None) -> Page[Integration]:
    """The tenant's integrations by id; `after` is the last one of the page before."""
    return children(IntegrationItem, tenant_id, SK, limit, after).map(_integration)


def load_credentials(tenant_id: str, integration_id: str) -> dict[str, str]:
    """What the admin typed, in plain text. Raises NotFoundError and botocore's errors."""
    return secrets.decrypt(tenant_id, integration_id, _item(tenant_id, integration_id).sealed)


def _item(tenant_id: str, integration_id: str) -> IntegrationItem:
    try:
        return IntegrationItem.get(key("T", tenant_id), key(SK, integration_id), consistent_read=True)
    except IntegrationItem.DoesNotExist:
        raise NotFoundError("there is no such integration") from None


def _integration(item: IntegrationItem) -> Integration:
    return Integration(item.id, item.provider, item.name, item.settings, item.created_at)
