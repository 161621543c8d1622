"""Groups of employees. A group can supervise a contact, like an employee."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pynamodb.attributes import JSONAttribute, UnicodeAttribute, VersionAttribute

from hangtag.errors import ConflictError, NotFoundError
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import Entry
from hangtag.store.db.paging import Page, children
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction
from hangtag.store.office import employees

SK = "GROUP"
MAX_MEMBERS = 50


class GroupItem(Entry):
    """Item key("T", tenant) / key("GROUP", id)."""

    kind = UnicodeAttribute(default="group")
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    employee_ids: JSONAttribute = JSONAttribute()
    created_at = UnicodeAttribute()
    version = VersionAttribute()


@dataclass(frozen=True, slots=True)
class Group:
    """A group; `created_at` is ISO 8601 in UTC."""

    id: str
    name: str
    employee_ids: tuple[str, ...]
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """Return the group as the API shows it."""
        return {**asdict(self), "employee_ids": list(self.employee_ids)}


def create_group(tenant_id: str, name: str, employee_ids: tuple[str, ...]) -> Group:
    """Create a group."""
    group = Group(secrets.token_hex(8), name, employee_ids, iso(now()))
    _item(tenant_id, group).save()
    return group


def get_group(tenant_id: str, group_id: str) -> Group:
    """Return a group. Raises NotFoundError."""
    return _group(_load(tenant_id, group_id))


def list_groups(tenant_id: str, limit: int, after: str | None) -> Page[Group]:
    """Return the tenant's groups by id; `after` is a page's `next`."""
    return children(GroupItem, tenant_id, SK, limit, after).map(_group)


def update_group(tenant_id: str, group_id: str, changes: Mapping[str, Any]) -> Group:
    """Change some fields; fields outside `changes` stay. Raises NotFoundError, ConflictError."""

    def attempt() -> Group:
        item = _load(tenant_id, group_id)
        after = replace(_group(item), **changes)
        fresh = _item(tenant_id, after)
        fresh.version = item.version
        try:
            with transaction() as write:
                # PynamoDB adds the condition that the version is unchanged.
                write.save(fresh)
        except TransactionRejectedError as error:
            raise ContestedError from error
        return after

    return retry_contested(attempt)


def delete_group(tenant_id: str, group_id: str) -> None:
    """Delete a group, which leaves its contacts without a supervisor. Raises NotFoundError, ConflictError."""
    item = _load(tenant_id, group_id)
    try:
        with transaction() as write:
            write.delete(item)
    except TransactionRejectedError as lost:
        raise ConflictError("The group was changed by another request at the same time. Try again.") from lost


def is_supervisor(tenant_id: str, supervisor_id: str) -> bool:
    """Return True if an id belongs to an existing employee or group."""
    return _find(tenant_id, supervisor_id) is not None or employees.exists(tenant_id, supervisor_id)


def members(tenant_id: str, supervisor_id: str) -> tuple[str, ...]:
    """Return the employees behind a supervisor: a group's members, or the employee; empty for an unknown id."""
    group = _find(tenant_id, supervisor_id)
    if group is not None:
        return tuple(group.employee_ids)
    return (supervisor_id,) if employees.exists(tenant_id, supervisor_id) else ()


def _find(tenant_id: str, group_id: str) -> GroupItem | None:
    try:
        return GroupItem.get(key("T", tenant_id), key(SK, group_id), consistent_read=True)
    except GroupItem.DoesNotExist:
        return None


def _load(tenant_id: str, group_id: str) -> GroupItem:
    group = _find(tenant_id, group_id)
    if group is None:
        raise NotFoundError("No such group.")
    return group


def _item(tenant_id: str, group: Group) -> GroupItem:
    return GroupItem(key("T", tenant_id), key(SK, group.id), **group.to_json())


def _group(item: GroupItem) -> Group:
    return Group(item.id, item.name, tuple(item.employee_ids), item.created_at)
