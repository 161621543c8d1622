"""Tokens of the SaaS's own: JSON Web Tokens of the one issuer that the operator named to the stack.

Such a token names its issuer, audience, times and subject; and, by claims whose names the operator chose, the tenant,
the role (owner, admin, employee) and, where there is one, the employee. Source: RFC 7519; RFC 8725 for what is refused.
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
from hangtag.observability import logger
from hangtag.store.office import employees, tenants

__all__ = ["Identity", "Issuer", "Settings", "identify"]

MAX_LENGTH = 8 * 1024
MAX_SUBJECT = 255
LEEWAY_SECONDS = 60
# Signatures with a public key only, each with the one kind of key that it takes: no token says what a key is for.
KEY_TYPES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "RS256": ("RSA", None),
        "PS256": ("RSA", None),
        "ES256": ("EC", "P-256"),
        "EdDSA": ("OKP", "Ed25519"),
    }
)
# Never the operator's: that is nobody's of a tenant.
ROLES = ("owner", "admin", "employee")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator set: whose tokens, made for whom, and the names of the claims."""

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    role_claim: str = "role"
    employee_claim: str = "employee"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a valid token says. `subject` is the issuer's name for its holder, up to 255 characters."""

    tenant_id: str
    role: str
    employee_id: str | None
    subject: str


class Issuer:
    """Reads the tokens of one issuer."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.issuer, clock)

    def read(self, token: str) -> Identity:
        """What a token says, once all of it is checked but that tenant and employee exist.

        Raises UnauthorizedError for every token that is not valid, all alike, and UnavailableError if the issuer's keys
        can't be fetched.
        """
        if len(token) > MAX_LENGTH:
            raise _refusal("too long")
        return self._identity(self._claims(token))

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except Exception as error:
            # A library meets the bytes of strangers: whatever it raises, the token is not valid.
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
    """Whom a token of the SaaS's own speaks for: somebody of a tenant that there is.

    Raises UnauthorizedError for every token that is not valid, all alike, and also if the stack has no issuer; and
    UnavailableError if the issuer's keys can't be fetched.
    """
    issuer = _configured()
    if issuer is None:
        raise _refusal("no issuer")
    found = issuer.read(token)
    if not tenants.is_open(found.tenant_id):
        raise _refusal("tenant")
    if found.employee_id is not None and not employees.exists(found.tenant_id, found.employee_id):
        raise _refusal("employee")
    return found


def _configured() -> Issuer | None:
    """The issuer of the stack. Without an audience there is none: its tokens could be meant for anybody."""
    bound = runtime.settings()
    if not bound.oidc_issuer or not bound.oidc_audience:
        return None
    claims = (bound.oidc_tenant_claim, bound.oidc_role_claim, bound.oidc_employee_claim)
    return _issuer(Settings(bound.oidc_issuer, bound.oidc_audience, *claims))


@lru_cache(maxsize=4)
def _issuer(settings: Settings) -> Issuer:
    """One for the life of the process, since it remembers the keys."""
    return Issuer(settings)


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key is one to check this kind of signature with."""
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
    """The same for all; the reason is for the operator's log, and holds nothing of the token."""
    logger.info("auth.token_rejected", extra={"reason": reason})
    return UnauthorizedError(
        "The token is not valid.", code=ErrorCode.TOKEN_EXPIRED if reason == "ExpiredSignatureError" else None
    )
