"""Setting up a CRM outside: its address, and the secrets that requests to it are signed with."""

import base64
import os
import secrets as random_bytes
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hangtag import outbound, secrets
from hangtag.errors import BadInputError, ConflictError, ErrorCode, FieldError
from hangtag.store.crm import breaker
from hangtag.store.crm import config as crm
from hangtag.store.crm.config import CrmConfig, load
from hangtag.store.db import audit
from hangtag.store.db.cache import TtlCache

__all__ = ["CrmConfig", "connect", "disconnect", "load", "make_secret", "require", "rotate", "signing_secrets"]

SECRET_BYTES = 24
# Which secret it is, in the encryption context beside the tenant.
SCOPE = "CRM"
NO_CRM = "No outside CRM is connected. Connect one first."
CONTESTED = "The CRM settings were changed by another request at the same time. Try again."
# In the audit list.
CHANGED, TARGET = "crm.changed", "crm"

# By version: another secret is another version.
_opened: TtlCache[tuple[str, str], dict[str, str]] = TtlCache(1000, 300.0)


def make_secret() -> str:
    """A new secret, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode("ascii")


def connect(tenant_id: str, url: str, who: str) -> tuple[CrmConfig, str | None]:
    """Set the address of the outside CRM; with it comes the secret if there was none before, to be shown this once.

    `who` is for the audit list. Raises BadInputError for an address that is not allowed, ConflictError when somebody
    changes it at the same moment.
    """
    try:
        outbound.check(url)
    except outbound.UrlError as error:
        field = FieldError("url", error.field_code, error.sentence)
        raise BadInputError("The URL is not allowed.", (field,)) from None
    before = crm.read(tenant_id)
    if before is not None and before.url == url:
        return before, None
    if before is None:
        secret = make_secret()
        sealed = secrets.encrypt(tenant_id, SCOPE, {"secret": secret})
        noted = audit.entry(tenant_id, who, CHANGED, TARGET, ("kind", "url", "secret"))
        return _save(tenant_id, CrmConfig(url=url, sealed=sealed, version=_version()), None, noted), secret
    noted = audit.entry(tenant_id, who, CHANGED, TARGET, ("url",))
    after = _save(tenant_id, replace(before, url=url, version=_version()), before, noted)
    # What is known of the old address says nothing of the new one.
    breaker.reset(tenant_id)
    return after, None


def disconnect(tenant_id: str, who: str) -> None:
    """Go back to the built-in CRM alone; the secrets are forgotten.

    Raises ConflictError when somebody changes it at the same moment.
    """
    before = crm.read(tenant_id)
    if before is None:
        return
    if not crm.remove(tenant_id, before, audit.entry(tenant_id, who, CHANGED, TARGET, ("kind", "url", "secret"))):
        raise ConflictError(CONTESTED)
    breaker.reset(tenant_id)


def rotate(tenant_id: str, overlap_hours: int, now: datetime, who: str) -> tuple[CrmConfig, str]:
    """A new secret, to be shown this once. The old one signs too for as long as said; one older than that is dropped.

    Raises ConflictError if there is no outside CRM, or somebody changes it at the same moment.
    """
    before = require(tenant_id)
    held = secrets.decrypt(tenant_id, SCOPE, before.sealed)
    fresh = make_secret()
    overlap = int((now + timedelta(hours=overlap_hours)).timestamp()) if overlap_hours else None
    sealed = {"secret": fresh, **({"previous": held["secret"]} if overlap else {})}
    after = CrmConfig(
        url=before.url,
        sealed=secrets.encrypt(tenant_id, SCOPE, sealed),
        overlap_until=overlap,
        version=_version(),
    )
    return _save(tenant_id, after, before, audit.entry(tenant_id, who, "crm.rotated", TARGET, ("secret",))), fresh


def require(tenant_id: str) -> CrmConfig:
    """The outside CRM as it is now. Raises ConflictError if there is none."""
    config = crm.read(tenant_id)
    if config is None:
        raise ConflictError(NO_CRM, code=ErrorCode.RESOURCE_IN_USE)
    return config


def signing_secrets(tenant_id: str, config: CrmConfig, now: datetime) -> tuple[str, ...]:
    """The secrets to sign with: the newest first, then the one before it while both are good. Never to be logged."""
    held = _opened.get_or((tenant_id, config.version), lambda: secrets.decrypt(tenant_id, SCOPE, config.sealed))
    overlaps = config.overlap_until is not None and now < datetime.fromtimestamp(config.overlap_until, UTC)
    if overlaps and "previous" in held:
        return held["secret"], held["previous"]
    return (held["secret"],)


def _save(tenant_id: str, config: CrmConfig, replacing: CrmConfig | None, noted: audit.AuditItem) -> CrmConfig:
    if not crm.save(tenant_id, config, replacing, noted):
        raise ConflictError(CONTESTED)
    return config


def _version() -> str:
    return random_bytes.token_hex(8)
