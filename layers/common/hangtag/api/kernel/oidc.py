"""JSON Web Tokens of the operator's identity provider.

A token contains issuer, audience, times and subject and, in claims with configurable names, the tenant, the role
(owner, admin, employee) and optionally the employee. Source: RFC 7519; RFC 8725 for the rejected forms.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jwt

from hangtag import runtime
from hangtag.api.kernel.jwks import IssuerKeys
from hangtag.api.kernel.models import is_id
from hangtag.errors import ErrorCode, UnauthorizedError
from hangtag.runtime import logger
from hangtag.store.office import employees, tenants

__all__ = ["Identity", "Issuer", "Settings", "identify"]

MAX_LENGTH = 8 * 1024
MAX_SUBJECT = 255
LEEWAY_SECONDS = 60
# Public-key signatures only, each with its type of key: a token cannot choose the use of a key.
KEY_TYPES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "RS256": ("RSA", None),
        "PS256": ("RSA", None),
        "ES256": ("EC", "P-256"),
        "EdDSA": ("OKP", "Ed25519"),
    }
)
# The operator's role is not assigned by tokens: it does not belong to a tenant.
ROLES = ("owner", "admin", "employee")


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration by the operator: issuer, audience and the names of the claims."""

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    role_claim: str = "role"
    employee_claim: str = "employee"


@dataclass(frozen=True, slots=True)
class Identity:
    """Claims of a valid token. `subject` is the issuer's name for the holder, up to 255 characters."""

    tenant_id: str
    role: str
    employee_id: str | None
    subject: str


class Issuer:
    """Validator of one issuer's tokens."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.issuer, clock)

    def read(self, token: str) -> Identity:
        """Validate a token, except for the existence of its tenant and employee.

        Raises UnauthorizedError with one message for every invalid token, and UnavailableError if the issuer's keys
        cannot be fetched.
        """
        if len(token) > MAX_LENGTH:
            raise _refusal("too long")
        return self._identity(self._claims(token))

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except Exception as error:
            # The library parses untrusted bytes; any exception means that the token is not valid.
            raise _refusal(type(error).__name__) from error
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
            raise _refusal("algorithm")
        fitting = [key for key in self._keys.find(kid) if _fits(key, algorithm)]
        if len(fitting) != 1:
            raise _refusal("key")
        try:
            return self._verified(token, jwt.PyJWK(dict(fitting[0]), algorithm))
        except Exception as error:
            raise _refusal(type(error).__name__) from error

    def _verified(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=list(KEY_TYPES),
            audience=self._settings.audience,
            issuer=self._settings.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
        )

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        tenant_id = claims.get(self._settings.tenant_claim)
        role = claims.get(self._settings.role_claim)
        employee_id = claims.get(self._settings.employee_claim)
        subject = claims["sub"]
        if not isinstance(tenant_id, str) or not is_id(tenant_id):
            raise _refusal("tenant")
        if not isinstance(role, str) or role not in ROLES:
            raise _refusal("role")
        if employee_id is not None and not (isinstance(employee_id, str) and is_id(employee_id)):
            raise _refusal("employee")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
            raise _refusal("subject")
        return Identity(tenant_id, role, employee_id, subject)


def identify(token: str) -> Identity:
    """Return the identity of a token, in an existing tenant.

    Raises UnauthorizedError with one message for every invalid token and without a configured issuer, and
    UnavailableError if the issuer's keys cannot be fetched.
    """
    issuer = _configured()
    if issuer is None:
        raise _refusal("no issuer")
    identity = issuer.read(token)
    if not tenants.is_open(identity.tenant_id):
        raise _refusal("tenant")
    if identity.employee_id is not None and not employees.exists(identity.tenant_id, identity.employee_id):
        raise _refusal("employee")
    return identity


def _configured() -> Issuer | None:
    """Return the configured issuer; None without an audience, since its tokens could be meant for another service."""
    bound = runtime.settings()
    if not bound.oidc_issuer or not bound.oidc_audience:
        return None
    claims = (bound.oidc_tenant_claim, bound.oidc_role_claim, bound.oidc_employee_claim)
    return _issuer(Settings(bound.oidc_issuer, bound.oidc_audience, *claims))


@lru_cache(maxsize=4)
def _issuer(settings: Settings) -> Issuer:
    """Return the process-wide issuer; it caches the keys."""
    return Issuer(settings)


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Return True if a key can verify this kind of signature."""
    kind, curve = KEY_TYPES[algorithm]
    uses = key.get("key_ops")
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("alg") in (None, algorithm)
        and key.get("use") in (None, "sig")
        and (uses is None or (isinstance(uses, list) and "verify" in uses))
    )


def _refusal(reason: str) -> UnauthorizedError:
    """Return the error; the reason is logged for the operator and contains nothing of the token."""
    logger.info("auth.token_rejected", extra={"reason": reason})
    return UnauthorizedError(
        "The token is not valid.", code=ErrorCode.TOKEN_EXPIRED if reason == "ExpiredSignatureError" else None
    )
