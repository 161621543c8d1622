"""The items of the office, as PynamoDB models of the one table. Calls, tags and deliveries have modules of their own.

Each model says which key it has; keys are built by `hangtag.store.db.keys` only.
"""

from pynamodb.attributes import (
    JSONAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.models import Model

from hangtag import runtime


class _BoundTable(type):
    """Name of the table that the process is bound to, read at the first request and not at import."""

    @property
    def table_name(cls) -> str:
        return runtime.settings().table


class Entry(Model):
    """Any item. Region and endpoint come from botocore's configuration."""

    class Meta(metaclass=_BoundTable):
        connect_timeout_seconds = 1
        read_timeout_seconds = 3
        max_retry_attempts = 2

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()

    @classmethod
    def _get_connection(cls) -> TableConnection:
        # One client for all models: each would make its own, which takes longer than the request.
        if cls is Entry:
            return super()._get_connection()
        return Entry._get_connection()

    @classmethod
    def connection(cls) -> Connection:
        """The connection that all models share, for transactions."""
        return cls._get_connection().connection


class TenantItem(Entry):
    """key("T", id) / "TENANT". `erasing` is set once its erasure began: the day down to which it came."""

    kind = UnicodeAttribute(default="tenant")
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    country = UnicodeAttribute()
    time_zone = UnicodeAttribute()
    created_at = UnicodeAttribute()
    erasing = UnicodeAttribute(null=True)


class IntegrationItem(Entry):
    """key("T", tenant) / key("INTEGRATION", id). `sealed` holds the credentials, encrypted.

    `hook_hashes` are the hashes of its webhook tokens, the newest last. `old_until` (epoch seconds) says when the one
    before stops, and what a rotation replaced with it; `watched_until` until when deliveries are kept. `sealed_made`
    holds, encrypted, the keys that Hangtag made and, where the PBX must be told it with each call, the webhook's token.
    """

    kind = UnicodeAttribute(default="integration")
    id = UnicodeAttribute()
    provider = UnicodeAttribute()
    name = UnicodeAttribute()
    settings: JSONAttribute = JSONAttribute()
    sealed = UnicodeAttribute()
    sealed_made = UnicodeAttribute(null=True)
    hook_hashes: JSONAttribute = JSONAttribute()
    old_until = NumberAttribute(null=True)
    watched_until = NumberAttribute(null=True)
    created_at = UnicodeAttribute()


class EmployeeItem(Entry):
    """key("T", tenant) / key("EMPLOYEE", id).

    `phones`: [{raw, e164, extension, type}], `extensions`: [{integration_id, extension}], `working_hours`: see
    `hangtag.hours`.
    """

    kind = UnicodeAttribute(default="employee")
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    email = UnicodeAttribute(null=True)
    role = UnicodeAttribute()
    phones: JSONAttribute = JSONAttribute()
    extensions: JSONAttribute = JSONAttribute()
    working_hours: JSONAttribute = JSONAttribute(null=True)
    deputy_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    version = VersionAttribute()


class LineItem(Entry):
    """key("T", tenant) / key("LINE", number)."""

    kind = UnicodeAttribute(default="line")
    number = UnicodeAttribute()
    name = UnicodeAttribute()
    color = UnicodeAttribute(null=True)


class EmployeeClaim(Entry):
    """An extension's or a number's one employee.

    key("T", tenant, "EXT", integration, extension) / "EXT", or key("T", tenant, "PHONE", e164) / "EMPLOYEE".
    """

    kind = UnicodeAttribute(default="claim")
    employee_id = UnicodeAttribute()
    name = UnicodeAttribute()
    claimed = UnicodeAttribute()


class ContactClaim(Entry):
    """A number's one contact: key("T", tenant, "PHONE", e164) / "CONTACT". Holds what a ringing phone needs.

    `since` is when that contact was made; `waiting` are the younger ones that have the number too: [[since, id]].
    """

    kind = UnicodeAttribute(default="claim")
    contact_id = UnicodeAttribute()
    name = UnicodeAttribute()
    supervisor_id = UnicodeAttribute(null=True)
    claimed = UnicodeAttribute()
    since = UnicodeAttribute(default="")
    waiting: JSONAttribute = JSONAttribute(default=list)
    version = VersionAttribute()


class ExternalClaim(Entry):
    """The one contact that another system calls so: key("T", tenant, "EXTERNAL", id) / "EXTERNAL"."""

    kind = UnicodeAttribute(default="claim")
    contact_id = UnicodeAttribute()
    name = UnicodeAttribute()
    claimed = UnicodeAttribute()


class ContactItem(Entry):
    """key("T", tenant, "CONTACT", id) / "CONTACT". `body` is its JSON, for the list in the index `day`.

    `origin` is the digest of the call that made it.
    """

    kind = UnicodeAttribute(default="contact")
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    phones: JSONAttribute = JSONAttribute()
    supervisor_id = UnicodeAttribute(null=True)
    external_id = UnicodeAttribute(null=True)
    origin = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    body = UnicodeAttribute()
    day_key = UnicodeAttribute()
    day_order = UnicodeAttribute()
    version = VersionAttribute()


class HookItem(Entry):
    """key("TOKEN", hash) / "HOOK": a webhook token. `secrets` maps names to SHA-256, times are epoch seconds.

    `old_secrets` are those that a rotation replaced, good until `old_secrets_until`. `sealed` holds, encrypted, the
    credentials and keys that deliveries are verified with, `old_sealed` those before, good until `old_sealed_until`.
    `settings` are the integration's, for what reads its deliveries. Accepted deliveries are kept until
    `watched_until`, and until `set_up_until` or until `set_up_kept` of them are.
    """

    kind = UnicodeAttribute(default="hook")
    tenant_id = UnicodeAttribute()
    integration_id = UnicodeAttribute()
    provider = UnicodeAttribute()
    country = UnicodeAttribute()
    secrets: MapAttribute[str, str] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    old_secrets: MapAttribute[str, str] = MapAttribute(null=True)  # type: ignore[no-untyped-call]
    old_secrets_until = NumberAttribute(null=True)
    sealed = UnicodeAttribute(null=True)
    old_sealed = UnicodeAttribute(null=True)
    old_sealed_until = NumberAttribute(null=True)
    settings: JSONAttribute = JSONAttribute(null=True)
    set_up_until = NumberAttribute(null=True)
    set_up_kept = NumberAttribute(null=True)
    watched_until = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)


class ApiTokenItem(Entry):
    """key("TOKEN", hash) / "API". `employee_id` is absent for the owner's token, whose role is its own."""

    kind = UnicodeAttribute(default="api_token")
    tenant_id = UnicodeAttribute()
    employee_id = UnicodeAttribute(null=True)
    role = UnicodeAttribute()
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)


class TokenPointer(Entry):
    """key("T", tenant) / key("TOKEN", hash): finds a tenant's tokens, which are kept under their hashes alone."""

    kind = UnicodeAttribute(default="token")
    employee_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)
