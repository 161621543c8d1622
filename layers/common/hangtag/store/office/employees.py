"""Employees. An extension, and a phone number, belongs to one employee, by claims written with the employee."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pynamodb.transactions import TransactWrite

from hangtag.errors import ConflictError, ErrorCode, NotFoundError
from hangtag.hours import Hours
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import EmployeeClaim, EmployeeItem
from hangtag.store.db.paging import Page, children
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, persistently, transaction
from hangtag.store.office.phones import Phone, numbers

SK = "EMPLOYEE"
MAX_PHONES = 10
MAX_EXTENSIONS = 30


@dataclass(frozen=True, slots=True)
class Extension:
    """A short number at one of the tenant's PBXs."""

    integration_id: str
    extension: str


@dataclass(frozen=True, slots=True)
class Employee:
    """An employee's card. `role` is admin or employee; `created_at` ISO 8601 in UTC.

    `deputy_id` is who takes calls outside of the working hours; without hours somebody always works.
    """

    id: str
    name: str
    email: str | None
    role: str
    phones: tuple[Phone, ...]
    extensions: tuple[Extension, ...]
    created_at: str
    working_hours: Hours | None = None
    deputy_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "role": self.role,
            "phones": [phone.to_json() for phone in self.phones],
            "extensions": [asdict(held) for held in self.extensions],
            "working_hours": self.working_hours.to_json() if self.working_hours else None,
            "deputy_id": self.deputy_id,
            "created_at": self.created_at,
        }


def create_employee(
    tenant_id: str,
    *,
    name: str,
    email: str | None,
    role: str,
    phones: tuple[Phone, ...],
    extensions: tuple[Extension, ...],
    working_hours: Hours | None = None,
    deputy_id: str | None = None,
) -> Employee:
    """A new employee. Raises ConflictError naming who has one of the extensions or numbers."""
    made_id, made_at = secrets.token_hex(8), iso(now())
    made = Employee(made_id, name, email, role, phones, extensions, made_at, working_hours, deputy_id)

    def attempt() -> Employee:
        with _claims_told(made.id), transaction() as write:
            for claim in _claims(tenant_id, made).values():
                _take(write, claim, made.id)
            write.save(_item(tenant_id, made), condition=EmployeeItem.pk.does_not_exist())
        return made

    return persistently(attempt)


def get_employee(tenant_id: str, employee_id: str) -> Employee:
    """Raises NotFoundError."""
    return _employee(_load(tenant_id, employee_id))


def exists(tenant_id: str, employee_id: str) -> bool:
    """Whether there is such an employee."""
    try:
        _load(tenant_id, employee_id)
    except NotFoundError:
        return False
    return True


def list_employees(tenant_id: str, limit: int, after: str | None) -> Page[Employee]:
    """The tenant's employees by id; `after` is a page's `next`."""
    return children(EmployeeItem, tenant_id, SK, limit, after).map(_employee)


def everybody(tenant_id: str) -> Iterator[Employee]:
    """All employees of a tenant, page by page."""
    after: str | None = None
    while True:
        page = list_employees(tenant_id, 100, after)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def by_extension(tenant_id: str, integration_id: str) -> dict[str, Employee]:
    """The employees by the extensions that they have on an integration."""
    return {
        held.extension: employee
        for employee in everybody(tenant_id)
        for held in employee.extensions
        if held.integration_id == integration_id
    }


def update_employee(tenant_id: str, employee_id: str, changes: Mapping[str, Any]) -> Employee:
    """Change some fields; what is not in `changes` stays.

    Raises NotFoundError, and ConflictError naming who has one of the extensions or numbers.
    """
    return persistently(lambda: _update(tenant_id, employee_id, changes))


def delete_employee(tenant_id: str, employee_id: str) -> None:
    """Delete an employee: extensions and numbers are free, tokens are worth nothing. Raises NotFoundError.

    Contacts and tasks keep the id of who they were with; nobody is behind it any more.
    """

    def attempt() -> None:
        item = _load(tenant_id, employee_id)
        with _claims_told(employee_id), transaction() as write:
            for claim in _claims(tenant_id, _employee(item)).values():
                write.delete(claim)
            write.delete(item)

    persistently(attempt)


def _update(tenant_id: str, employee_id: str, changes: Mapping[str, Any]) -> Employee:
    item = _load(tenant_id, employee_id)
    before = _employee(item)
    after = replace(before, **changes)
    if after == before:
        return before
    old, new = _claims(tenant_id, before), _claims(tenant_id, after)
    fresh = _item(tenant_id, after)
    fresh.version = item.version
    with _claims_told(employee_id), transaction() as write:
        for place in sorted(old.keys() - new.keys()):
            write.delete(old[place])
        for place in sorted(new.keys() if before.name != after.name else new.keys() - old.keys()):
            _take(write, new[place], employee_id)
        # PynamoDB adds the condition that nobody saved another version meanwhile.
        write.save(fresh)
    return after


class _claims_told:  # noqa: N801 -- reads as a statement
    """Turns a refused claim into a conflict that names its holder; any other refusal is a lost race."""

    def __init__(self, employee_id: str) -> None:
        self._employee_id = employee_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, TransactionRejectedError):
            return
        for item in error.items:
            holder = item.get("employee_id", {}).get("S", self._employee_id)
            if holder != self._employee_id:
                claimed = item["claimed"]["S"]
                code = ErrorCode.EXTENSION_TAKEN if claimed.startswith("extension") else ErrorCode.PHONE_TAKEN
                message = f'The {claimed} belongs to "{item["name"]["S"]}" ({holder}).'
                raise ConflictError(message, code=code) from error
        raise ContestedError from error


def _take(write: TransactWrite, claim: EmployeeClaim, employee_id: str) -> None:
    write.save(
        claim,
        condition=EmployeeClaim.pk.does_not_exist() | (EmployeeClaim.employee_id == employee_id),
        return_values="ALL_OLD",
    )


def _claims(tenant_id: str, employee: Employee) -> dict[tuple[str, str], EmployeeClaim]:
    """All that an employee claims, by the claims' keys."""
    wanted = {
        (
            key("T", tenant_id, "EXT", held.integration_id, held.extension),
            "EXT",
        ): f"extension {held.extension}"
        for held in employee.extensions
    }
    for e164 in numbers(employee.phones):
        wanted[key("T", tenant_id, "PHONE", e164), SK] = f"number {e164}"
    return {
        place: EmployeeClaim(*place, employee_id=employee.id, name=employee.name, claimed=what)
        for place, what in wanted.items()
    }


def _load(tenant_id: str, employee_id: str) -> EmployeeItem:
    try:
        return EmployeeItem.get(key("T", tenant_id), key(SK, employee_id), consistent_read=True)
    except EmployeeItem.DoesNotExist:
        raise NotFoundError("No such employee.") from None


def _item(tenant_id: str, employee: Employee) -> EmployeeItem:
    return EmployeeItem(key("T", tenant_id), key(SK, employee.id), **employee.to_json())


def _employee(item: EmployeeItem) -> Employee:
    return Employee(
        id=item.id,
        name=item.name,
        email=item.email,
        role=item.role,
        phones=tuple(Phone.from_json(said) for said in item.phones),
        extensions=tuple(Extension(**said) for said in item.extensions),
        created_at=item.created_at,
        working_hours=Hours.from_json(item.working_hours) if item.working_hours else None,
        deputy_id=item.deputy_id,
    )
