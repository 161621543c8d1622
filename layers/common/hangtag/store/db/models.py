"""PynamoDB models of the office's items in the one table. Calls, tags and the request log have modules of their own.

Each model documents its key; keys are built by `hangtag.store.db.keys` only.
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
    """Base of all items. Region and endpoint come from botocore's configuration."""

    class Meta(metaclass=_BoundTable):
        connect_timeout_seconds = 1
        read_timeout_seconds = 3
        max_retry_attempts = 2

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()

    @classmethod
    def _get_connection(cls) -> TableConnection:
        # One client for all models: a client per model would take longer to create than the request.
        if cls is Entry:
            return super()._get_connection()
        return Entry._get_connection()

    @classmethod
    def connection(cls) -> Connection:
        """Return the connection that all models share, for transactions."""
        return cls._get_connection().connection


class TenantItem(Entry):
    """Item key("T", id) / "TENANT". `erasing` is set while it is erased: the day down to which the erasure has come."""

    kind = UnicodeAttribute(default="tenant")
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    country = UnicodeAttribute()
    time_zone = UnicodeAttribute()
    created_at = UnicodeAttribute()
    erasing = UnicodeAttribute(null=True)


class IntegrationItem(Entry):
    """Item key("T", tenant) / key("INTEGRATION", id). `sealed` holds the credentials, encrypted.

    `hook_hashes` are the hashes of its webhook tokens, the newest last. `old_until` (epoch seconds) is the end of the
    previous token and of all that a rotation replaced with it; `watched_until` is the end of request logging.
    `sealed_made` holds, encrypted, the keys that Hangtag generated and, for a PBX that needs the webhook's address with
    each call, the webhook's token.
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
    """Item key("T", tenant) / key("EMPLOYEE", id).

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
    """Item key("T", tenant) / key("LINE", number)."""

    kind = UnicodeAttribute(default="line")
    number = UnicodeAttribute()
    name = UnicodeAttribute()
    color = UnicodeAttribute(null=True)


class EmployeeClaim(Entry):
    """Claim of an extension or a number by its one employee.

    key("T", tenant, "EXT", integration, extension) / "EXT", or key("T", tenant, "PHONE", e164) / "EMPLOYEE".
    """

    kind = UnicodeAttribute(default="claim")
    employee_id = UnicodeAttribute()
    name = UnicodeAttribute()
    claimed = UnicodeAttribute()


class ContactClaim(Entry):
    """Claim of a number by its one contact: key("T", tenant, "PHONE", e164) / "CONTACT". Has the data for a ringing
    phone.

    `since` is when the contact was created; `waiting` are the younger contacts that have the number too: [[since, id]].
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
    """Claim of another system's id by its one contact: key("T", tenant, "EXTERNAL", id) / "EXTERNAL"."""

    kind = UnicodeAttribute(default="claim")
    contact_id = UnicodeAttribute()
    name = UnicodeAttribute()
    claimed = UnicodeAttribute()


class ContactItem(Entry):
    """Item key("T", tenant, "CONTACT", id) / "CONTACT". `body` is its JSON, for the list in the index `day`.

    `origin` is the digest of the call that created it.
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


class EndpointItem(Entry):
    """Webhook token: key("TOKEN", hash) / "HOOK". `secrets` maps names to SHA-256, times are epoch seconds.

    `old_secrets` are the ones that a rotation replaced, valid until `old_secrets_until`. `sealed` holds, encrypted, the
    credentials and keys that verify webhook requests, `old_sealed` the previous ones, valid until `old_sealed_until`.
    `settings` are the integration's, for parsing. Accepted webhook requests are logged until `watched_until`, and until
    `set_up_until` or a count of `set_up_kept`.
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
    """Item key("TOKEN", hash) / "API". `employee_id` is absent for the owner's token, which has a role of its own."""

    kind = UnicodeAttribute(default="api_token")
    tenant_id = UnicodeAttribute()
    employee_id = UnicodeAttribute(null=True)
    role = UnicodeAttribute()
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)


class TokenPointer(Entry):
    """Item key("T", tenant) / key("TOKEN", hash): lists a tenant's tokens, which are stored under their hashes
    alone.
    """

    kind = UnicodeAttribute(default="token")
    employee_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)
