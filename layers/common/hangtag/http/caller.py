"""Who is asking: a bearer token becomes a caller with a tenant and a role."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from hangtag.auth import is_ours, token_hash
from hangtag.errors import ForbiddenError, UnauthorizedError
from hangtag.store import tokens

__all__ = ["Caller", "Role", "authenticate", "require"]


class Role(IntEnum):
    """What a caller may do. The operator stands apart: it has the tenants, and nothing inside of one."""

    EMPLOYEE = 1
    ADMIN = 2
    OWNER = 3
    OPERATOR = 10


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking. The tenant always comes from here; it is "" for the operator."""

    tenant_id: str
    employee_id: str | None
    role: Role


def authenticate(headers: Mapping[str, str]) -> Caller:
    """The caller of a request. Raises UnauthorizedError for every token that is not valid, all alike."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("a bearer token is needed")
    if _is_operator(token):
        return Caller("", None, Role.OPERATOR)
    if not is_ours(token, "api", os.environ["TOKEN_KEY"]):
        raise UnauthorizedError("the token is not valid")
    holder = tokens.find_holder(token_hash(token))
    if holder is None:
        raise UnauthorizedError("the token is not valid")
    return Caller(holder.tenant_id, holder.employee_id, Role[holder.role.upper()])


def require(caller: Caller, role: Role) -> None:
    """Raises ForbiddenError if the caller's role does not reach as far as `role`."""
    operators_own = role is Role.OPERATOR
    if (caller.role is Role.OPERATOR) != operators_own or caller.role < role:
        raise ForbiddenError("your role does not allow this")


def _is_operator(token: str) -> bool:
    expected = os.environ.get("OPERATOR_TOKEN", "")
    if not expected:
        return False
    return hmac.compare_digest(_digest(token), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
