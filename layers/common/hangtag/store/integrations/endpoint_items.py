"""Webhook tokens of an integration: creation, rotation and changes by an admin.

`hangtag.store.integrations.endpoints` is what the webhook reads of them.
"""

import base64
import secrets as random_source
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pynamodb.models import Model

from hangtag import secrets
from hangtag.auth import make_token, secret_hash, token_hash
from hangtag.store.db.clock import now
from hangtag.store.db.keys import key
from hangtag.store.db.models import EndpointItem, IntegrationItem

__all__ = [
    "Needs",
    "NewSecrets",
    "carry_over",
    "generate",
    "load_endpoints",
    "new_endpoint",
    "seal_stored_keys",
    "seal_verification_keys",
    "set_verification_keys",
]

# The first webhook requests to a new endpoint are logged for this long.
SET_UP = timedelta(hours=24)
_KEY_BYTES = 32
# Name of the webhook's token in the encrypted data; no provider has a key with this name.
HOOK_TOKEN = "hook_token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Names of a provider's secrets by the way they are stored; see `hangtag.providers.forms.ProviderInfo`."""

    verified_with: tuple[str, ...] = ()
    made_secrets: tuple[str, ...] = ()
    made_keys: tuple[str, ...] = ()
    callbacks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecrets:
    """Values generated for a PBX, shown once: the webhook's token, and secrets and keys by name."""

    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)

    @property
    def shown(self) -> dict[str, str]:
        """Secrets and keys together."""
        return {**self.secrets, **self.keys}


def generate(needs: Needs, token_keys: str, *, secrets_too: bool = True) -> NewSecrets:
    """Generate a token, a 128-bit secret for each name in `made_secrets`, and a 256-bit key for each in `made_keys`."""
    return NewSecrets(
        token=make_token("hook", token_keys),
        secrets={name: random_source.token_hex(16) for name in needs.made_secrets if secrets_too},
        keys={name: _key() for name in needs.made_keys if secrets_too},
    )


def _key() -> str:
    """Return a key in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(random_source.token_bytes(_KEY_BYTES)).decode("ascii")


def seal_stored_keys(
    tenant_id: str, integration_id: str, needs: Needs, new_secrets: NewSecrets, keys: Mapping[str, str]
) -> str | None:
    """Encrypt the data that an integration stores: `keys`, and the token if the PBX needs it with each call."""
    stored = {**keys, **({HOOK_TOKEN: new_secrets.token} if needs.callbacks else {})}
    return secrets.encrypt(tenant_id, integration_id, stored) if stored else None


def seal_verification_keys(
    tenant_id: str, integration_id: str, needs: Needs, credentials: Mapping[str, str], keys: Mapping[str, str]
) -> str | None:
    """Encrypt the verification keys of an endpoint; None if there are none."""
    available = {**credentials, **keys}
    selected = {name: available[name] for name in needs.verified_with if name in available}
    return secrets.encrypt(tenant_id, integration_id, selected) if selected else None


def new_endpoint(
    tenant_id: str,
    item: IntegrationItem,
    country: str,
    new_secrets: NewSecrets,
    sealed_keys: str | None,
    watched_until: float | None,
) -> EndpointItem:
    """Build the item of a new token."""
    return EndpointItem(
        key("TOKEN", token_hash(new_secrets.token)),
        "HOOK",
        tenant_id=tenant_id,
        integration_id=item.id,
        provider=item.provider,
        country=country,
        secrets={name: secret_hash(secret) for name, secret in new_secrets.secrets.items()},
        sealed=sealed_keys,
        settings=item.settings or None,
        set_up_until=_epoch(now() + SET_UP),
        watched_until=watched_until,
    )


def carry_over(
    to: EndpointItem, current: EndpointItem, new_secrets: NewSecrets, sealed_keys: str | None, old_until: int | None
) -> None:
    """Set an endpoint's verification keys after a rotation.

    Previous secrets and keys stay valid until `old_until`; those that were not replaced are copied from `current`.
    """
    if new_secrets.secrets:
        to.old_secrets = _plain(current.secrets) if old_until else None
        to.old_secrets_until = old_until
        to.secrets = {name: secret_hash(secret) for name, secret in new_secrets.secrets.items()}
    else:
        to.secrets = _plain(current.secrets)
        to.old_secrets = _plain(current.old_secrets)
        to.old_secrets_until = current.old_secrets_until
    if new_secrets.keys:
        to.old_sealed = current.sealed if old_until else None
        to.old_sealed_until = old_until
        to.sealed = sealed_keys
    else:
        to.old_sealed = current.old_sealed
        to.old_sealed_until = current.old_sealed_until
        to.sealed = current.sealed


def set_verification_keys(endpoint: EndpointItem, sealed_keys: str | None, old_until: int | None) -> list[Any]:
    """Return the actions that set new verification keys; previous ones stay valid until `old_until`, if it is set."""
    actions = [EndpointItem.sealed.set(sealed_keys) if sealed_keys else EndpointItem.sealed.remove()]
    if old_until and endpoint.sealed:
        return [*actions, EndpointItem.old_sealed.set(endpoint.sealed), EndpointItem.old_sealed_until.set(old_until)]
    return [*actions, EndpointItem.old_sealed.remove(), EndpointItem.old_sealed_until.remove()]


def load_endpoints(hashes: Iterable[str]) -> list[EndpointItem]:
    """Return the existing endpoints of these hashes, in this order."""
    endpoints = []
    for hashed in hashes:
        try:
            endpoints.append(EndpointItem.get(key("TOKEN", hashed), "HOOK", consistent_read=True))
        except Model.DoesNotExist:
            continue
    return endpoints


def _plain(attribute_map: Any) -> Any:
    """Convert a map read by PynamoDB to the form it accepts for writing."""
    return dict(attribute_map.attribute_values) if attribute_map is not None else None


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
