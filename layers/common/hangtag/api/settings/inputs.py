"""Request models of the telephony settings, whose defaults are those of `hangtag.settings`."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    Field,
    GetJsonSchemaHandler,
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
    TaskFieldType,
    UnknownCallerPolicy,
    VisibilityScope,
)
from hangtag.api.kernel.models import RequestModel
from hangtag.api.settings import properties as props

__all__ = [
    "ClickToCallSettingsInput",
    "DisplayFormatInput",
    "MissedCallNotificationSettingsInput",
    "NotificationSettingsInput",
    "PlacementConditionInput",
    "RecordingSettingsInput",
    "RoutingSettingsInput",
    "TagPlacementSettingsInput",
    "TaskFieldInput",
    "TaskTemplateInput",
    "TelephonySettingsInput",
    "UnknownCallerSettingsInput",
    "UnknownCallerTemplateInput",
    "VisibilitySettingsInput",
]

_DEFAULTS = settings.TelephonySettings()


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

    name: props.FieldName
    type: props.TaskFieldTypeChoice = TaskFieldType.STRING
    value: props.FieldValue = None


class PlacementConditionInput(_SettingsInput):
    """Condition on a task."""

    field: props.ConditionField
    op: Annotated[props.ConditionOperator, Field(description="Comparison.", examples=["="])] = (
        props.ConditionOperator.EQUAL
    )
    value: props.ConditionValue = None


class TaskTemplateInput(_SettingsInput):
    """Template of new tasks."""

    title: props.TemplateTitle = _DEFAULTS.attach.task.title
    assignee_id: props.AssigneeId = None
    member_ids: props.MemberIds = Field(default_factory=list)
    due_in_minutes: props.DueInMinutes = None
    fields: Annotated[list[TaskFieldInput], Field(max_length=settings.MAX_FIELDS, description=props.FIELDS)] = Field(
        default_factory=list
    )


class TagPlacementSettingsInput(_SettingsInput):
    """Placement of the tags of calls."""

    to: props.PlaceTo = PlacementTarget.CONTACT
    hidden: props.Hidden = False
    conditions: Annotated[
        list[PlacementConditionInput], Field(max_length=settings.MAX_CONDITIONS, description=props.CONDITIONS)
    ] = Field(default_factory=list)
    logic: props.Logic = None
    if_none: props.IfNone = PlacementFallback.CONTACT
    task: Annotated[TaskTemplateInput, Field(description=props.TEMPLATE)] = TaskTemplateInput()


class UnknownCallerTemplateInput(_SettingsInput):
    """Template of the contact for an unknown number."""

    name: props.ContactName = _DEFAULTS.contacts.template.name
    supervisor_id: props.TemplateSupervisor = None


class UnknownCallerSettingsInput(_SettingsInput):
    """Contacts for unknown numbers."""

    create_unknown: props.CreateUnknown = UnknownCallerPolicy.ALWAYS
    template: Annotated[UnknownCallerTemplateInput, Field(description=props.CONTACT_TEMPLATE)] = (
        UnknownCallerTemplateInput()
    )


class RoutingSettingsInput(_SettingsInput):
    """Routing of incoming calls to supervisors."""

    mode: props.Mode = RoutingMode.ON


class MissedCallNotificationSettingsInput(_SettingsInput):
    """Recipients of notifications about incoming missed calls. Each is notified once for a missed call."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"rung": "ringing_employees"}

    supervisor: props.NotifySupervisor = True
    ringing_employees: props.NotifyRinging = False
    employee_ids: props.NotifyEmployees = Field(default_factory=list)
    email: props.NotifyByEmail = False


class NotificationSettingsInput(_SettingsInput):
    """Notifications of employees."""

    supervisor_window: props.SupervisorWindow = True
    missed_calls: Annotated[MissedCallNotificationSettingsInput, Field(description=props.MISSED)] = (
        MissedCallNotificationSettingsInput()
    )


class DisplayFormatInput(_SettingsInput):
    """Display format of one type of phone number."""

    type: props.FormatType
    mask: props.Mask


class VisibilitySettingsInput(_SettingsInput):
    """Visibility of calls."""

    calls: props.Scope = VisibilityScope.ALL


class ClickToCallSettingsInput(_SettingsInput):
    """Rules of click-to-call."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"premium": "allow_premium_rate"}

    countries: props.Countries = None
    allow_premium_rate: props.PremiumRate = False
    employee_per_minute: props.EmployeePerMinute = _DEFAULTS.calling.employee_per_minute
    tenant_per_minute: props.TenantPerMinute = _DEFAULTS.calling.tenant_per_minute


class RecordingSettingsInput(_SettingsInput):
    """Storage of recordings."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"keep": "mode"}

    mode: props.StorageMode = RecordingMode.COPY
    retention_days: props.RetentionDays = None


class TelephonySettingsInput(_SettingsInput):
    """Body of `replaceTelephonySettings`. Omitted properties get their defaults."""

    settle_seconds: props.SettleSeconds = _DEFAULTS.settle_seconds
    attach: Annotated[TagPlacementSettingsInput, Field(description=props.PLACEMENT)] = TagPlacementSettingsInput()
    contacts: Annotated[UnknownCallerSettingsInput, Field(description=props.UNKNOWN)] = UnknownCallerSettingsInput()
    routing: Annotated[RoutingSettingsInput, Field(description=props.ROUTING)] = RoutingSettingsInput()
    notifications: Annotated[NotificationSettingsInput, Field(description=props.NOTIFICATIONS)] = (
        NotificationSettingsInput()
    )
    masks: Annotated[list[DisplayFormatInput], Field(max_length=20, description=props.MASKS)] = Field(
        default_factory=list
    )
    visibility: Annotated[VisibilitySettingsInput, Field(description=props.VISIBILITY)] = VisibilitySettingsInput()
    calling: Annotated[ClickToCallSettingsInput, Field(description=props.CALLING)] = ClickToCallSettingsInput()
    recordings: Annotated[RecordingSettingsInput, Field(description=props.RECORDINGS)] = RecordingSettingsInput()

    def to_settings(self) -> settings.TelephonySettings:
        """Return the settings as they are stored."""
        return settings.TelephonySettings.model_validate(self.model_dump(mode="json"))
