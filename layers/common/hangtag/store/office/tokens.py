"""API tokens, stored under their hashes; a pointer in the tenant's partition lists them."""

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
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction

SK = "API"
WORD = "TOKEN"
TOKEN_LIVES = timedelta(days=365)
# Length of a token's id, the beginning of its hash: it identifies the token but does not authenticate.
ID_LENGTH = 32
# Sorts after every character of a hash.
_END = "~"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token, shown once. `expires_at` is UTC, None for never."""

    token: str
    expires_at: datetime | None

    @property
    def id(self) -> str:
        """Id for listing and revoking."""
        return token_hash(self.token)[:ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Token:
    """A listed token. Times are ISO 8601 in UTC; `employee_id` is None for the owner's."""

    id: str
    employee_id: str | None
    created_at: str
    expires_at: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the token as the API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Holder:
    """Identity of a token. `role` is owner, admin or employee; the owner's token has no employee."""

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
) -> NewToken:
    """Create a token as a part of a transaction."""
    token = make_token("api", token_keys)
    hashed = token_hash(token)
    created = now()
    expires = (created + lives).replace(microsecond=0) if lives else None
    made_at, until = iso(created), int(expires.timestamp()) if expires else None
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
    return NewToken(token, expires)


def create_token(
    tenant_id: str, employee_id: str, role: str, token_keys: str, who: str, lives: timedelta = TOKEN_LIVES
) -> NewToken:
    """Create a token for an employee. `who` is written into the audit list."""
    with transaction() as write:
        token = add_token(write, tenant_id, employee_id, role, token_keys, lives=lives)
        write.save(audit.entry(tenant_id, who, "token.created", token.id))
    return token


def replace_owner_token(tenant_id: str, token_keys: str, who: str) -> NewToken:
    """Create a new owner's token; earlier ones end at once. Raises ConflictError for concurrent replacements."""

    def attempt() -> NewToken:
        try:
            with transaction() as write:
                for pointer in _owners(tenant_id):
                    _remove(write, pointer)
                token = add_token(write, tenant_id, None, "owner", token_keys, lives=None)
                write.save(audit.entry(tenant_id, who, "token.owner_replaced", token.id))
        except TransactionRejectedError as error:
            raise ContestedError from error
        return token

    return retry_contested(attempt)


def list_tokens(tenant_id: str, limit: int, after: str | None) -> Page[Token]:
    """Return the tenant's unexpired tokens by id; `after` is a page's `next`. A page can be short."""
    page = children(TokenPointer, tenant_id, WORD, limit, after + _END if after is not None else None)
    tokens = tuple(_token(item) for item in page.items if not _is_over(item.expires_at))
    return Page(tokens, page.next[:ID_LENGTH] if page.next is not None else None)


def get_token(tenant_id: str, token_id: str) -> Token:
    """Return a token. Raises NotFoundError."""
    return _token(_pointer(tenant_id, token_id))


def revoke_token(tenant_id: str, token_id: str, who: str) -> None:
    """Revoke a token at once. Raises NotFoundError."""

    def attempt() -> None:
        pointer = _pointer(tenant_id, token_id)
        try:
            with transaction() as write:
                _remove(write, pointer)
                write.save(audit.entry(tenant_id, who, "token.revoked", token_id))
        except TransactionRejectedError as error:
            # Another request has revoked it.
            raise NotFoundError("No such token.") from error

    retry_contested(attempt)


def find_holder(hashed: str) -> Holder | None:
    """Return the identity of a token's hash; None if it is unknown, expired, or its employee was deleted.

    The role is the employee's current one, not the one at the token's creation.
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
    pointers = TokenPointer.query(key("T", tenant_id), TokenPointer.sk.startswith(key(WORD, "")), consistent_read=True)
    return (pointer for pointer in pointers if pointer.employee_id is None)


def _pointer(tenant_id: str, token_id: str) -> TokenPointer:
    own, prefix = key("T", tenant_id), key(WORD, token_id)
    # Shorter ones are ambiguous.
    if len(token_id) == ID_LENGTH:
        for pointer in TokenPointer.query(own, TokenPointer.sk.startswith(prefix), limit=1, consistent_read=True):
            return pointer
    raise NotFoundError("No such token.")


def _remove(write: TransactWrite, pointer: TokenPointer) -> None:
    # The token itself can have expired before its pointer.
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
