"""Who is asking: a bearer token becomes a caller with a tenant and a role."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from hangtag import runtime
from hangtag.auth import is_ours, token_hash
from hangtag.errors import ForbiddenError, UnauthorizedError
from hangtag.store.office import tokens

__all__ = ["Caller", "Role", "authenticate", "require"]

# Tokens of the stack's own, and the operator's, have no dots.
_DOTS_OF_JWT = 2


class Role(IntEnum):
    """What a caller may do. The operator stands apart: it has the tenants, and nothing inside of one.

    Nobody is ANYONE; a route for them is for everybody whose token is valid.
    """

    ANYONE = 0
    EMPLOYEE = 1
    ADMIN = 2
    OWNER = 3
    OPERATOR = 10


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking. The tenant always comes from here; it is "" for the operator.

    `subject` is who the operator's own identity provider says it is.
    """

    tenant_id: str
    employee_id: str | None
    role: Role
    subject: str | None = None

    @property
    def name(self) -> str:
        """How the audit list calls the caller: operator, owner, employee:<id>, or oidc:<subject>."""
        if self.subject is not None:
            return f"oidc:{self.subject}"
        if self.employee_id is not None:
            return f"employee:{self.employee_id}"
        return self.role.name.lower()


def authenticate(headers: Mapping[str, str]) -> Caller:
    """The caller of a request. Raises UnauthorizedError for every token that is not valid, all alike.

    Raises UnavailableError for a token of the SaaS's own, while its issuer's keys can't be fetched.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("a bearer token is needed")
    if _is_operator(token):
        return Caller("", None, Role.OPERATOR)
    if runtime.settings().oidc_issuer and token.count(".") == _DOTS_OF_JWT:
        return _of_the_saas(token)
    if not is_ours(token, "api", runtime.settings().token_keys):
        raise UnauthorizedError("the token is not valid")
    holder = tokens.find_holder(token_hash(token))
    if holder is None:
        raise UnauthorizedError("the token is not valid")
    return Caller(holder.tenant_id, holder.employee_id, Role[holder.role.upper()])


def _of_the_saas(token: str) -> Caller:
    # Imported when the first one comes: cryptography is slow to load.
    from hangtag.api.kernel import oidc

    found = oidc.identify(token)
    return Caller(found.tenant_id, found.employee_id, Role[found.role.upper()], found.subject)


def require(caller: Caller, role: Role) -> None:
    """Raises ForbiddenError if the caller's role does not reach as far as `role`."""
    if role is Role.ANYONE:
        return
    operators_own = role is Role.OPERATOR
    if (caller.role is Role.OPERATOR) != operators_own or caller.role < role:
        raise ForbiddenError("your role does not allow this")


def _is_operator(token: str) -> bool:
    expected = runtime.settings().operator_token
    if not expected:
        return False
    return hmac.compare_digest(_digest(token), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
