"""`plan_tag`: the whole decision about the tag of one closed call. Pure.

The facts are read beforehand and the plan is written afterwards, so every rule about tags can be tested as a table of
cases, without a database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hangtag.domain.calls.classify import TagType, Verdict
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags.attach import Attachment, AttachRule, TaskFacts, Why, attach
from hangtag.domain.tags.definition import Definition, standard
from hangtag.domain.tags.schema import Person, Setting, Tag, build_tag

__all__ = [
    "NO_TASK",
    "Parties",
    "PlacementFacts",
    "TagFacts",
    "TagPlace",
    "TagPlan",
    "TaskWrite",
    "choose",
    "plan_tag",
    "stays",
]

# The contact has no such task in Hangtag; an external CRM can have one.
NO_TASK = (Why.NO_ACTIVE_TASK, Why.NO_MATCHING_TASK)


@dataclass(frozen=True, slots=True)
class TagPlace:
    """Place of a Call since its first revision. Later revisions stay there."""

    task_id: str | None
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """People, number and line of one call.

    `employees` holds every extension that was looked up, unmapped ones with None. `own_line`: the other party's number
    is one of the tenant's lines. `line` is the line whose name was looked up; None if it was not known.
    """

    employees: Mapping[str, Person | None] = field(default_factory=dict)
    number: str | None = None
    readable: bool = False
    own_line: bool = False
    external_is_employee: bool = False
    contact: Person | None = None
    supervisor_id: str | None = None
    line: str | None = None
    line_name: str | None = None

    @property
    def mapped(self) -> frozenset[str]:
        """Extensions that belong to an employee."""
        return frozenset(name for name, person in self.employees.items() if person is not None)

    @property
    def e164(self) -> str:
        """The other party's number in E.164, or an empty string if it is withheld or unreadable."""
        return self.number if self.readable and self.number else ""

    @property
    def fillable(self) -> bool:
        """True while a contact can still be added for the number."""
        return self.contact is None and self.readable and not self.own_line

    def person_of(self, extension: str | None) -> Person | None:
        """Return the employee of an extension."""
        return self.employees.get(extension or "")

    def people_of(self, call: Call) -> tuple[str, ...]:
        """Return the ids of the employees whose phones took part, each once, in the order of ringing."""
        people = (self.person_of(extension) for extension in call.extensions)
        return tuple(dict.fromkeys(person.id for person in people if person is not None))

    def first_person(self, call: Call) -> Person | None:
        """Return the employee who answered, or the first one whose phone rang."""
        people = (self.person_of(extension) for extension in (call.answered_by, *call.extensions))
        return next((person for person in people if person is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementFacts:
    """Facts about the place of a tag.

    `from_task` is the task that the call was started from or assigned to, `from_task_exists` is false once it was
    deleted. `task` is the newest task of the contact that the rule accepts. `outside_task_id` is the id here of the
    contact's task in an external CRM, read only without a `task`. `new_task_id` is the id of a task created for
    this call.
    """

    from_task: str | None = None
    from_task_exists: bool = False
    task: TaskFacts | None = None
    outside_task_id: str | None = None
    new_task_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """Facts of one emission. `notified`: the employees were notified of the missed call by an earlier revision."""

    verdict: Verdict
    parties: Parties
    rule: AttachRule = field(default_factory=AttachRule)
    placed: TagPlace | None = None
    placement: PlacementFacts = field(default_factory=PlacementFacts)
    definitions: Mapping[TagType, Definition] = field(default_factory=dict)
    time_zone: str = "UTC"
    notified: bool = False


class TaskWrite(StrEnum):
    """Task that is written with a tag."""

    NONE = "none"
    FROM_TEMPLATE = "from_template"
    FROM_OUTSIDE = "from_outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPlan:
    """Decision about one call. `tag` is None for a skipped call, with the reason in the verdict.

    `awaits` is the number whose contact is added to the tag once it is known. `returns_missed_calls`: there was a
    conversation with the number, so its missed calls count as returned. `is_queued`: the call joins the queue of missed
    calls.
    """

    tag: Tag | None = None
    placed: TagPlace | None = None
    task: TaskWrite = TaskWrite.NONE
    awaits: str | None = None
    returns_missed_calls: bool = False
    is_queued: bool = False
    notify: bool = False


def plan_tag(call: Call, facts: TagFacts) -> TagPlan:
    """Plan a closed call's tag, its place, and the items that are written with it. Raises LogicError."""
    if facts.verdict.tag is None:
        return TagPlan(placed=facts.placed)
    attachment, task = _attachment(facts)
    is_call = facts.verdict.tag is TagType.CALL
    tag = build_tag(call, facts.verdict, _setting(call, facts, facts.verdict.tag), attachment)
    is_queued = not is_call and tag.direction is Direction.IN
    return TagPlan(
        tag=tag,
        placed=TagPlace(attachment.task_id, attachment.hidden) if is_call else facts.placed,
        task=task,
        awaits=facts.parties.number if facts.parties.fillable else None,
        returns_missed_calls=is_call and bool(facts.parties.e164),
        is_queued=is_queued,
        notify=is_queued and not facts.notified,
    )


def stays(facts: TagFacts) -> bool:
    """Return True for a Call that keeps its place: it has one, and no other task was chosen since."""
    placed = facts.placed
    if facts.verdict.tag is not TagType.CALL or placed is None:
        return False
    return facts.placement.from_task in (None, placed.task_id)


def choose(facts: TagFacts) -> Attachment:
    """Apply the tenant's rule; a task that must be created has no id yet. Raises ValueError for a skipped call."""
    if facts.verdict.tag is None:
        raise ValueError("a skipped call has no tag")
    placement = facts.placement
    # A task that was deleted during the call leaves the choice to the rule.
    from_task = placement.from_task if placement.from_task_exists else None
    tasks = (placement.task,) if placement.task is not None else ()
    contact = facts.parties.contact
    return attach(facts.verdict.tag, facts.rule, contact.id if contact else None, tasks, from_task)


def _attachment(facts: TagFacts) -> tuple[Attachment, TaskWrite]:
    contact = facts.parties.contact
    if stays(facts) and facts.placed is not None:
        return Attachment(contact.id if contact else None, facts.placed.task_id, facts.placed.hidden), TaskWrite.NONE
    attachment = choose(facts)
    if attachment.why in NO_TASK and facts.placement.outside_task_id is not None:
        return replace(attachment, task_id=facts.placement.outside_task_id, new_task=False), TaskWrite.FROM_OUTSIDE
    if attachment.new_task:
        return replace(attachment, task_id=facts.placement.new_task_id), TaskWrite.FROM_TEMPLATE
    return attachment, TaskWrite.NONE


def _setting(call: Call, facts: TagFacts, tag_type: TagType) -> Setting:
    parties = facts.parties
    return Setting(
        employee=parties.person_of(call.answered_by),
        contact=parties.contact,
        number=parties.number,
        line_name=parties.line_name,
        time_zone=facts.time_zone,
        definition=facts.definitions.get(tag_type) or standard(tag_type),
    )
