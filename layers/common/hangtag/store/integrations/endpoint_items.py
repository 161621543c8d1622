"""The webhook tokens of an integration, as the admin's side makes, rotates and changes them.

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

__all__ = ["Made", "Needs", "change_trust", "hooks_of", "make", "new_hook", "pass_on", "seal_made", "sealed_trust"]

# For so long the first deliveries of a new webhook address are kept.
SET_UP = timedelta(hours=24)
_KEY_BYTES = 32
# The name of the webhook's token among what is sealed; no provider's key has it.
HOOK_TOKEN = "hook_token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What of a provider's secrets is kept in what way; see `hangtag.providers.forms.base.ProviderInfo`."""

    verified_with: tuple[str, ...] = ()
    made_secrets: tuple[str, ...] = ()
    made_keys: tuple[str, ...] = ()
    callbacks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made for a PBX, and is shown this once: the webhook's token, secrets and keys by name."""

    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)

    @property
    def shown(self) -> dict[str, str]:
        """Secrets and keys together."""
        return {**self.secrets, **self.keys}


def make(needs: Needs, token_keys: str, *, secrets_too: bool = True) -> Made:
    """A fresh token, a secret of 128 bits for each name in `made_secrets`, a key of 256 for each in `made_keys`."""
    return Made(
        token=make_token("hook", token_keys),
        secrets={name: random_source.token_hex(16) for name in needs.made_secrets if secrets_too},
        keys={name: _key() for name in needs.made_keys if secrets_too},
    )


def _key() -> str:
    """In the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(random_source.token_bytes(_KEY_BYTES)).decode("ascii")


def seal_made(tenant_id: str, integration_id: str, needs: Needs, made: Made, keys: Mapping[str, str]) -> str | None:
    """What an integration keeps of what was made: `keys`, and the token if the PBX must be told it with each call."""
    kept = {**keys, **({HOOK_TOKEN: made.token} if needs.callbacks else {})}
    return secrets.encrypt(tenant_id, integration_id, kept) if kept else None


def sealed_trust(
    tenant_id: str, integration_id: str, needs: Needs, credentials: Mapping[str, str], keys: Mapping[str, str]
) -> str | None:
    """What a hook keeps to verify with; None if there is nothing."""
    known = {**credentials, **keys}
    kept = {name: known[name] for name in needs.verified_with if name in known}
    return secrets.encrypt(tenant_id, integration_id, kept) if kept else None


def new_hook(
    tenant_id: str, item: IntegrationItem, country: str, made: Made, trust: str | None, watched_until: float | None
) -> EndpointItem:
    """The item of a fresh token."""
    return EndpointItem(
        key("TOKEN", token_hash(made.token)),
        "HOOK",
        tenant_id=tenant_id,
        integration_id=item.id,
        provider=item.provider,
        country=country,
        secrets={name: secret_hash(secret) for name, secret in made.secrets.items()},
        sealed=trust,
        settings=item.settings or None,
        set_up_until=_epoch(now() + SET_UP),
        watched_until=watched_until,
    )


def pass_on(to: EndpointItem, current: EndpointItem, made: Made, trust: str | None, old_until: int | None) -> None:
    """Give a hook what is verified with after a rotation.

    Fresh secrets and keys stand beside those before until then, what was not made anew is as the current hook has it.
    """
    if made.secrets:
        to.old_secrets = _plain(current.secrets) if old_until else None
        to.old_secrets_until = old_until
        to.secrets = {name: secret_hash(secret) for name, secret in made.secrets.items()}
    else:
        to.secrets = _plain(current.secrets)
        to.old_secrets = _plain(current.old_secrets)
        to.old_secrets_until = current.old_secrets_until
    if made.keys:
        to.old_sealed = current.sealed if old_until else None
        to.old_sealed_until = old_until
        to.sealed = trust
    else:
        to.old_sealed = current.old_sealed
        to.old_sealed_until = current.old_sealed_until
        to.sealed = current.sealed


def change_trust(hook: EndpointItem, trust: str | None, old_until: int | None) -> list[Any]:
    """The actions that give a hook new credentials to verify with; those before are good until then, if it is said."""
    actions = [EndpointItem.sealed.set(trust) if trust else EndpointItem.sealed.remove()]
    if old_until and hook.sealed:
        return [*actions, EndpointItem.old_sealed.set(hook.sealed), EndpointItem.old_sealed_until.set(old_until)]
    return [*actions, EndpointItem.old_sealed.remove(), EndpointItem.old_sealed_until.remove()]


def hooks_of(hashes: Iterable[str]) -> list[EndpointItem]:
    """Those of the hooks that are there, in this order."""
    found = []
    for hashed in hashes:
        try:
            found.append(EndpointItem.get(key("TOKEN", hashed), "HOOK", consistent_read=True))
        except Model.DoesNotExist:
            continue
    return found


def _plain(kept: Any) -> Any:
    """A map as PynamoDB read it, as it takes it again."""
    return dict(kept.attribute_values) if kept is not None else None


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
