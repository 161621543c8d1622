"""The tenant's telephony settings as they are stored. `hangtag.api.settings.models` has their form in the API.

Settings stored before release 0.1.0 have other names: `recordings.keep` with `ask` and `nothing`, `calling.premium` and
`notifications.missed_calls.rung`. They load as they are and get the current names with the next change.
"""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

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
# Maximum delay of an SQS message.
MAX_SETTLE_SECONDS = 900
MAX_CONDITIONS = 20
MAX_LOGIC = 500
MAX_FIELDS = 30
MAX_MEMBERS = 50

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,32}$", max_length=32)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskField(_Settings):
    """Field of a task. A date is ISO 8601 text; a number is finite."""

    name: ShortText
    type: Literal["string", "number", "boolean", "date"] = "string"
    value: Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None = None


class PlacementCondition(_Settings):
    """Condition on a task. `field` is title, status, assignee or the name of a task field; `!=` is the same as `≠`."""

    field: ShortText
    op: Literal["=", "≠", "!="] = "="
    value: Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None = None


class TaskTemplate(_Settings):
    """Template of the task for a call. `{contact}` and `{number}` in the title are filled in."""

    title: ShortText = "Call with {contact}"
    assignee_id: Id | None = None
    member_ids: list[Id] = Field(default_factory=list, max_length=MAX_MEMBERS)
    due_in_minutes: int | None = Field(default=None, ge=0, le=525_600)
    fields: list[TaskField] = Field(default_factory=list, max_length=MAX_FIELDS)


class TagPlacementSettings(_Settings):
    """Placement of the tags of calls. Hidden calls are visible to admins and the task's members only.

    `conditions` and `logic` belong to last_task_matching: conditions are numbered from 1, and without a logic line all
    of them must hold. `task` is the template of new tasks.
    """

    to: Literal["contact", "last_active_task", "last_task_matching", "new_task"] = "contact"
    hidden: bool = False
    conditions: list[PlacementCondition] = Field(default_factory=list, max_length=MAX_CONDITIONS)
    logic: Annotated[str, StringConstraints(max_length=MAX_LOGIC)] | None = None
    if_none: Literal["contact", "create_task"] = "contact"
    task: TaskTemplate = TaskTemplate()


class UnknownCallerTemplate(_Settings):
    """Template of the contact for an unknown number. `{number}` in the name is filled in.

    `supervisor_id` is an employee or a group; without one the supervisor is the employee who answered, or whose phone
    rang first.
    """

    name: ShortText = "{number}"
    supervisor_id: Id | None = None


class UnknownCallerSettings(_Settings):
    """Contacts for unknown numbers."""

    create_unknown: Literal["always", "answered_only", "never"] = "always"
    template: UnknownCallerTemplate = UnknownCallerTemplate()


class RoutingSettings(_Settings):
    """Routing of incoming calls: whether a caller lookup returns the extension of the contact's supervisor."""

    mode: Literal["off", "on", "working_hours"] = "on"


class MissedCallNotificationSettings(_Settings):
    """Recipients of notifications about incoming missed calls. Each is notified once for a missed call."""

    supervisor: bool = True
    ringing_employees: bool = Field(default=False, validation_alias=AliasChoices("ringing_employees", "rung"))
    employee_ids: list[Id] = Field(default_factory=list, max_length=MAX_MEMBERS)
    email: bool = False


class NotificationSettings(_Settings):
    """Notifications of employees. `supervisor_window`: supervisors see the calls of others with their contacts."""

    supervisor_window: bool = True
    missed_calls: MissedCallNotificationSettings = MissedCallNotificationSettings()


class DisplayFormat(_Settings):
    """Display format of a type of number: `#` is a digit, other characters stand for themselves."""

    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    mask: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="#")]


class ClickToCallSettings(_Settings):
    """Rules of click-to-call. `countries` are two-letter codes; None allows all of them.

    Emergency numbers can never be called by click-to-call.
    """

    countries: list[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]] | None = Field(
        default=None, max_length=250
    )
    allow_premium_rate: bool = Field(default=False, validation_alias=AliasChoices("allow_premium_rate", "premium"))
    employee_per_minute: int = Field(default=10, ge=1, le=60)
    tenant_per_minute: int = Field(default=120, ge=1, le=6000)


def _current_mode(value: Any) -> Any:
    return {"ask": "on_demand", "nothing": "none"}.get(value, value) if isinstance(value, str) else value


class RecordingSettings(_Settings):
    """Storage of recordings.

    `copy`: copy each recording. `link`: store the PBX's URL. `on_demand`: request it from the PBX when it is played.
    `none`: store nothing. A recording that its PBX stores only briefly is copied in every mode but `none`.
    `retention_days`: storage time of a copy in days after the call; None for no limit.
    """

    mode: Annotated[Literal["copy", "link", "on_demand", "none"], BeforeValidator(_current_mode)] = Field(
        default="copy", validation_alias=AliasChoices("mode", "keep")
    )
    retention_days: int | None = Field(default=None, ge=1, le=3650)


class VisibilitySettings(_Settings):
    """Calls that employees can see: all, or `own`: those they took part in, of their contacts and on their tasks."""

    calls: Literal["all", "own"] = "all"


class TelephonySettings(_Settings):
    """All telephony settings. `settle_seconds`: delay after the end of a leg before the call is examined again."""

    settle_seconds: int = Field(default=DEFAULT_SETTLE_SECONDS, ge=1, le=MAX_SETTLE_SECONDS)
    attach: TagPlacementSettings = TagPlacementSettings()
    contacts: UnknownCallerSettings = UnknownCallerSettings()
    routing: RoutingSettings = RoutingSettings()
    notifications: NotificationSettings = NotificationSettings()
    masks: list[DisplayFormat] = Field(default_factory=list, max_length=20)
    visibility: VisibilitySettings = VisibilitySettings()
    calling: ClickToCallSettings = ClickToCallSettings()
    recordings: RecordingSettings = RecordingSettings()
