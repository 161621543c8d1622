"""Properties that the requests and the responses of the telephony settings share."""

from enum import StrEnum
from typing import Annotated

from pydantic import (
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)

from hangtag import settings
from hangtag.api.kernel.enums import (
    PlacementFallback,
    PlacementTarget,
    RecordingMode,
    RoutingMode,
    TaskFieldType,
    UnknownCallerPolicy,
    VisibilityScope,
    renamed,
)
from hangtag.api.kernel.models import EmployeeId, SupervisorId

__all__ = [
    "CALLING",
    "CONDITIONS",
    "CONTACT_TEMPLATE",
    "FIELDS",
    "MASKS",
    "MISSED",
    "NOTIFICATIONS",
    "PLACEMENT",
    "RECORDINGS",
    "ROUTING",
    "TEMPLATE",
    "UNKNOWN",
    "VISIBILITY",
    "AssigneeId",
    "ConditionField",
    "ConditionOperator",
    "ConditionValue",
    "ContactName",
    "Countries",
    "CreateUnknown",
    "DueInMinutes",
    "EmployeePerMinute",
    "FieldName",
    "FieldValue",
    "FormatType",
    "Hidden",
    "IfNone",
    "Logic",
    "Mask",
    "MemberIds",
    "Mode",
    "NotifyByEmail",
    "NotifyEmployees",
    "NotifyRinging",
    "NotifySupervisor",
    "PlaceTo",
    "PremiumRate",
    "RetentionDays",
    "Scope",
    "SettleSeconds",
    "StorageMode",
    "SupervisorWindow",
    "TaskFieldTypeChoice",
    "TemplateSupervisor",
    "TemplateTitle",
    "TenantPerMinute",
]

# Spellings of the API until 0.1; accepted in requests for one release.
OLD_RECORDING_MODES = {"ask": "on_demand", "nothing": "none"}
EMPLOYEE_EXAMPLE = "7d65a08f5a2e0b7a"


class ConditionOperator(StrEnum):
    """Comparison of a condition.

    - `=`: the field has the value.
    - `≠`: the field has another value.
    - `!=`: another spelling of `≠`.
    """

    EQUAL = "="
    NOT_EQUAL = "≠"
    NOT_EQUAL_ASCII = "!="


FieldName = Annotated[settings.ShortText, Field(description="Name of the field.", examples=["Object"])]
FieldValue = Annotated[
    Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None,
    Field(
        description="The value: text, a finite number, a boolean, or a date in ISO 8601. Null for no value.",
        examples=["Deal"],
    ),
]
TaskFieldTypeChoice = Annotated[TaskFieldType, Field(description="Type of the value.", examples=["string"])]
ConditionField = Annotated[
    settings.ShortText,
    Field(description="`title`, `status`, `assignee` or the name of a task field.", examples=["Object"]),
]
ConditionValue = Annotated[
    Annotated[str, StringConstraints(max_length=1000)] | int | float | bool | None,
    Field(description="Value to compare with, null for an empty value.", examples=["Deal"]),
]
TemplateTitle = Annotated[
    settings.ShortText,
    Field(
        description="Title of the new task. `{contact}` and `{number}` are filled in.", examples=["Call with {contact}"]
    ),
]
AssigneeId = Annotated[
    EmployeeId | None,
    Field(description="Id of the new task's assignee. Null for none.", examples=[EMPLOYEE_EXAMPLE]),
]
MemberIds = Annotated[
    list[EmployeeId],
    Field(
        max_length=settings.MAX_MEMBERS,
        description="Ids of the new task's members.",
        examples=[[EMPLOYEE_EXAMPLE]],
    ),
]
DueInMinutes = Annotated[
    Annotated[StrictInt, Field(ge=0, le=525_600)] | None,
    Field(description="Minutes from the call until the task is due. Null for no due time.", examples=[60]),
]
PlaceTo = Annotated[
    PlacementTarget,
    Field(
        description="Place of the tags of calls. Tags of missed calls are always placed on the contact.",
        examples=["last_active_task"],
    ),
]
Hidden = Annotated[
    StrictBool,
    Field(description="True to show these calls to admins and the task's members only.", examples=[False]),
]
Logic = Annotated[
    Annotated[str, StringConstraints(max_length=settings.MAX_LOGIC)] | None,
    Field(
        description=(
            "Combination of the conditions, which are numbered from 1. AND binds more tightly than OR. Null: all "
            "conditions must hold."
        ),
        examples=["1 AND (2 OR 3)"],
    ),
]
IfNone = Annotated[
    PlacementFallback,
    Field(
        description="Place of the tag if no task meets the conditions. Only for `last_task_matching`.",
        examples=["contact"],
    ),
]
CreateUnknown = Annotated[
    UnknownCallerPolicy,
    Field(description="Creation of contacts for unknown numbers.", examples=["always"]),
]
ContactName = Annotated[
    settings.ShortText,
    Field(description="Name of the new contact. `{number}` is filled in.", examples=["Caller {number}"]),
]
TemplateSupervisor = Annotated[
    SupervisorId | None,
    Field(
        description=(
            "Id of the employee or group that supervises the new contact. Null: the employee who answered, or whose "
            "phone rang first."
        ),
        examples=[EMPLOYEE_EXAMPLE],
    ),
]
Mode = Annotated[
    RoutingMode,
    Field(
        description="Condition for also sending the extension of the supervisor to a PBX that requests the name.",
        examples=["on"],
    ),
]
NotifySupervisor = Annotated[StrictBool, Field(description="True to notify the contact's supervisor.", examples=[True])]
NotifyRinging = Annotated[
    StrictBool, Field(description="True to notify the employees whose phones rang.", examples=[False])
]
NotifyEmployees = Annotated[
    list[EmployeeId],
    Field(
        max_length=settings.MAX_MEMBERS,
        description="Ids of employees who are always notified.",
        examples=[[EMPLOYEE_EXAMPLE]],
    ),
]
NotifyByEmail = Annotated[
    StrictBool,
    Field(
        description="True to notify by e-mail in addition. It needs the operator's sender address.", examples=[False]
    ),
]
SupervisorWindow = Annotated[
    StrictBool, Field(description="True to show supervisors the calls of others with their contacts.", examples=[True])
]
FormatType = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
    Field(description="Type of phone number, compared without regard to case.", examples=["Mobile"]),
]
Mask = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern="#"),
    Field(
        description="Display format: `#` is a digit, other characters stand for themselves.",
        examples=["+# (###) ###-##-##"],
    ),
]
Scope = Annotated[VisibilityScope, Field(description="Calls that employees can see.", examples=["all"])]
Countries = Annotated[
    Annotated[list[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]], Field(max_length=250)] | None,
    Field(
        description="ISO 3166 two-letter codes of the countries that employees can call. Null for all.",
        examples=[["DE", "AT"]],
    ),
]
PremiumRate = Annotated[StrictBool, Field(description="True to allow calls to premium-rate numbers.", examples=[False])]
EmployeePerMinute = Annotated[
    StrictInt, Field(ge=1, le=60, description="Maximum number of calls an employee starts in a minute.", examples=[10])
]
TenantPerMinute = Annotated[
    StrictInt,
    Field(ge=1, le=6000, description="Maximum number of calls the tenant starts in a minute.", examples=[120]),
]
StorageMode = Annotated[
    RecordingMode,
    renamed(OLD_RECORDING_MODES),
    Field(
        description=(
            "Storage of recordings that PBXs report from now on. Recordings that a PBX stores only briefly are copied "
            "in every mode but `none`."
        ),
        examples=["copy"],
    ),
]
RetentionDays = Annotated[
    Annotated[StrictInt, Field(ge=1, le=3650)] | None,
    Field(
        description="Storage time of a copy in days after the call. Null for no limit.",
        examples=[180],
    ),
]
SettleSeconds = Annotated[
    StrictInt,
    Field(
        ge=1,
        le=settings.MAX_SETTLE_SECONDS,
        description="Seconds after an unanswered leg in which another leg of the call can still start.",
        examples=[10],
    ),
]
CONDITIONS = "Conditions on the contact's tasks. Only for `last_task_matching`, which needs at least one."
FIELDS = "Fields of the new task."
TEMPLATE = "Template of tasks that are created for calls."
CONTACT_TEMPLATE = "Template of the contact that is created for an unknown number."
MISSED = "Recipients of notifications about incoming missed calls of the tenant."
PLACEMENT = "Placement of the tags that calls get."
UNKNOWN = "Creation of contacts for unknown numbers."
ROUTING = "Routing of incoming calls to the contact's supervisor."
NOTIFICATIONS = "Notifications that employees receive."
MASKS = "Display formats of phone numbers, one for each type."
VISIBILITY = "Visibility of calls for employees."
CALLING = "Rules of click-to-call for employees. Emergency numbers can never be called."
RECORDINGS = "Storage and retention of recordings."
