"""Rules for the place of a tag. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags.conditions import Condition, Scalar, fits

Target = Literal["contact", "last_active_task", "last_task_matching", "new_task"]


class Why(StrEnum):
    """Reason for a tag's place; shown by the dry run."""

    MISSED_CALL = "missed_call"
    FROM_TASK = "from_task"
    CONTACT = "contact"
    NO_CONTACT = "no_contact"
    LAST_ACTIVE_TASK = "last_active_task"
    NO_ACTIVE_TASK = "no_active_task"
    MATCHING_TASK = "matching_task"
    NO_MATCHING_TASK = "no_matching_task"
    NEW_TASK = "new_task"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task as rules see it. `facts` holds title, status, assignee and the free fields."""

    id: str
    is_open: bool
    facts: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class AttachRule:
    """The tenant's rule for Calls. `hidden` shows them to admins and a task's members only.

    `conditions` and `logic` belong to last_task_matching; `if_none` applies when no task meets them.
    """

    to: Target = "contact"
    hidden: bool = False
    conditions: tuple[Condition, ...] = ()
    logic: str | None = None
    if_none: Literal["contact", "create_task"] = "contact"

    @property
    def needs_tasks(self) -> bool:
        """True if the rule depends on the contact's tasks."""
        return self.to in ("last_active_task", "last_task_matching")

    def accepts(self, task: TaskFacts) -> bool:
        """Return True if a Call can go to this task. Raises LogicError."""
        return task.is_open if self.to == "last_active_task" else fits(task.facts, self.conditions, self.logic)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Place of one tag. `new_task`: on a task that does not exist yet."""

    contact_id: str | None
    task_id: str | None
    hidden: bool
    new_task: bool = False
    why: Why = Why.CONTACT


def attach(
    tag_type: TagType,
    rule: AttachRule,
    contact_id: str | None,
    tasks: Iterable[TaskFacts] = (),
    from_task: str | None = None,
) -> Attachment:
    """Return the place of a tag. `tasks` are the contact's, newest first; `from_task` is where the call began.

    A Missed Call stands on the contact, visibly, and on the task that the call was started from. A call started from a
    task goes to that task regardless of the rule. Raises LogicError.
    """
    if tag_type is TagType.MISSED_CALL:
        return Attachment(contact_id, from_task, False, False, Why.MISSED_CALL)
    task_id, new_task, why = _place(rule, contact_id, tasks, from_task)
    return Attachment(contact_id, task_id, rule.hidden, new_task, why)


def _place(
    rule: AttachRule, contact_id: str | None, tasks: Iterable[TaskFacts], from_task: str | None
) -> tuple[str | None, bool, Why]:
    """Return the task, True if it has to be created, and the reason."""
    if from_task is not None:
        return from_task, False, Why.FROM_TASK
    if rule.to == "new_task":
        return None, True, Why.NEW_TASK
    if rule.to == "contact":
        return None, False, Why.CONTACT
    if contact_id is None:
        return None, False, Why.NO_CONTACT
    return _last_task(rule, tasks)


def _last_task(rule: AttachRule, tasks: Iterable[TaskFacts]) -> tuple[str | None, bool, Why]:
    task_id = next((task.id for task in tasks if rule.accepts(task)), None)
    if rule.to == "last_active_task":
        return task_id, False, Why.LAST_ACTIVE_TASK if task_id else Why.NO_ACTIVE_TASK
    if task_id is not None:
        return task_id, False, Why.MATCHING_TASK
    return None, rule.if_none == "create_task", Why.NO_MATCHING_TASK
