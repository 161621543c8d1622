"""The tenant's telephony rules, as the API accepts and shows them. Ids and templates are validated when rules are
saved.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "ClickToCallSettings",
    "DisplayFormat",
    "MissedCallNotificationSettings",
    "NotificationSettings",
    "PlacementCondition",
    "RecordingSettings",
    "RoutingSettings",
    "TagPlacementSettings",
    "TaskField",
    "TaskTemplate",
    "TelephonySettings",
    "UnknownCallerSettings",
    "UnknownCallerTemplate",
    "VisibilitySettings",
]

DEFAULT_SETTLE_SECONDS = 10
# The maximum delay of a queue message.
MAX_SETTLE_SECONDS = 900
MAX_CONDITIONS = 20
MAX_LOGIC = 500
MAX_FIELDS = 30
MAX_MEMBERS = 50

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,32}$", max_length=32)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskField(_Rules):
    """A free field of a task. A date is ISO 8601 text; a number is finite."""

    name: ShortText
    type: Literal["string", "number", "boolean", "date"] = "string"
    value: Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None = None


class PlacementCondition(_Rules):
    """One row: `field` is title, status, assignee or the name of a free field; `!=` is a synonym of `≠`."""

    field: ShortText
    op: Literal["=", "≠", "!="] = "="
    value: Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None = None


class TaskTemplate(_Rules):
    """Template of a task created for a call. `{contact}` and `{number}` in the title are replaced."""

    title: ShortText = "Call with {contact}"
    assignee_id: Id | None = None
    member_ids: list[Id] = Field(default_factory=list, max_length=MAX_MEMBERS)
    due_in_minutes: int | None = Field(default=None, ge=0, le=525_600)
    fields: list[TaskField] = Field(default_factory=list, max_length=MAX_FIELDS)


class TagPlacementSettings(_Rules):
    """Place of Calls. Hidden ones are visible to administrators and the task's members only.

    `conditions` and `logic` belong to last_task_matching: rows are numbered from 1, and without a logic line all of
    them must hold. `task` is the template of new tasks.
    """

    to: Literal["contact", "last_active_task", "last_task_matching", "new_task"] = "contact"
    hidden: bool = False
    conditions: list[PlacementCondition] = Field(default_factory=list, max_length=MAX_CONDITIONS)
    logic: Annotated[str, StringConstraints(max_length=MAX_LOGIC)] | None = None
    if_none: Literal["contact", "create_task"] = "contact"
    task: TaskTemplate = TaskTemplate()


class UnknownCallerTemplate(_Rules):
    """Template of the contact created for an unknown caller. `{number}` in the name is replaced.

    `supervisor_id` is an employee or a group. Without it, the supervisor is the employee who answered, or the first one
    whose phone rang.
    """

    name: ShortText = "{number}"
    supervisor_id: Id | None = None


class UnknownCallerSettings(_Rules):
    """Conditions under which an unknown caller's number becomes a contact, and that contact's template."""

    create_unknown: Literal["always", "answered_only", "never"] = "always"
    template: UnknownCallerTemplate = UnknownCallerTemplate()


class RoutingSettings(_Rules):
    """Routing of callers: a PBX that requests a caller lookup receives the extension of the contact's supervisor."""

    mode: Literal["off", "on", "working_hours"] = "on"


class MissedCallNotificationSettings(_Rules):
    """Employees who are notified of an incoming missed call, once."""

    supervisor: bool = True
    rung: bool = False
    employee_ids: list[Id] = Field(default_factory=list, max_length=MAX_MEMBERS)
    email: bool = False


class NotificationSettings(_Rules):
    """Notifications of employees. `supervisor_window`: a contact's supervisor sees the call windows of other
    employees.
    """

    supervisor_window: bool = True
    missed_calls: MissedCallNotificationSettings = MissedCallNotificationSettings()


class DisplayFormat(_Rules):
    """Display format of numbers of a type: `#` is a digit, any other character is literal."""

    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    mask: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="#")]


class ClickToCallSettings(_Rules):
    """Limits of click-to-call: destinations and rates. `countries` are two-letter codes; null means all.

    Emergency numbers are never called by a click.
    """

    countries: list[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]] | None = Field(
        default=None, max_length=250
    )
    premium: bool = False
    employee_per_minute: int = Field(default=10, ge=1, le=60)
    tenant_per_minute: int = Field(default=120, ge=1, le=6000)


class RecordingSettings(_Rules):
    """Handling of recordings. `copy`: a copy is stored. `link`: the PBX's address is stored. `ask`: the address is
    requested from the PBX at each play. `nothing`: recordings are ignored. A recording that its PBX stores for a moment
    only is copied, except with `nothing`.

    `retention_days`: how long after its call a copy is stored and can be played; null means without end.
    """

    keep: Literal["copy", "link", "ask", "nothing"] = "copy"
    retention_days: int | None = Field(default=None, ge=1, le=3650)


class VisibilitySettings(_Rules):
    """Calls that employees see: all, or those they took part in, supervise, or share a task with."""

    calls: Literal["all", "own"] = "all"


class TelephonySettings(_Rules):
    """All telephony rules. `settle_seconds`: delay after the end of a leg before the call is checked again."""

    settle_seconds: int = Field(default=DEFAULT_SETTLE_SECONDS, ge=1, le=MAX_SETTLE_SECONDS)
    attach: TagPlacementSettings = TagPlacementSettings()
    contacts: UnknownCallerSettings = UnknownCallerSettings()
    routing: RoutingSettings = RoutingSettings()
    notifications: NotificationSettings = NotificationSettings()
    masks: list[DisplayFormat] = Field(default_factory=list, max_length=20)
    visibility: VisibilitySettings = VisibilitySettings()
    calling: ClickToCallSettings = ClickToCallSettings()
    recordings: RecordingSettings = RecordingSettings()
