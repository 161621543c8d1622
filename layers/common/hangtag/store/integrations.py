"""Integrations: a tenant's connections to PBXs, each with its webhook tokens: one, or two while it is rotated."""

import secrets as random_source
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.models import Model

from hangtag import secrets
from hangtag.auth import make_token, secret_hash, token_hash
from hangtag.errors import ConflictError, NotFoundError
from hangtag.store import audit, deliveries
from hangtag.store.client import dynamodb
from hangtag.store.clock import iso, now
from hangtag.store.employees import list_employees
from hangtag.store.keys import key
from hangtag.store.models import HookItem, IntegrationItem
from hangtag.store.paging import Page, children
from hangtag.store.tenants import load_tenant
from hangtag.store.transact import ContestedError, RefusedError, persistently, transaction

SK = "INTEGRATION"
# For so long the first deliveries of a new webhook address are kept.
SET_UP = timedelta(hours=24)
# How many of those who stand in the way are named.
NAMED = 5
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Integration:
    """Without credentials and secrets, which never leave the store this way. Times are ISO 8601 in UTC.

    `previous_url_until`: when the webhook address before this one stops. `watched_until`: until when all deliveries
    are kept. Each is None when that is over.
    """

    id: str
    provider: str
    name: str
    settings: Mapping[str, Any]
    created_at: str
    previous_url_until: str | None = None
    watched_until: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration just made, with what is shown this once: the webhook token and the secrets for the PBX."""

    integration: Integration
    token: str
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new webhook token, and new secrets if they were asked for, shown this once; `old_until` is None for at once."""

    integration: Integration
    token: str
    secrets: Mapping[str, str]
    old_until: datetime | None


def create_integration(
    tenant_id: str,
    provider: str,
    name: str,
    credentials: Mapping[str, str],
    settings: Mapping[str, Any],
    made_secrets: tuple[str, ...],
    token_keys: str,
    who: str,
) -> NewIntegration:
    """A new integration with its webhook token, and a fresh secret of 128 bits for each name in `made_secrets`.

    `who` is written into the audit list. Raises NotFoundError (the tenant), BadInputError (too long credentials), and
    botocore's errors.
    """
    tenant = load_tenant(tenant_id)
    made = Integration(random_source.token_hex(8), provider, name, settings, iso(now()))
    token = make_token("hook", token_keys)
    hashed = token_hash(token)
    shown = _make_secrets(made_secrets)
    item = IntegrationItem(
        key("T", tenant_id),
        key(SK, made.id),
        id=made.id,
        provider=provider,
        name=name,
        settings=settings,
        sealed=secrets.encrypt(tenant_id, made.id, credentials),
        hook_hashes=[hashed],
        created_at=made.created_at,
    )
    hook = HookItem(
        key("TOKEN", hashed),
        "HOOK",
        tenant_id=tenant_id,
        integration_id=made.id,
        provider=provider,
        country=tenant.country,
        secrets=_hashes(shown),
        set_up_until=_epoch(now() + SET_UP),
    )
    with transaction() as write:
        write.save(item, condition=IntegrationItem.pk.does_not_exist())
        write.save(hook, condition=HookItem.pk.does_not_exist())
        write.save(audit.entry(tenant_id, who, "integration.created", made.id))
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


def current_address(tenant_id: str, integration_id: str) -> str:
    """The hash of the newest webhook token, "" if the integration is being deleted. Raises NotFoundError."""
    hashes: list[str] = _item(tenant_id, integration_id).hook_hashes
    return hashes[-1] if hashes else ""


def update_integration(
    tenant_id: str,
    integration_id: str,
    who: str,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    merge: Callable[[str, Mapping[str, str]], Mapping[str, str]] | None = None,
) -> Integration:
    """Change what is not None. `merge` makes the new credentials from the provider's key and those there are.

    Raises NotFoundError, BadInputError (too long credentials), what `merge` raises, and botocore's errors.
    """

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        actions: list[Action] = []
        changed: list[str] = []
        if name is not None and name != item.name:
            actions.append(IntegrationItem.name.set(name))
            changed.append("name")
        if settings is not None and settings != item.settings:
            actions.append(IntegrationItem.settings.set(settings))
            changed.append("settings")
        if merge is not None:
            before = secrets.decrypt(tenant_id, integration_id, item.sealed)
            after = merge(item.provider, before)
            changed += [f"credentials.{one}" for one in sorted(_differing(before, after))]
            actions.append(IntegrationItem.sealed.set(secrets.encrypt(tenant_id, integration_id, after)))
        if changed:
            with _contested(), transaction() as write:
                write.update(item, actions=actions, condition=IntegrationItem.sealed == item.sealed)
                write.save(audit.entry(tenant_id, who, "integration.changed", integration_id, changed))
        return get_integration(tenant_id, integration_id)

    return persistently(attempt)


def rotate_integration(
    tenant_id: str, integration_id: str, who: str, overlap: timedelta, made_secrets: tuple[str, ...], token_keys: str
) -> Rotated:
    """A new webhook token, and fresh secrets of these names. The token and the secrets before live for `overlap`.

    No more than two tokens ever live: any older one stops at once. Raises NotFoundError.
    """

    def attempt() -> Rotated:
        item = _item(tenant_id, integration_id)
        current = _newest_hook(item)
        token = make_token("hook", token_keys)
        hashed = token_hash(token)
        shown = _make_secrets(made_secrets)
        until = now() + overlap if overlap else None
        old_until = _epoch(until) if until else None
        new = HookItem(
            key("TOKEN", hashed),
            "HOOK",
            tenant_id=tenant_id,
            integration_id=integration_id,
            provider=item.provider,
            country=current.country,
            set_up_until=_epoch(now() + SET_UP),
            watched_until=current.watched_until,
        )
        _give_secrets(new, current, shown, old_until)
        kept = item.hook_hashes[-1:] if until else []
        with _contested(), transaction() as write:
            for old in item.hook_hashes[:-1] if until else item.hook_hashes:
                write.delete(HookItem(key("TOKEN", old), "HOOK"))
            if until:
                # Whichever address and whichever secret the PBX is told first, both are good until then.
                _give_secrets(current, current, shown, old_until)
                current.expires_at = old_until
                write.save(current, condition=HookItem.pk.exists())
            write.save(new, condition=HookItem.pk.does_not_exist())
            write.update(
                item,
                actions=[
                    IntegrationItem.hook_hashes.set([*kept, hashed]),
                    IntegrationItem.old_until.set(old_until) if old_until else IntegrationItem.old_until.remove(),
                ],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )
            changed = ["webhook_url", *(f"secrets.{name}" for name in shown)]
            write.save(audit.entry(tenant_id, who, "integration.rotated", integration_id, changed))
        return Rotated(get_integration(tenant_id, integration_id), token, shown, until)

    return persistently(attempt)


def watch_integration(tenant_id: str, integration_id: str, who: str, until: datetime) -> Integration:
    """Keep all deliveries until then. Raises NotFoundError."""

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            for hook in _hooks(item):
                write.update(hook, actions=[HookItem.watched_until.set(_epoch(until))], condition=HookItem.pk.exists())
            write.update(
                item,
                actions=[IntegrationItem.watched_until.set(_epoch(until))],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )
            write.save(audit.entry(tenant_id, who, "integration.watched", integration_id))
        return get_integration(tenant_id, integration_id)

    return persistently(attempt)


def delete_integration(table: str, tenant_id: str, integration_id: str, who: str, has_time: Callable[[], bool]) -> bool:
    """Delete an integration and its kept deliveries; calls and tags stay. False when time ran out: call it again.

    Its webhook addresses die first. Raises NotFoundError, and ConflictError naming the employees who have an extension
    there.
    """
    names = _holders(tenant_id, integration_id)
    if names:
        others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise ConflictError("there are still extensions on it, of " + ", ".join(names[:NAMED]) + others)

    def silence() -> None:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            for hashed in item.hook_hashes:
                write.delete(HookItem(key("TOKEN", hashed), "HOOK"))
            write.update(
                item,
                actions=[IntegrationItem.hook_hashes.set([]), IntegrationItem.old_until.remove()],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )

    persistently(silence)
    if not deliveries.purge(dynamodb(), table, tenant_id, integration_id, has_time):
        return False

    def remove() -> None:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            write.delete(item, condition=IntegrationItem.pk.exists())
            write.save(audit.entry(tenant_id, who, "integration.deleted", integration_id))

    persistently(remove)
    return True


def _holders(tenant_id: str, integration_id: str) -> list[str]:
    """The names of the employees who have an extension on an integration."""
    names: list[str] = []
    after: str | None = None
    while True:
        page = list_employees(tenant_id, _PAGE, after)
        for one in page.items:
            names += [one.name] if any(held.integration_id == integration_id for held in one.extensions) else []
        if page.next is None:
            return names
        after = page.next


def has_extensions(tenant_id: str, integration_id: str) -> bool:
    """Whether any employee has an extension on an integration."""
    return bool(_holders(tenant_id, integration_id))


class _contested:  # noqa: N801 -- reads as a statement
    """A refused condition means that somebody changed the same integration; trying again may succeed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RefusedError):
            raise ContestedError from error


def _give_secrets(to: HookItem, current: HookItem, fresh: Mapping[str, str], old_until: int | None) -> None:
    """The secrets of a hook after a rotation: the fresh ones, and until then those before; else as they are."""
    if not fresh:
        to.secrets = _plain(current.secrets)
        to.old_secrets = _plain(current.old_secrets)
        to.old_secrets_until = current.old_secrets_until
        return
    to.old_secrets = _plain(current.secrets) if old_until else None
    to.old_secrets_until = old_until
    to.secrets = _hashes(fresh)


def _plain(kept: Any) -> Any:
    """A map as PynamoDB read it, as it takes it again."""
    return dict(kept.attribute_values) if kept is not None else None


def _make_secrets(names: Sequence[str]) -> dict[str, str]:
    return {name: random_source.token_hex(16) for name in names}


def _hashes(shown: Mapping[str, str]) -> Any:
    return {name: secret_hash(secret) for name, secret in shown.items()}


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _newest_hook(item: IntegrationItem) -> HookItem:
    found = _hooks(item)
    if not found:
        raise NotFoundError("the integration is being deleted")
    return found[-1]


def _hooks(item: IntegrationItem) -> list[HookItem]:
    """The hooks of an integration that are there, the newest last."""
    found = []
    for hashed in item.hook_hashes:
        try:
            found.append(HookItem.get(key("TOKEN", hashed), "HOOK", consistent_read=True))
        except Model.DoesNotExist:
            continue
    return found


def _item(tenant_id: str, integration_id: str) -> IntegrationItem:
    try:
        return IntegrationItem.get(key("T", tenant_id), key(SK, integration_id), consistent_read=True)
    except IntegrationItem.DoesNotExist:
        raise NotFoundError("there is no such integration") from None


def _integration(item: IntegrationItem) -> Integration:
    return Integration(
        item.id,
        item.provider,
        item.name,
        item.settings,
        item.created_at,
        _if_ahead(item.old_until),
        _if_ahead(item.watched_until),
    )


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _if_ahead(at: float | None) -> str | None:
    """A time to come, as it is shown; None if it is over."""
    if at is None or at <= now().timestamp():
        return None
    return iso(datetime.fromtimestamp(at, UTC))
