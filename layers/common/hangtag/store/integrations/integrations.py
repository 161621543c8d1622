"""Integrations: a tenant's connections to PBXs, each with its webhook tokens: one, or two while it is rotated."""

import secrets as random_source
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.expressions.update import Action

from hangtag import secrets
from hangtag.auth import token_hash
from hangtag.errors import ConflictError, ErrorCode, NotFoundError
from hangtag.store.db import audit
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import HookItem, IntegrationItem
from hangtag.store.db.paging import Page, children
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, persistently, transaction
from hangtag.store.integrations import endpoint_items, reconciliation, request_log
from hangtag.store.integrations.endpoint_items import HOOK_TOKEN, Made, Needs, hooks_of
from hangtag.store.office.employees import by_extension
from hangtag.store.office.tenants import load_tenant

SK = "INTEGRATION"
# How many of those who stand in the way are named.
NAMED = 5


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
    """An integration just made, with what is shown this once."""

    integration: Integration
    made: Made


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new webhook token, and new secrets if they were asked for; `old_until` is None for at once."""

    integration: Integration
    made: Made
    old_until: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """What an integration keeps encrypted: what the admin typed, and what was made for the PBX, by name.

    `hook_token` is "" unless the PBX must be told the webhook's address with each call.
    """

    credentials: Mapping[str, str] = field(repr=False)
    made: Mapping[str, str] = field(repr=False)
    hook_token: str = field(repr=False)


def create_integration(
    tenant_id: str,
    provider: str,
    name: str,
    credentials: Mapping[str, str],
    settings: Mapping[str, Any],
    needs: Needs,
    token_keys: str,
    who: str,
) -> NewIntegration:
    """A new integration with its webhook token and what else the provider needs made.

    `who` is written into the audit list. Raises NotFoundError (the tenant), BadInputError (too long credentials), and
    botocore's errors.
    """
    tenant = load_tenant(tenant_id)
    integration = Integration(random_source.token_hex(8), provider, name, settings, iso(now()))
    made = endpoint_items.make(needs, token_keys)
    item = IntegrationItem(
        key("T", tenant_id),
        key(SK, integration.id),
        id=integration.id,
        provider=provider,
        name=name,
        settings=settings,
        sealed=secrets.encrypt(tenant_id, integration.id, credentials),
        sealed_made=endpoint_items.seal_made(tenant_id, integration.id, needs, made, made.keys),
        hook_hashes=[token_hash(made.token)],
        created_at=integration.created_at,
    )
    trust = endpoint_items.sealed_trust(tenant_id, integration.id, needs, credentials, made.keys)
    hook = endpoint_items.new_hook(tenant_id, item, tenant.country, made, trust, None)
    with transaction() as write:
        write.save(item, condition=IntegrationItem.pk.does_not_exist())
        write.save(hook, condition=HookItem.pk.does_not_exist())
        write.save(audit.entry(tenant_id, who, "integration.created", integration.id))
    return NewIntegration(integration, made)


def get_integration(tenant_id: str, integration_id: str) -> Integration:
    """Raises NotFoundError."""
    return _integration(_item(tenant_id, integration_id))


def list_integrations(tenant_id: str, limit: int, after: str | None) -> Page[Integration]:
    """The tenant's integrations by id; `after` is the last one of the page before."""
    return children(IntegrationItem, tenant_id, SK, limit, after).map(_integration)


def load_credentials(tenant_id: str, integration_id: str) -> dict[str, str]:
    """What the admin typed, in plain text. Raises NotFoundError and botocore's errors."""
    return secrets.decrypt(tenant_id, integration_id, _item(tenant_id, integration_id).sealed)


def load_secret(tenant_id: str, integration_id: str) -> Secret:
    """All that is kept encrypted, in plain text. Raises NotFoundError and botocore's errors."""
    return _secret(tenant_id, _item(tenant_id, integration_id))


def _secret(tenant_id: str, item: IntegrationItem) -> Secret:
    made = secrets.decrypt(tenant_id, item.id, item.sealed_made) if item.sealed_made else {}
    return Secret(secrets.decrypt(tenant_id, item.id, item.sealed), made, made.pop(HOOK_TOKEN, ""))


def current_address(tenant_id: str, integration_id: str) -> str:
    """The hash of the newest webhook token, "" if the integration is being deleted. Raises NotFoundError."""
    hashes: list[str] = _item(tenant_id, integration_id).hook_hashes
    return hashes[-1] if hashes else ""


def update_integration(
    tenant_id: str,
    integration_id: str,
    who: str,
    needs: Needs,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    merge: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
    overlap: timedelta = timedelta(0),
) -> Integration:
    """Change what is not None. `merge` makes the new credentials from those there are.

    Deliveries that were signed with credentials as they were before are taken for `overlap`. Raises NotFoundError,
    BadInputError (too long credentials), what `merge` raises, and botocore's errors.
    """

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        actions: list[Action] = []
        told: list[Callable[[HookItem], list[Action]]] = []
        changed: list[str] = []
        if name is not None and name != item.name:
            actions.append(IntegrationItem.name.set(name))
            changed.append("name")
        if settings is not None and settings != item.settings:
            actions.append(IntegrationItem.settings.set(settings))
            told.append(lambda _: [HookItem.settings.set(settings)])
            changed.append("settings")
        if merge is not None:
            kept = _secret(tenant_id, item)
            after = merge(kept.credentials)
            differing = _differing(kept.credentials, after)
            changed += [f"credentials.{one}" for one in sorted(differing)]
            actions.append(IntegrationItem.sealed.set(secrets.encrypt(tenant_id, integration_id, after)))
            if differing & set(needs.verified_with):
                trust = endpoint_items.sealed_trust(tenant_id, integration_id, needs, after, kept.made)
                until = _epoch(now() + overlap) if overlap else None
                told.append(lambda hook: endpoint_items.change_trust(hook, trust, until))
        if changed:
            with _contested(), transaction() as write:
                write.update(item, actions=actions, condition=IntegrationItem.sealed == item.sealed)
                for hook in hooks_of(item.hook_hashes) if told else []:
                    of_hook = [action for tell in told for action in tell(hook)]
                    write.update(hook, actions=of_hook, condition=HookItem.pk.exists())
                write.save(audit.entry(tenant_id, who, "integration.changed", integration_id, changed))
        return get_integration(tenant_id, integration_id)

    return persistently(attempt)


def rotate_integration(
    tenant_id: str, integration_id: str, who: str, overlap: timedelta, needs: Needs, token_keys: str, *, fresh: bool
) -> Rotated:
    """A new webhook token, and fresh secrets and keys if `fresh`. The token and the secrets before live for `overlap`.

    No more than two tokens ever live: any older one stops at once. Raises NotFoundError.
    """

    def attempt() -> Rotated:
        item = _item(tenant_id, integration_id)
        current = _newest_hook(item)
        made = endpoint_items.make(needs, token_keys, secrets_too=fresh)
        hashed = token_hash(made.token)
        until = now() + overlap if overlap else None
        old_until = _epoch(until) if until else None
        kept = _secret(tenant_id, item)
        keys = {**kept.made, **made.keys}
        trust = endpoint_items.sealed_trust(tenant_id, integration_id, needs, kept.credentials, keys)
        sealed_made = endpoint_items.seal_made(tenant_id, integration_id, needs, made, keys)
        new = endpoint_items.new_hook(tenant_id, item, current.country, made, trust, current.watched_until)
        endpoint_items.pass_on(new, current, made, trust, old_until)
        living = item.hook_hashes[-1:] if until else []
        with _contested(), transaction() as write:
            for old in item.hook_hashes[:-1] if until else item.hook_hashes:
                write.delete(HookItem(key("TOKEN", old), "HOOK"))
            if until:
                # Whichever address and whichever secret the PBX is told first, both are good until then.
                endpoint_items.pass_on(current, current, made, trust, old_until)
                current.expires_at = old_until
                write.save(current, condition=HookItem.pk.exists())
            write.save(new, condition=HookItem.pk.does_not_exist())
            write.update(
                item,
                actions=[
                    IntegrationItem.hook_hashes.set([*living, hashed]),
                    IntegrationItem.old_until.set(old_until) if old_until else IntegrationItem.old_until.remove(),
                    *([IntegrationItem.sealed_made.set(sealed_made)] if sealed_made else []),
                ],
                condition=(IntegrationItem.hook_hashes == item.hook_hashes) & (IntegrationItem.sealed == item.sealed),
            )
            changed = ["webhook_url", *(f"secrets.{name}" for name in made.shown)]
            write.save(audit.entry(tenant_id, who, "integration.rotated", integration_id, changed))
        return Rotated(get_integration(tenant_id, integration_id), made, until)

    return persistently(attempt)


def watch_integration(tenant_id: str, integration_id: str, who: str, until: datetime) -> Integration:
    """Keep all deliveries until then. Raises NotFoundError."""

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            for hook in hooks_of(item.hook_hashes):
                write.update(hook, actions=[HookItem.watched_until.set(_epoch(until))], condition=HookItem.pk.exists())
            write.update(
                item,
                actions=[IntegrationItem.watched_until.set(_epoch(until))],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )
            write.save(audit.entry(tenant_id, who, "integration.watched", integration_id))
        return get_integration(tenant_id, integration_id)

    return persistently(attempt)


def delete_integration(tenant_id: str, integration_id: str, who: str, has_time: Callable[[], bool]) -> bool:
    """Delete an integration and its kept deliveries; calls and tags stay. False when time ran out: call it again.

    Its webhook addresses die first. Raises NotFoundError, and ConflictError naming the employees who have an extension
    there.
    """
    names = _holders(tenant_id, integration_id)
    if names:
        others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise ConflictError(
            f"Employees still have extensions at this PBX: {', '.join(names[:NAMED])}{others}. Remove them first.",
            code=ErrorCode.RESOURCE_IN_USE,
        )

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
    if not request_log.purge(tenant_id, integration_id, has_time):
        return False
    if not reconciliation.purge(tenant_id, integration_id, has_time):
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
    return list(dict.fromkeys(one.name for one in by_extension(tenant_id, integration_id).values()))


class _contested:  # noqa: N801 -- reads as a statement
    """A refused condition means that somebody changed the same integration; trying again may succeed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TransactionRejectedError):
            raise ContestedError from error


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _newest_hook(item: IntegrationItem) -> HookItem:
    found = hooks_of(item.hook_hashes)
    if not found:
        raise NotFoundError("The integration is being deleted.")
    return found[-1]


def _item(tenant_id: str, integration_id: str) -> IntegrationItem:
    try:
        return IntegrationItem.get(key("T", tenant_id), key(SK, integration_id), consistent_read=True)
    except IntegrationItem.DoesNotExist:
        raise NotFoundError("No such integration.") from None


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
