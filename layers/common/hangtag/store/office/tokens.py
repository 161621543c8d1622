"""API tokens. They are kept under their hashes; a pointer in the tenant's partition finds them again."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.transactions import TransactWrite

from hangtag.auth import make_token, token_hash
from hangtag.errors import NotFoundError
from hangtag.store.db import audit
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import ApiTokenItem, EmployeeItem, TokenPointer
from hangtag.store.db.paging import Page, children
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, persistently, transaction

SK = "API"
WORD = "TOKEN"
TOKEN_LIVES = timedelta(days=365)
# So many characters of a token's hash are its id: they name it, and find nothing by themselves.
ID_LENGTH = 32
# Sorts after every character of a hash.
_END = "~"


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token as it is shown, once. `expires_at` is UTC, None for never."""

    token: str
    expires_at: datetime | None

    @property
    def id(self) -> str:
        """By what it is listed and revoked."""
        return token_hash(self.token)[:ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Token:
    """What is shown of a token later. Times are ISO 8601 in UTC; `employee_id` is None for the owner's."""

    id: str
    employee_id: str | None
    created_at: str
    expires_at: str | None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


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
            key(WORD, hashed),
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
            key(WORD, hashed),
            employee_id=employee_id,
            created_at=made_at,
            expires_at=until,
        )
    )
    return MadeToken(token, expires)


def create_token(
    tenant_id: str, employee_id: str, role: str, token_keys: str, who: str, lives: timedelta = TOKEN_LIVES
) -> MadeToken:
    """A token for an employee. `who` is written into the audit list."""
    with transaction() as write:
        made = add_token(write, tenant_id, employee_id, role, token_keys, lives=lives)
        write.save(audit.entry(tenant_id, who, "token.created", made.id))
    return made


def replace_owner_token(tenant_id: str, token_keys: str, who: str) -> MadeToken:
    """A new owner's token; those before it die at once. Raises ConflictError while others do the same."""

    def attempt() -> MadeToken:
        try:
            with transaction() as write:
                for pointer in _owners(tenant_id):
                    _remove(write, pointer)
                made = add_token(write, tenant_id, None, "owner", token_keys, lives=None)
                write.save(audit.entry(tenant_id, who, "token.owner_replaced", made.id))
        except TransactionRejectedError as error:
            raise ContestedError from error
        return made

    return persistently(attempt)


def list_tokens(tenant_id: str, limit: int, after: str | None) -> Page[Token]:
    """The tenant's tokens that have not expired, by id; `after` is a page's `next`. A page may be short."""
    page = children(TokenPointer, tenant_id, WORD, limit, after + _END if after is not None else None)
    shown = tuple(_token(item) for item in page.items if not _is_over(item.expires_at))
    return Page(shown, page.next[:ID_LENGTH] if page.next is not None else None)


def get_token(tenant_id: str, token_id: str) -> Token:
    """Raises NotFoundError."""
    return _token(_pointer(tenant_id, token_id))


def revoke_token(tenant_id: str, token_id: str, who: str) -> None:
    """End a token at once. Raises NotFoundError."""

    def attempt() -> None:
        pointer = _pointer(tenant_id, token_id)
        try:
            with transaction() as write:
                _remove(write, pointer)
                write.save(audit.entry(tenant_id, who, "token.revoked", token_id))
        except TransactionRejectedError as error:
            # Somebody else revoked it meanwhile.
            raise NotFoundError("No such token.") from error

    persistently(attempt)


def find_holder(hashed: str) -> Holder | None:
    """Whom the token with this hash speaks for; None if it is unknown, expired, or its employee is gone.

    The role is the employee's as it is now, not as it was when the token was made.
    """
    try:
        item = ApiTokenItem.get(key(WORD, hashed), SK, consistent_read=True)
    except ApiTokenItem.DoesNotExist:
        return None
    if _is_over(item.expires_at):
        return None
    if item.employee_id is None:
        return Holder(item.tenant_id, None, item.role)
    try:
        employee = EmployeeItem.get(key("T", item.tenant_id), key("EMPLOYEE", item.employee_id), consistent_read=True)
    except EmployeeItem.DoesNotExist:
        return None
    return Holder(item.tenant_id, item.employee_id, employee.role)


def _owners(tenant_id: str) -> Iterator[TokenPointer]:
    found = TokenPointer.query(key("T", tenant_id), TokenPointer.sk.startswith(key(WORD, "")), consistent_read=True)
    return (pointer for pointer in found if pointer.employee_id is None)


def _pointer(tenant_id: str, token_id: str) -> TokenPointer:
    own, prefix = key("T", tenant_id), key(WORD, token_id)
    # Shorter ones would name any of several.
    if len(token_id) == ID_LENGTH:
        for pointer in TokenPointer.query(own, TokenPointer.sk.startswith(prefix), limit=1, consistent_read=True):
            return pointer
    raise NotFoundError("No such token.")


def _remove(write: TransactWrite, pointer: TokenPointer) -> None:
    # The token itself may have expired before its pointer.
    write.delete(ApiTokenItem(pointer.sk, SK))
    write.delete(pointer, condition=TokenPointer.pk.exists())


def _token(item: TokenPointer) -> Token:
    until = iso(datetime.fromtimestamp(item.expires_at, UTC)) if item.expires_at is not None else None
    return Token(_hash(item)[:ID_LENGTH], item.employee_id, item.created_at, until)


def _hash(item: TokenPointer) -> str:
    hashed: str = item.sk.removeprefix(key(WORD, ""))
    return hashed


def _is_over(expires_at: float | None) -> bool:
    return expires_at is not None and expires_at <= time.time()
