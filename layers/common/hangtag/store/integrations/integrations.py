"""Integrations: a tenant's connections to PBXs, each with one webhook token, or two during a rotation."""

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
from hangtag.store.db.models import EndpointItem, IntegrationItem
from hangtag.store.db.paging import Page, children
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction
from hangtag.store.integrations import endpoint_items, reconciliation, request_log
from hangtag.store.integrations.endpoint_items import HOOK_TOKEN, Needs, NewSecrets, load_endpoints
from hangtag.store.office.employees import by_extension
from hangtag.store.office.tenants import load_tenant

SK = "INTEGRATION"
# Number of employees named in a conflict.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Integration:
    """An integration, without the credentials and secrets. Times are ISO 8601 in UTC.

    `previous_url_until`: end of the previous webhook address. `watched_until`: end of logging all webhook requests.
    Each is None once it is over.
    """

    id: str
    provider: str
    name: str
    settings: Mapping[str, Any]
    created_at: str
    previous_url_until: str | None = None
    watched_until: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the integration as the API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration just created, with the values that are shown once."""

    integration: Integration
    secrets: NewSecrets


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new webhook token, and new secrets if requested; `old_until` is None if the old ones ended at once."""

    integration: Integration
    secrets: NewSecrets
    old_until: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """Decrypted data of an integration: the admin's credentials, and the keys generated for the PBX, by name.

    `hook_token` is "" unless the PBX needs the webhook's address with each call.
    """

    credentials: Mapping[str, str] = field(repr=False)
    generated: Mapping[str, str] = field(repr=False)
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
    """Create an integration with its webhook token and the provider's secrets and keys.

    `who` is written into the audit list. Raises NotFoundError (the tenant), BadInputError (too long credentials), and
    botocore's errors.
    """
    tenant = load_tenant(tenant_id)
    integration = Integration(random_source.token_hex(8), provider, name, settings, iso(now()))
    new_secrets = endpoint_items.generate(needs, token_keys)
    item = IntegrationItem(
        key("T", tenant_id),
        key(SK, integration.id),
        id=integration.id,
        provider=provider,
        name=name,
        settings=settings,
        sealed=secrets.encrypt(tenant_id, integration.id, credentials),
        sealed_made=endpoint_items.seal_stored_keys(tenant_id, integration.id, needs, new_secrets, new_secrets.keys),
        hook_hashes=[token_hash(new_secrets.token)],
        created_at=integration.created_at,
    )
    sealed_keys = endpoint_items.seal_verification_keys(tenant_id, integration.id, needs, credentials, new_secrets.keys)
    endpoint = endpoint_items.new_endpoint(tenant_id, item, tenant.country, new_secrets, sealed_keys, None)
    with transaction() as write:
        write.save(item, condition=IntegrationItem.pk.does_not_exist())
        write.save(endpoint, condition=EndpointItem.pk.does_not_exist())
        write.save(audit.entry(tenant_id, who, "integration.created", integration.id))
    return NewIntegration(integration, new_secrets)


def get_integration(tenant_id: str, integration_id: str) -> Integration:
    """Return an integration. Raises NotFoundError."""
    return _integration(_item(tenant_id, integration_id))


def list_integrations(tenant_id: str, limit: int, after: str | None) -> Page[Integration]:
    """Return the tenant's integrations by id; `after` is the last one of the page before."""
    return children(IntegrationItem, tenant_id, SK, limit, after).map(_integration)


def load_credentials(tenant_id: str, integration_id: str) -> dict[str, str]:
    """Return the admin's credentials in plain text. Raises NotFoundError and botocore's errors."""
    return secrets.decrypt(tenant_id, integration_id, _item(tenant_id, integration_id).sealed)


def load_secret(tenant_id: str, integration_id: str) -> Secret:
    """Return all encrypted data in plain text. Raises NotFoundError and botocore's errors."""
    return _secret(tenant_id, _item(tenant_id, integration_id))


def _secret(tenant_id: str, item: IntegrationItem) -> Secret:
    generated = secrets.decrypt(tenant_id, item.id, item.sealed_made) if item.sealed_made else {}
    return Secret(secrets.decrypt(tenant_id, item.id, item.sealed), generated, generated.pop(HOOK_TOKEN, ""))


def current_token_hash(tenant_id: str, integration_id: str) -> str:
    """Return the hash of the newest webhook token, "" while the integration is being deleted. Raises NotFoundError."""
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
    """Change the arguments that are not None. `merge` computes the new credentials from the current ones.

    Webhook requests signed with the previous credentials are accepted for `overlap`. Raises NotFoundError,
    BadInputError (too long credentials), the errors of `merge`, and botocore's errors.
    """

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        actions: list[Action] = []
        endpoint_actions: list[Callable[[EndpointItem], list[Action]]] = []
        changed: list[str] = []
        if name is not None and name != item.name:
            actions.append(IntegrationItem.name.set(name))
            changed.append("name")
        if settings is not None and settings != item.settings:
            actions.append(IntegrationItem.settings.set(settings))
            endpoint_actions.append(lambda _: [EndpointItem.settings.set(settings)])
            changed.append("settings")
        if merge is not None:
            secret = _secret(tenant_id, item)
            after = merge(secret.credentials)
            changed_names = _differing(secret.credentials, after)
            changed += [f"credentials.{one}" for one in sorted(changed_names)]
            actions.append(IntegrationItem.sealed.set(secrets.encrypt(tenant_id, integration_id, after)))
            if changed_names & set(needs.verified_with):
                sealed_keys = endpoint_items.seal_verification_keys(
                    tenant_id, integration_id, needs, after, secret.generated
                )
                until = _epoch(now() + overlap) if overlap else None
                endpoint_actions.append(
                    lambda endpoint: endpoint_items.set_verification_keys(endpoint, sealed_keys, until)
                )
        if changed:
            with _contested(), transaction() as write:
                write.update(item, actions=actions, condition=IntegrationItem.sealed == item.sealed)
                for endpoint in load_endpoints(item.hook_hashes) if endpoint_actions else []:
                    endpoint_changes = [
                        action for build_actions in endpoint_actions for action in build_actions(endpoint)
                    ]
                    write.update(endpoint, actions=endpoint_changes, condition=EndpointItem.pk.exists())
                write.save(audit.entry(tenant_id, who, "integration.changed", integration_id, changed))
        return get_integration(tenant_id, integration_id)

    return retry_contested(attempt)


def rotate_integration(
    tenant_id: str, integration_id: str, who: str, overlap: timedelta, needs: Needs, token_keys: str, *, fresh: bool
) -> Rotation:
    """Create a new webhook token, with new secrets and keys if `fresh`. The previous ones stay valid for `overlap`.

    At most two tokens are valid at a time: older ones end at once. Raises NotFoundError.
    """

    def attempt() -> Rotation:
        item = _item(tenant_id, integration_id)
        current = _newest_endpoint(item)
        new_secrets = endpoint_items.generate(needs, token_keys, secrets_too=fresh)
        hashed = token_hash(new_secrets.token)
        until = now() + overlap if overlap else None
        old_until = _epoch(until) if until else None
        secret = _secret(tenant_id, item)
        keys = {**secret.generated, **new_secrets.keys}
        sealed_keys = endpoint_items.seal_verification_keys(tenant_id, integration_id, needs, secret.credentials, keys)
        sealed_made = endpoint_items.seal_stored_keys(tenant_id, integration_id, needs, new_secrets, keys)
        new = endpoint_items.new_endpoint(
            tenant_id, item, current.country, new_secrets, sealed_keys, current.watched_until
        )
        endpoint_items.carry_over(new, current, new_secrets, sealed_keys, old_until)
        living = item.hook_hashes[-1:] if until else []
        with _contested(), transaction() as write:
            for old in item.hook_hashes[:-1] if until else item.hook_hashes:
                write.delete(EndpointItem(key("TOKEN", old), "HOOK"))
            if until:
                # The PBX can get the new address before the new secret or after it: both stay valid until then.
                endpoint_items.carry_over(current, current, new_secrets, sealed_keys, old_until)
                current.expires_at = old_until
                write.save(current, condition=EndpointItem.pk.exists())
            write.save(new, condition=EndpointItem.pk.does_not_exist())
            write.update(
                item,
                actions=[
                    IntegrationItem.hook_hashes.set([*living, hashed]),
                    IntegrationItem.old_until.set(old_until) if old_until else IntegrationItem.old_until.remove(),
                    *([IntegrationItem.sealed_made.set(sealed_made)] if sealed_made else []),
                ],
                condition=(IntegrationItem.hook_hashes == item.hook_hashes) & (IntegrationItem.sealed == item.sealed),
            )
            changed = ["webhook_url", *(f"secrets.{name}" for name in new_secrets.shown)]
            write.save(audit.entry(tenant_id, who, "integration.rotated", integration_id, changed))
        return Rotation(get_integration(tenant_id, integration_id), new_secrets, until)

    return retry_contested(attempt)


def watch_integration(tenant_id: str, integration_id: str, who: str, until: datetime) -> Integration:
    """Log all webhook requests until then. Raises NotFoundError."""

    def attempt() -> Integration:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            for endpoint in load_endpoints(item.hook_hashes):
                write.update(
                    endpoint,
                    actions=[EndpointItem.watched_until.set(_epoch(until))],
                    condition=EndpointItem.pk.exists(),
                )
            write.update(
                item,
                actions=[IntegrationItem.watched_until.set(_epoch(until))],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )
            write.save(audit.entry(tenant_id, who, "integration.watched", integration_id))
        return get_integration(tenant_id, integration_id)

    return retry_contested(attempt)


def delete_integration(tenant_id: str, integration_id: str, who: str, has_time: Callable[[], bool]) -> bool:
    """Delete an integration and its request log; calls and tags stay. False if time ran out: call it again.

    Its webhook endpoints are deleted first. Raises NotFoundError, and ConflictError naming the employees who have an
    extension there.
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
                write.delete(EndpointItem(key("TOKEN", hashed), "HOOK"))
            write.update(
                item,
                actions=[IntegrationItem.hook_hashes.set([]), IntegrationItem.old_until.remove()],
                condition=IntegrationItem.hook_hashes == item.hook_hashes,
            )

    retry_contested(silence)
    if not request_log.purge(tenant_id, integration_id, has_time):
        return False
    if not reconciliation.purge(tenant_id, integration_id, has_time):
        return False

    def remove() -> None:
        item = _item(tenant_id, integration_id)
        with _contested(), transaction() as write:
            write.delete(item, condition=IntegrationItem.pk.exists())
            write.save(audit.entry(tenant_id, who, "integration.deleted", integration_id))

    retry_contested(remove)
    return True


def _holders(tenant_id: str, integration_id: str) -> list[str]:
    """Return the names of the employees who have an extension on an integration."""
    return list(dict.fromkeys(one.name for one in by_extension(tenant_id, integration_id).values()))


class _contested:  # noqa: N801 -- reads as a statement
    """Context that turns a failed condition into ContestedError: the integration changed, so retrying can succeed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TransactionRejectedError):
            raise ContestedError from error


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _newest_endpoint(item: IntegrationItem) -> EndpointItem:
    stored = load_endpoints(item.hook_hashes)
    if not stored:
        raise NotFoundError("The integration is being deleted.")
    return stored[-1]


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
    """Format a future time; None if it is over."""
    if at is None or at <= now().timestamp():
        return None
    return iso(datetime.fromtimestamp(at, UTC))
