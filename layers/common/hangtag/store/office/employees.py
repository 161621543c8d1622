"""Employees. An extension or a phone number belongs to one employee, by claims written with the employee."""

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
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction
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
    """An employee's card. `role` is admin or employee; `created_at` is ISO 8601 in UTC.

    `deputy_id` is the employee who takes calls outside of the working hours; without hours an employee always works.
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
        """Return the employee as the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "role": self.role,
            "phones": [phone.to_json() for phone in self.phones],
            "extensions": [asdict(extension) for extension in self.extensions],
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
    """Create an employee. Raises ConflictError naming the holder of an extension or number."""
    employee_id, created_at = secrets.token_hex(8), iso(now())
    employee = Employee(employee_id, name, email, role, phones, extensions, created_at, working_hours, deputy_id)

    def attempt() -> Employee:
        with _claim_conflicts(employee.id), transaction() as write:
            for claim in _claims(tenant_id, employee).values():
                _take(write, claim, employee.id)
            write.save(_item(tenant_id, employee), condition=EmployeeItem.pk.does_not_exist())
        return employee

    return retry_contested(attempt)


def get_employee(tenant_id: str, employee_id: str) -> Employee:
    """Return an employee. Raises NotFoundError."""
    return _employee(_load(tenant_id, employee_id))


def exists(tenant_id: str, employee_id: str) -> bool:
    """Return True if an employee exists."""
    try:
        _load(tenant_id, employee_id)
    except NotFoundError:
        return False
    return True


def list_employees(tenant_id: str, limit: int, after: str | None) -> Page[Employee]:
    """Return the tenant's employees by id; `after` is a page's `next`."""
    return children(EmployeeItem, tenant_id, SK, limit, after).map(_employee)


def all_employees(tenant_id: str) -> Iterator[Employee]:
    """Yield all employees of a tenant, page by page."""
    after: str | None = None
    while True:
        page = list_employees(tenant_id, 100, after)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def by_extension(tenant_id: str, integration_id: str) -> dict[str, Employee]:
    """Return the employees by their extensions on an integration."""
    return {
        extension.extension: employee
        for employee in all_employees(tenant_id)
        for extension in employee.extensions
        if extension.integration_id == integration_id
    }


def update_employee(tenant_id: str, employee_id: str, changes: Mapping[str, Any]) -> Employee:
    """Change some fields; fields outside `changes` stay.

    Raises NotFoundError, and ConflictError naming the holder of an extension or number.
    """
    return retry_contested(lambda: _update(tenant_id, employee_id, changes))


def delete_employee(tenant_id: str, employee_id: str) -> None:
    """Delete an employee: extensions and numbers become free, tokens invalid. Raises NotFoundError.

    Contacts and tasks keep the deleted employee's id.
    """

    def attempt() -> None:
        item = _load(tenant_id, employee_id)
        with _claim_conflicts(employee_id), transaction() as write:
            for claim in _claims(tenant_id, _employee(item)).values():
                write.delete(claim)
            write.delete(item)

    retry_contested(attempt)


def _update(tenant_id: str, employee_id: str, changes: Mapping[str, Any]) -> Employee:
    item = _load(tenant_id, employee_id)
    before = _employee(item)
    after = replace(before, **changes)
    if after == before:
        return before
    old, new = _claims(tenant_id, before), _claims(tenant_id, after)
    fresh = _item(tenant_id, after)
    fresh.version = item.version
    with _claim_conflicts(employee_id), transaction() as write:
        for place in sorted(old.keys() - new.keys()):
            write.delete(old[place])
        for place in sorted(new.keys() if before.name != after.name else new.keys() - old.keys()):
            _take(write, new[place], employee_id)
        # PynamoDB adds the condition that the version is unchanged.
        write.save(fresh)
    return after


class _claim_conflicts:  # noqa: N801 -- reads as a statement
    """Context that turns a rejected claim into a conflict naming its holder; other rejections are lost races."""

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
    """Return all claims of an employee by their keys."""
    claims = {
        (
            key("T", tenant_id, "EXT", extension.integration_id, extension.extension),
            "EXT",
        ): f"extension {extension.extension}"
        for extension in employee.extensions
    }
    for e164 in numbers(employee.phones):
        claims[key("T", tenant_id, "PHONE", e164), SK] = f"number {e164}"
    return {
        place: EmployeeClaim(*place, employee_id=employee.id, name=employee.name, claimed=what)
        for place, what in claims.items()
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
        phones=tuple(Phone.from_json(body) for body in item.phones),
        extensions=tuple(Extension(**body) for body in item.extensions),
        created_at=item.created_at,
        working_hours=Hours.from_json(item.working_hours) if item.working_hours else None,
        deputy_id=item.deputy_id,
    )
