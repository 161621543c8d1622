"""API tokens. They are kept under their hashes; a pointer in the tenant's partition finds them again."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.transactions import TransactWrite

from hangtag.auth import make_token, token_hash
from hangtag.store.clock import iso, now
from hangtag.store.keys import key
from hangtag.store.models import ApiTokenItem, EmployeeItem, TokenPointer
from hangtag.store.transact import transaction

SK = "API"
TOKEN_LIVES = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token as it is shown, once. `expires_at` is UTC, None for never."""

    token: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token speaks for. `role` is owner, admin or employee; the owner's token has no employee."""

    tenant_id: str
    employee_id: str | None
    role: str


def add_token(
    write: TransactWrite,
    tenant_id: str,
    employee_id: str | None,
    role: str,
    token_keys: str,
    *,
    lives: timedelta | None,
) -> MadeToken:
    """Make a token as a part of a transaction."""
    token = make_token("api", token_keys)
    hashed = token_hash(token)
    made = now()
    expires = (made + lives).replace(microsecond=0) if lives else None
    made_at, until = iso(made), int(expires.timestamp()) if expires else None
    write.save(
        ApiTokenItem(
            key("TOKEN", hashed),
            SK,
            tenant_id=tenant_id,
            employee_id=employee_id,
            role=role,
            created_at=made_at,
            expires_at=until,
        )
    )
    write.save(
        TokenPointer(
            key("T", tenant_id),
            key("TOKEN", hashed),
            employee_id=employee_id,
            created_at=made_at,
            expires_at=until,
        )
    )
    return MadeToken(token, expires)


def create_token(tenant_id: str, employee_id: str, role: str, token_keys: str) -> MadeToken:
    """A token for an employee, good for a year."""
    with transaction() as write:
        return add_token(write, tenant_id, employee_id, role, token_keys, lives=TOKEN_LIVES)


def find_holder(hashed: str) -> Holder | None:
    """Whom the token with this hash speaks for; None if it is unknown, expired, or its employee is gone.

    The role is the employee's as it is now, not as it was when the token was made.
    """
    try:
        item = ApiTokenItem.get(key("TOKEN", hashed), SK, consistent_read=True)
    except ApiTokenItem.DoesNotExist:
        return None
    if item.expires_at is not None and item.expires_at <= time.time():
        return None
    if item.employee_id is None:
        return Holder(item.tenant_id, None, item.role)
    try:
        employee = EmployeeItem.get(key("T", item.tenant_id), key("EMPLOYEE", item.employee_id), consistent_read=True)
    except EmployeeItem.DoesNotExist:
        return None
    return Holder(item.tenant_id, item.employee_id, employee.role)
