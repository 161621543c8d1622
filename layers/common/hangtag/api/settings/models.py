"""Request and response models of the telephony settings, the tag definitions and the display formats.

Requests use the `…Input` classes, whose defaults are those of `hangtag.settings`; responses contain every property.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hangtag import settings
from hangtag.api.kernel.enums import (
    PlacementFallback,
    PlacementTarget,
    RecordingMode,
    RoutingMode,
    SkipReason,
    TagFieldType,
    TagType,
    TaskFieldType,
    UnknownCallerPolicy,
    VisibilityScope,
    renamed,
)
from hangtag.api.kernel.models import EmployeeId, Page, RequestModel, ResponseModel, SupervisorId, Text
from hangtag.domain.tags.definition import MAX_EXTRA_FIELDS

__all__ = [
    "ClickToCallSettings",
    "ClickToCallSettingsInput",
    "ConditionOperator",
    "DisplayFormat",
    "DisplayFormatInput",
    "DisplayFormatPage",
    "MissedCallNotificationSettings",
    "MissedCallNotificationSettingsInput",
    "NotificationSettings",
    "NotificationSettingsInput",
    "PlacementCondition",
    "PlacementConditionInput",
    "PlacementPreview",
    "PlacementReason",
    "PreviewSettingsRequest",
    "RecordingSettings",
    "RecordingSettingsInput",
    "RoutingSettings",
    "RoutingSettingsInput",
    "SetTagDefinitionsRequest",
    "TagDefinitions",
    "TagFieldDefinition",
    "TagFieldDefinitionInput",
    "TagPlacementSettings",
    "TagPlacementSettingsInput",
    "TaskField",
    "TaskFieldInput",
    "TaskTemplate",
    "TaskTemplateInput",
    "TelephonySettings",
    "TelephonySettingsInput",
    "UnknownCallerSettings",
    "UnknownCallerSettingsInput",
    "UnknownCallerTemplate",
    "UnknownCallerTemplateInput",
    "VisibilitySettings",
    "VisibilitySettingsInput",
]

_DEFAULTS = settings.TelephonySettings()
# More than a definition can have, so that an additional field is rejected with its position.
MAX_DEFINED = 2 * MAX_EXTRA_FIELDS
# Spellings of the API until 0.1; accepted in requests for one release.
OLD_RECORDING_MODES = {"ask": "on_demand", "nothing": "none"}
_EMPLOYEE_EXAMPLE = "7d65a08f5a2e0b7a"


class ConditionOperator(StrEnum):
    """Comparison of a condition.

    - `=`: the field has the value.
    - `≠`: the field has another value.
    - `!=`: another spelling of `≠`.
    """

    EQUAL = "="
    NOT_EQUAL = "≠"
    NOT_EQUAL_ASCII = "!="


# ------------------------------------------------------------------ shared properties

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
    Field(description="Id of the new task's assignee. Null for none.", examples=[_EMPLOYEE_EXAMPLE]),
]
MemberIds = Annotated[
    list[EmployeeId],
    Field(
        max_length=settings.MAX_MEMBERS,
        description="Ids of the new task's members.",
        examples=[[_EMPLOYEE_EXAMPLE]],
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
        examples=[_EMPLOYEE_EXAMPLE],
    ),
]
Mode = Annotated[
    RoutingMode,
    Field(
        description="Time at which a PBX that requests the caller's name also receives the supervisor's extension.",
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
        examples=[[_EMPLOYEE_EXAMPLE]],
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
        description="Seconds after an unanswered leg during which another leg of the call can start.",
        examples=[10],
    ),
]
_CONDITIONS = "Conditions on the contact's tasks. Only for `last_task_matching`, which needs at least one."
_FIELDS = "Fields of the new task."
_TEMPLATE = "Template of tasks that are created for calls."
_CONTACT_TEMPLATE = "Template of the contact that is created for an unknown number."
_MISSED = "Recipients of notifications about incoming missed calls of the tenant."
_PLACEMENT = "Placement of the tags that calls get."
_UNKNOWN = "Creation of contacts for unknown numbers."
_ROUTING = "Routing of incoming calls to the contact's supervisor."
_NOTIFICATIONS = "Notifications that employees receive."
_MASKS = "Display formats of phone numbers, one for each type."
_VISIBILITY = "Visibility of calls for employees."
_CALLING = "Rules of click-to-call for employees. Emergency numbers can never be called."
_RECORDINGS = "Storage and retention of recordings."

# ------------------------------------------------------------------ requests


class _SettingsInput(RequestModel):
    """Base of the parts of `TelephonySettingsInput`. `OLD_NAMES` maps deprecated property names to current ones."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        # If both names are present, the old one remains and is rejected as unknown.
        return {
            cls.OLD_NAMES[name] if name in cls.OLD_NAMES and cls.OLD_NAMES[name] not in value else name: one
            for name, one in value.items()
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the deprecated names to the document."""
        document = handler(schema)
        properties = handler.resolve_ref_schema(document).get("properties", {})
        for old, current in cls.OLD_NAMES.items():
            properties[old] = {
                **properties[current],
                "title": old.title(),
                "description": f"Deprecated name of `{current}`, accepted for one release.",
                "deprecated": True,
            }
        return document


class TaskFieldInput(_SettingsInput):
    """Field of a task."""

    name: FieldName
    type: TaskFieldTypeChoice = TaskFieldType.STRING
    value: FieldValue = None


class PlacementConditionInput(_SettingsInput):
    """Condition on a task."""

    field: ConditionField
    op: Annotated[ConditionOperator, Field(description="Comparison.", examples=["="])] = ConditionOperator.EQUAL
    value: ConditionValue = None


class TaskTemplateInput(_SettingsInput):
    """Template of new tasks."""

    title: TemplateTitle = _DEFAULTS.attach.task.title
    assignee_id: AssigneeId = None
    member_ids: MemberIds = Field(default_factory=list)
    due_in_minutes: DueInMinutes = None
    fields: Annotated[list[TaskFieldInput], Field(max_length=settings.MAX_FIELDS, description=_FIELDS)] = Field(
        default_factory=list
    )


class TagPlacementSettingsInput(_SettingsInput):
    """Placement of the tags of calls."""

    to: PlaceTo = PlacementTarget.CONTACT
    hidden: Hidden = False
    conditions: Annotated[
        list[PlacementConditionInput], Field(max_length=settings.MAX_CONDITIONS, description=_CONDITIONS)
    ] = Field(default_factory=list)
    logic: Logic = None
    if_none: IfNone = PlacementFallback.CONTACT
    task: Annotated[TaskTemplateInput, Field(description=_TEMPLATE)] = TaskTemplateInput()


class UnknownCallerTemplateInput(_SettingsInput):
    """Template of the contact for an unknown number."""

    name: ContactName = _DEFAULTS.contacts.template.name
    supervisor_id: TemplateSupervisor = None


class UnknownCallerSettingsInput(_SettingsInput):
    """Contacts for unknown numbers."""

    create_unknown: CreateUnknown = UnknownCallerPolicy.ALWAYS
    template: Annotated[UnknownCallerTemplateInput, Field(description=_CONTACT_TEMPLATE)] = UnknownCallerTemplateInput()


class RoutingSettingsInput(_SettingsInput):
    """Routing of incoming calls to supervisors."""

    mode: Mode = RoutingMode.ON


class MissedCallNotificationSettingsInput(_SettingsInput):
    """Recipients of notifications about incoming missed calls. Each is notified once for a missed call."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"rung": "ringing_employees"}

    supervisor: NotifySupervisor = True
    ringing_employees: NotifyRinging = False
    employee_ids: NotifyEmployees = Field(default_factory=list)
    email: NotifyByEmail = False


class NotificationSettingsInput(_SettingsInput):
    """Notifications of employees."""

    supervisor_window: SupervisorWindow = True
    missed_calls: Annotated[MissedCallNotificationSettingsInput, Field(description=_MISSED)] = (
        MissedCallNotificationSettingsInput()
    )


class DisplayFormatInput(_SettingsInput):
    """Display format of one type of phone number."""

    type: FormatType
    mask: Mask


class VisibilitySettingsInput(_SettingsInput):
    """Visibility of calls."""

    calls: Scope = VisibilityScope.ALL


class ClickToCallSettingsInput(_SettingsInput):
    """Rules of click-to-call."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"premium": "allow_premium_rate"}

    countries: Countries = None
    allow_premium_rate: PremiumRate = False
    employee_per_minute: EmployeePerMinute = _DEFAULTS.calling.employee_per_minute
    tenant_per_minute: TenantPerMinute = _DEFAULTS.calling.tenant_per_minute


class RecordingSettingsInput(_SettingsInput):
    """Storage of recordings."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"keep": "mode"}

    mode: StorageMode = RecordingMode.COPY
    retention_days: RetentionDays = None


class TelephonySettingsInput(_SettingsInput):
    """Body of `replaceTelephonySettings`. Omitted properties get their defaults."""

    settle_seconds: SettleSeconds = _DEFAULTS.settle_seconds
    attach: Annotated[TagPlacementSettingsInput, Field(description=_PLACEMENT)] = TagPlacementSettingsInput()
    contacts: Annotated[UnknownCallerSettingsInput, Field(description=_UNKNOWN)] = UnknownCallerSettingsInput()
    routing: Annotated[RoutingSettingsInput, Field(description=_ROUTING)] = RoutingSettingsInput()
    notifications: Annotated[NotificationSettingsInput, Field(description=_NOTIFICATIONS)] = NotificationSettingsInput()
    masks: Annotated[list[DisplayFormatInput], Field(max_length=20, description=_MASKS)] = Field(default_factory=list)
    visibility: Annotated[VisibilitySettingsInput, Field(description=_VISIBILITY)] = VisibilitySettingsInput()
    calling: Annotated[ClickToCallSettingsInput, Field(description=_CALLING)] = ClickToCallSettingsInput()
    recordings: Annotated[RecordingSettingsInput, Field(description=_RECORDINGS)] = RecordingSettingsInput()

    def to_settings(self) -> settings.TelephonySettings:
        """Return the settings as they are stored."""
        return settings.TelephonySettings.model_validate(self.model_dump(mode="json"))


# ------------------------------------------------------------------ responses


class TaskField(ResponseModel):
    """Field of a task."""

    name: FieldName
    type: TaskFieldTypeChoice
    value: FieldValue


class PlacementCondition(ResponseModel):
    """Condition on a task."""

    field: ConditionField
    op: Annotated[ConditionOperator, Field(description="Comparison, as it was entered.", examples=["="])]
    value: ConditionValue


class TaskTemplate(ResponseModel):
    """Template of new tasks."""

    title: TemplateTitle
    assignee_id: AssigneeId
    member_ids: MemberIds
    due_in_minutes: DueInMinutes
    fields: Annotated[list[TaskField], Field(description=_FIELDS)]


class TagPlacementSettings(ResponseModel):
    """Placement of the tags of calls."""

    to: PlaceTo
    hidden: Hidden
    conditions: Annotated[list[PlacementCondition], Field(description=_CONDITIONS)]
    logic: Logic
    if_none: IfNone
    task: Annotated[TaskTemplate, Field(description=_TEMPLATE)]


class UnknownCallerTemplate(ResponseModel):
    """Template of the contact for an unknown number."""

    name: ContactName
    supervisor_id: TemplateSupervisor


class UnknownCallerSettings(ResponseModel):
    """Contacts for unknown numbers."""

    create_unknown: CreateUnknown
    template: Annotated[UnknownCallerTemplate, Field(description=_CONTACT_TEMPLATE)]


class RoutingSettings(ResponseModel):
    """Routing of incoming calls to supervisors."""

    mode: Mode


class MissedCallNotificationSettings(ResponseModel):
    """Recipients of notifications about incoming missed calls."""

    supervisor: NotifySupervisor
    ringing_employees: NotifyRinging
    employee_ids: NotifyEmployees
    email: NotifyByEmail


class NotificationSettings(ResponseModel):
    """Notifications of employees."""

    supervisor_window: SupervisorWindow
    missed_calls: Annotated[MissedCallNotificationSettings, Field(description=_MISSED)]


class DisplayFormat(ResponseModel):
    """Display format of one type of phone number."""

    type: FormatType
    mask: Mask


class DisplayFormatPage(Page[DisplayFormat]):
    """All display formats, in one page."""


class VisibilitySettings(ResponseModel):
    """Visibility of calls."""

    calls: Scope


class ClickToCallSettings(ResponseModel):
    """Rules of click-to-call."""

    countries: Countries
    allow_premium_rate: PremiumRate
    employee_per_minute: EmployeePerMinute
    tenant_per_minute: TenantPerMinute


class RecordingSettings(ResponseModel):
    """Storage of recordings."""

    mode: StorageMode
    retention_days: RetentionDays


class TelephonySettings(ResponseModel):
    """All telephony settings."""

    settle_seconds: SettleSeconds
    attach: Annotated[TagPlacementSettings, Field(description=_PLACEMENT)]
    contacts: Annotated[UnknownCallerSettings, Field(description=_UNKNOWN)]
    routing: Annotated[RoutingSettings, Field(description=_ROUTING)]
    notifications: Annotated[NotificationSettings, Field(description=_NOTIFICATIONS)]
    masks: Annotated[list[DisplayFormat], Field(description=_MASKS)]
    visibility: Annotated[VisibilitySettings, Field(description=_VISIBILITY)]
    calling: Annotated[ClickToCallSettings, Field(description=_CALLING)]
    recordings: Annotated[RecordingSettings, Field(description=_RECORDINGS)]

    @classmethod
    def of(cls, stored: settings.TelephonySettings) -> "TelephonySettings":
        """Return stored settings as a response."""
        return cls.model_validate(stored.model_dump(mode="json"))


# ------------------------------------------------------------------ tag definitions

_FIELD_NAME = "The tenant's name for the field, unique in its tag."
_FIELD_TYPE = "Type of the field. Fixed fields keep their types; additional fields are strings."
_CALL = "Fields of the tag of a call, in their order."
_MISSED_CALL = "Fields of the tag of a missed call, in their order."
_FIELDS_EXAMPLE = [{"name": "Date", "type": "date"}]


class TagFieldDefinitionInput(RequestModel):
    """Field of a tag definition."""

    name: Annotated[Text, Field(description=_FIELD_NAME, examples=["Date"])]
    type: Annotated[TagFieldType, Field(description=_FIELD_TYPE, examples=["date"])]


class TagFieldDefinition(ResponseModel):
    """Field of a tag definition."""

    name: Annotated[str, Field(description=_FIELD_NAME, examples=["Date"])]
    type: Annotated[TagFieldType, Field(description=_FIELD_TYPE, examples=["date"])]


class SetTagDefinitionsRequest(RequestModel):
    """Body of `setTagDefinitions`. An omitted or null definition becomes the standard one."""

    call: Annotated[
        Annotated[list[TagFieldDefinitionInput], Field(max_length=MAX_DEFINED)] | None,
        Field(
            description=f"{_CALL} The standard definition also contains all data fields of the PBX.",
            examples=[_FIELDS_EXAMPLE],
        ),
    ] = None
    missed_call: Annotated[
        Annotated[list[TagFieldDefinitionInput], Field(max_length=MAX_DEFINED)] | None,
        Field(description=_MISSED_CALL, examples=[_FIELDS_EXAMPLE]),
    ] = None


class TagDefinitions(ResponseModel):
    """Definitions of both tags."""

    call: Annotated[list[TagFieldDefinition], Field(description=_CALL, examples=[_FIELDS_EXAMPLE])]
    missed_call: Annotated[list[TagFieldDefinition], Field(description=_MISSED_CALL, examples=[_FIELDS_EXAMPLE])]


# ------------------------------------------------------------------ preview


class PlacementReason(StrEnum):
    """Reason for the placement of a tag.

    - `missed_call`: tags of missed calls are placed on the contact.
    - `from_task`: the call was started from the task, or was assigned to it.
    - `contact`: the setting is the contact.
    - `no_contact`: the call has no contact, so it has no tasks either.
    - `last_active_task`: the contact's latest open task.
    - `no_active_task`: the contact has no open task.
    - `matching_task`: the contact's latest task that meets the conditions.
    - `no_matching_task`: no task of the contact meets the conditions.
    - `new_task`: the setting is a new task.
    """

    MISSED_CALL = "missed_call"
    FROM_TASK = "from_task"
    CONTACT = "contact"
    NO_CONTACT = "no_contact"
    LAST_ACTIVE_TASK = "last_active_task"
    NO_ACTIVE_TASK = "no_active_task"
    MATCHING_TASK = "matching_task"
    NO_MATCHING_TASK = "no_matching_task"
    NEW_TASK = "new_task"


class PreviewSettingsRequest(RequestModel):
    """Body of `previewTelephonySettings`."""

    call_id: Annotated[
        str,
        StringConstraints(min_length=1, max_length=100),
        Field(
            description="Id of a closed call.",
            examples=["5f4dcc3b5aa765d6.5f4dcc3b5aa765d61d8327deb882cf99.0000"],
        ),
    ]


class PlacementPreview(ResponseModel):
    """Placement of a call's tag by the current settings."""

    type: Annotated[
        TagType | None, Field(description="Type of the tag. Null for a call without a tag.", examples=["call"])
    ]
    skip_reason: Annotated[
        SkipReason | None,
        Field(description="Reason for a call without a tag. Null for a call with a tag.", examples=["internal"]),
    ]
    contact_id: Annotated[
        str | None,
        Field(description="Id of the contact. Null without a known contact.", examples=["5f0c2a7be1d94c36"]),
    ]
    new_contact: Annotated[bool, Field(description="True if a contact would be created.", examples=[False])]
    task_id: Annotated[
        str | None,
        Field(
            description="Id of the task. Null for a tag on the contact, and for a new task.",
            examples=["c4a6f20d9b8e4731"],
        ),
    ]
    new_task: Annotated[bool, Field(description="True if a task would be created.", examples=[False])]
    hidden: Annotated[
        bool,
        Field(description="True if only admins and the task's members would see the call.", examples=[False]),
    ]
    reason_code: Annotated[
        PlacementReason | None, Field(description="Stable reason. Null for a call without a tag.", examples=["contact"])
    ]
    reason: Annotated[
        str | None,
        Field(
            description="The reason in English. Null for a call without a tag.",
            examples=["Calls are placed on the contact."],
        ),
    ]
