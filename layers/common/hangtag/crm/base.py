"""What a CRM is to Hangtag: the few verbs that calls and the call window need.

Every tenant has the built-in CRM, which is this API's own contacts and tasks. One with a CRM outside asks that one too,
where its own knows nothing, and tells it everything through the outbox.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from hangtag.crm import builtin, lookup
from hangtag.phone import normalise
from hangtag.settings import ConditionRow
from hangtag.store import crm, outbox, tasks
from hangtag.store.people import Typed
from hangtag.store.tasks import Task
from hangtag.store.tenants import get_tenant
from hangtag.tags.conditions import Condition, fits

__all__ = ["Crm", "KnownContact", "KnownTask", "for_tenant"]

# To be written with what it belongs to: TransactItems of the low-level client.
Writes = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContact:
    """A contact as far as a call needs it. `id` is None for one that only the outside CRM has.

    `external_id` and `supervisor_external` are that CRM's ids of the contact and of the employee responsible.
    """

    id: str | None
    name: str
    supervisor_id: str | None = None
    external_id: str | None = None
    supervisor_external: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTask:
    """A task as far as a call needs it. `id` is None for one that only the outside CRM has."""

    id: str | None
    title: str
    external_id: str | None = None


class Crm(Protocol):
    """One tenant's CRM. Everything raises botocore's errors; nothing raises for a CRM outside."""

    def find_by_phone(self, number: str) -> KnownContact | None:
        """Who has exactly this number (any format)."""

    def create_contact(self, name: str, phones: Iterable[Typed], supervisor_id: str | None) -> KnownContact:
        """A new contact. Raises BadInputError, ConflictError."""

    def last_task(
        self, contact: KnownContact, conditions: Sequence[ConditionRow], logic: str | None
    ) -> KnownTask | None:
        """The contact's most recently created open task that meets the conditions. Raises LogicError."""

    def create_task(self, task: Task) -> Writes:
        """What makes a task, to be written with what it is made for."""

    def put_tag(self, tag_id: str, revision: int, said: Mapping[str, Any], now: datetime) -> Writes:
        """What tells of a tag's revision, to be written with it."""

    def comment(self, comment_id: str, said: Mapping[str, Any], now: datetime) -> Writes:
        """What tells of a comment, to be written with it."""


def for_tenant(tenant_id: str) -> Crm:
    """The tenant's CRM; which it is, is remembered for a minute. Raises botocore's errors."""
    return _Outside(tenant_id) if crm.load(tenant_id) is not None else _Builtin(tenant_id)


@dataclass(frozen=True, slots=True)
class _Builtin:
    """The API's own contacts and tasks."""

    tenant_id: str

    def find_by_phone(self, number: str) -> KnownContact | None:
        found = builtin.find_by_phone(self.tenant_id, number)
        if found is None:
            return None
        return KnownContact(id=found.id, name=found.name, supervisor_id=found.supervisor_id)

    def create_contact(self, name: str, phones: Iterable[Typed], supervisor_id: str | None) -> KnownContact:
        made = builtin.create_contact(self.tenant_id, name, phones, supervisor_id)
        return KnownContact(id=made.id, name=made.name, supervisor_id=made.supervisor_id)

    def last_task(
        self, contact: KnownContact, conditions: Sequence[ConditionRow], logic: str | None
    ) -> KnownTask | None:
        if contact.id is None:
            return None
        rows = [Condition(row.field, "=" if row.op == "=" else "≠", row.value) for row in conditions]
        for task in tasks.of_contact(self.tenant_id, contact.id, only_open=True):
            if fits(_facts(task), rows, logic):
                return KnownTask(id=task.id, title=task.title)
        return None

    def create_task(self, task: Task) -> Writes:
        return tasks.puts(self.tenant_id, task)

    def put_tag(self, tag_id: str, revision: int, said: Mapping[str, Any], now: datetime) -> Writes:
        return outbox.puts(self.tenant_id, "tag", tag_id, revision, said, now)

    def comment(self, comment_id: str, said: Mapping[str, Any], now: datetime) -> Writes:
        return outbox.puts(self.tenant_id, "comment", comment_id, 1, said, now)


@dataclass(frozen=True, slots=True)
class _Outside(_Builtin):
    """The same, with a CRM outside that is asked for what is not known here."""

    def find_by_phone(self, number: str) -> KnownContact | None:
        here = _Builtin.find_by_phone(self, number)
        if here is not None:
            return here
        readable = normalise(number, get_tenant(self.tenant_id).country)
        there = lookup.find_contact(self.tenant_id, readable.e164) if readable else None
        if there is None:
            return None
        return KnownContact(
            id=None,
            name=there.name,
            external_id=there.external_id,
            supervisor_external=there.supervisor_external,
        )

    def last_task(
        self, contact: KnownContact, conditions: Sequence[ConditionRow], logic: str | None
    ) -> KnownTask | None:
        here = _Builtin.last_task(self, contact, conditions, logic)
        if here is not None or contact.external_id is None:
            return here
        there = lookup.last_task(self.tenant_id, contact.external_id, conditions, logic)
        return KnownTask(id=None, title=there.title, external_id=there.external_id) if there else None


def _facts(task: Task) -> dict[str, Any]:
    """A task as conditions look at it. A free field never hides title, status or assignee."""
    free = {held.name: held.value for held in task.fields}
    return {**free, "title": task.title, "status": task.status, "assignee": task.assignee_id}
