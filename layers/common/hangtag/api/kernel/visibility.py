"""Visibility of calls, tags and missed calls for a caller.

Administrators see everything. Hidden items are visible to them and to the members of the item's task. With the rule
`visibility.calls = own` employees see their own calls, calls of contacts that they supervise, and calls on their tasks.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hangtag.api.kernel.caller import Caller, Role
from hangtag.errors import NotFoundError
from hangtag.store.office import contacts, groups, settings, tasks

__all__ = ["Visibility"]


class Visibility:
    """Visibility for one caller during one request; lookups are cached."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._on_task: dict[str, bool] = {}
        self._supervised: dict[str, bool] = {}

    def may_see(self, body: Mapping[str, Any]) -> bool:
        """Return True if the caller can see a call or a tag, given as JSON."""
        if self._caller.role >= Role.ADMIN:
            return True
        task_id, contact_id = body.get("task_id"), body.get("contact_id")
        on_task = task_id is not None and self._is_on_task(task_id)
        if body.get("hidden") and not on_task:
            return False
        if on_task or not self._only_own or self._caller.employee_id in body.get("employee_ids", ()):
            return True
        return contact_id is not None and self._supervises(contact_id)

    def may_see_missed(self, body: Mapping[str, Any]) -> bool:
        """Return True if the caller can see a missed call, given as JSON."""
        mine = {*body["rung"], *body["recipients"]}
        return self._caller.employee_id in mine or self.may_see({**body, "employee_ids": ()})

    @cached_property
    def _only_own(self) -> bool:
        rules = settings.load_settings(self._caller.tenant_id)
        return rules.visibility.calls == "own"

    def _is_on_task(self, task_id: str) -> bool:
        if task_id not in self._on_task:
            try:
                people = tasks.get_task(self._caller.tenant_id, task_id).people
            except NotFoundError:
                people = frozenset()
            self._on_task[task_id] = self._caller.employee_id in people
        return self._on_task[task_id]

    def _supervises(self, contact_id: str) -> bool:
        if contact_id not in self._supervised:
            self._supervised[contact_id] = self._caller.employee_id in self._supervisors(contact_id)
        return self._supervised[contact_id]

    def _supervisors(self, contact_id: str) -> tuple[str, ...]:
        try:
            supervisor = contacts.get_contact(self._caller.tenant_id, contact_id).supervisor_id
        except NotFoundError:
            return ()
        return groups.members(self._caller.tenant_id, supervisor) if supervisor is not None else ()
