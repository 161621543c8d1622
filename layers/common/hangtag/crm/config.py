"""Configuration of an external CRM: its URL, and the secrets that sign requests to it."""

import base64
import os
import secrets as random_bytes
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hangtag import outbound, secrets
from hangtag.errors import BadInputError, ConflictError, ErrorCode, FieldError
from hangtag.runtime import TtlCache
from hangtag.store.crm import breaker
from hangtag.store.crm import config as crm
from hangtag.store.crm.config import CrmConfig, load
from hangtag.store.db import audit

__all__ = ["CrmConfig", "connect", "disconnect", "load", "make_secret", "require", "rotate", "signing_secrets"]

SECRET_BYTES = 24
# Part of the encryption context, in place of an integration.
SCOPE = "CRM"
NO_CRM = "No outside CRM is connected. Connect one first."
CONTESTED = "The CRM settings were changed by another request at the same time. Try again."
# In the audit list.
CHANGED, TARGET = "crm.changed", "crm"

# Cached by version: every change of the secret changes the version.
_opened: TtlCache[tuple[str, str], dict[str, str]] = TtlCache(1000, 300.0)


def make_secret() -> str:
    """Return a new secret in the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode("ascii")


def connect(tenant_id: str, url: str, who: str) -> tuple[CrmConfig, str | None]:
    """Set the URL of the external CRM. Return a new secret, to be shown once, if there was none before.

    `who` is for the audit log. Raises BadInputError for a URL that is not allowed, ConflictError for a concurrent
    change.
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
        entry = audit.entry(tenant_id, who, CHANGED, TARGET, ("kind", "url", "secret"))
        return _save(tenant_id, CrmConfig(url=url, sealed=sealed, version=_version()), None, entry), secret
    entry = audit.entry(tenant_id, who, CHANGED, TARGET, ("url",))
    after = _save(tenant_id, replace(before, url=url, version=_version()), before, entry)
    # Failures of the old URL do not apply to the new one.
    breaker.reset(tenant_id)
    return after, None


def disconnect(tenant_id: str, who: str) -> None:
    """Disconnect the external CRM and delete its secrets. Raises ConflictError for a concurrent change."""
    before = crm.read(tenant_id)
    if before is None:
        return
    if not crm.remove(tenant_id, before, audit.entry(tenant_id, who, CHANGED, TARGET, ("kind", "url", "secret"))):
        raise ConflictError(CONTESTED)
    breaker.reset(tenant_id)


def rotate(tenant_id: str, overlap_hours: int, now: datetime, who: str) -> tuple[CrmConfig, str]:
    """Return a new secret, to be shown once. The old one also signs for `overlap_hours`; an older one is dropped.

    Raises ConflictError without an external CRM, and for a concurrent change.
    """
    before = require(tenant_id)
    current = secrets.decrypt(tenant_id, SCOPE, before.sealed)
    fresh = make_secret()
    overlap = int((now + timedelta(hours=overlap_hours)).timestamp()) if overlap_hours else None
    sealed = {"secret": fresh, **({"previous": current["secret"]} if overlap else {})}
    after = CrmConfig(
        url=before.url,
        sealed=secrets.encrypt(tenant_id, SCOPE, sealed),
        overlap_until=overlap,
        version=_version(),
    )
    return _save(tenant_id, after, before, audit.entry(tenant_id, who, "crm.rotated", TARGET, ("secret",))), fresh


def require(tenant_id: str) -> CrmConfig:
    """Return the current configuration of the external CRM. Raises ConflictError if not connected."""
    config = crm.read(tenant_id)
    if config is None:
        raise ConflictError(NO_CRM, code=ErrorCode.RESOURCE_IN_USE)
    return config


def signing_secrets(tenant_id: str, config: CrmConfig, now: datetime) -> tuple[str, ...]:
    """Return the secrets to sign with: the newest, then the previous one during the overlap. Never log them."""
    current = _opened.get_or((tenant_id, config.version), lambda: secrets.decrypt(tenant_id, SCOPE, config.sealed))
    overlaps = config.overlap_until is not None and now < datetime.fromtimestamp(config.overlap_until, UTC)
    if overlaps and "previous" in current:
        return current["secret"], current["previous"]
    return (current["secret"],)


def _save(tenant_id: str, config: CrmConfig, replacing: CrmConfig | None, entry: audit.AuditItem) -> CrmConfig:
    if not crm.save(tenant_id, config, replacing, entry):
        raise ConflictError(CONTESTED)
    return config


def _version() -> str:
    return random_bytes.token_hex(8)
