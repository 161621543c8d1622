"""Authentication: maps a bearer token to a caller with a tenant and a role."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from hangtag import runtime
from hangtag.auth import is_ours, token_hash
from hangtag.errors import ErrorCode, ForbiddenError, UnauthorizedError
from hangtag.store.office import tokens

__all__ = ["Caller", "Role", "authenticate", "require"]

# Hangtag's own tokens and the operator's have no dots.
_DOTS_OF_JWT = 2


class Role(IntEnum):
    """Role of a caller. The operator manages tenants and has no access to the data of one.

    ANYONE is the role of routes that accept every valid token; callers never have it.
    """

    ANYONE = 0
    EMPLOYEE = 1
    ADMIN = 2
    OWNER = 3
    OPERATOR = 10


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. `tenant_id` is the only source of the tenant; it is "" for the operator.

    `subject` is the caller's subject at the operator's identity provider, or None.
    """

    tenant_id: str
    employee_id: str | None
    role: Role
    subject: str | None = None

    @property
    def name(self) -> str:
        """The caller's name in the audit log: operator, owner, employee:<id>, or oidc:<subject>."""
        if self.subject is not None:
            return f"oidc:{self.subject}"
        if self.employee_id is not None:
            return f"employee:{self.employee_id}"
        return self.role.name.lower()


def authenticate(headers: Mapping[str, str]) -> Caller:
    """Return the caller of a request. Raises UnauthorizedError for every token that is not valid.

    Raises UnavailableError for a JWT while its issuer's keys cannot be fetched.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("Send a bearer token.", code=ErrorCode.AUTHENTICATION_REQUIRED)
    if _is_operator(token):
        return Caller("", None, Role.OPERATOR)
    if runtime.settings().oidc_issuer and token.count(".") == _DOTS_OF_JWT:
        return _from_jwt(token)
    if not is_ours(token, "api", runtime.settings().token_keys):
        raise UnauthorizedError("The token is not valid.")
    holder = tokens.find_holder(token_hash(token))
    if holder is None:
        raise UnauthorizedError("The token is not valid.")
    return Caller(holder.tenant_id, holder.employee_id, Role[holder.role.upper()])


def _from_jwt(token: str) -> Caller:
    # Imported with the first JWT: cryptography is slow to load.
    from hangtag.api.kernel import oidc

    identity = oidc.identify(token)
    return Caller(identity.tenant_id, identity.employee_id, Role[identity.role.upper()], identity.subject)


def require(caller: Caller, role: Role) -> None:
    """Raise ForbiddenError unless the caller has at least `role`."""
    if role is Role.ANYONE:
        return
    is_for_operator = role is Role.OPERATOR
    if (caller.role is Role.OPERATOR) != is_for_operator or caller.role < role:
        name = role.name.lower()
        raise ForbiddenError(f"Your role does not allow this. Required: {name}.", params={"required_role": name})


def _is_operator(token: str) -> bool:
    expected = runtime.settings().operator_token
    if not expected:
        return False
    return hmac.compare_digest(_digest(token), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
