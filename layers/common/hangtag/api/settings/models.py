"""Response models of the telephony settings, and the preview of a tag's placement.

Responses contain every property; `inputs` has the classes of requests.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import (
    Field,
    StringConstraints,
)

from hangtag import settings
from hangtag.api.kernel.enums import (
    SkipReason,
    TagType,
)
from hangtag.api.kernel.models import Page, RequestModel, ResponseModel
from hangtag.api.settings import properties as props

__all__ = [
    "ClickToCallSettings",
    "DisplayFormat",
    "DisplayFormatPage",
    "MissedCallNotificationSettings",
    "NotificationSettings",
    "PlacementCondition",
    "PlacementPreview",
    "PlacementReason",
    "PreviewSettingsRequest",
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


class TaskField(ResponseModel):
    """Field of a task."""

    name: props.FieldName
    type: props.TaskFieldTypeChoice
    value: props.FieldValue


class PlacementCondition(ResponseModel):
    """Condition on a task."""

    field: props.ConditionField
    op: Annotated[props.ConditionOperator, Field(description="Comparison, as it was entered.", examples=["="])]
    value: props.ConditionValue


class TaskTemplate(ResponseModel):
    """Template of new tasks."""

    title: props.TemplateTitle
    assignee_id: props.AssigneeId
    member_ids: props.MemberIds
    due_in_minutes: props.DueInMinutes
    fields: Annotated[list[TaskField], Field(description=props.FIELDS)]


class TagPlacementSettings(ResponseModel):
    """Placement of the tags of calls."""

    to: props.PlaceTo
    hidden: props.Hidden
    conditions: Annotated[list[PlacementCondition], Field(description=props.CONDITIONS)]
    logic: props.Logic
    if_none: props.IfNone
    task: Annotated[TaskTemplate, Field(description=props.TEMPLATE)]


class UnknownCallerTemplate(ResponseModel):
    """Template of the contact for an unknown number."""

    name: props.ContactName
    supervisor_id: props.TemplateSupervisor


class UnknownCallerSettings(ResponseModel):
    """Contacts for unknown numbers."""

    create_unknown: props.CreateUnknown
    template: Annotated[UnknownCallerTemplate, Field(description=props.CONTACT_TEMPLATE)]


class RoutingSettings(ResponseModel):
    """Routing of incoming calls to supervisors."""

    mode: props.Mode


class MissedCallNotificationSettings(ResponseModel):
    """Recipients of notifications about incoming missed calls."""

    supervisor: props.NotifySupervisor
    ringing_employees: props.NotifyRinging
    employee_ids: props.NotifyEmployees
    email: props.NotifyByEmail


class NotificationSettings(ResponseModel):
    """Notifications of employees."""

    supervisor_window: props.SupervisorWindow
    missed_calls: Annotated[MissedCallNotificationSettings, Field(description=props.MISSED)]


class DisplayFormat(ResponseModel):
    """Display format of one type of phone number."""

    type: props.FormatType
    mask: props.Mask


class DisplayFormatPage(Page[DisplayFormat]):
    """All display formats, in one page."""


class VisibilitySettings(ResponseModel):
    """Visibility of calls."""

    calls: props.Scope


class ClickToCallSettings(ResponseModel):
    """Rules of click-to-call."""

    countries: props.Countries
    allow_premium_rate: props.PremiumRate
    employee_per_minute: props.EmployeePerMinute
    tenant_per_minute: props.TenantPerMinute


class RecordingSettings(ResponseModel):
    """Storage of recordings."""

    mode: props.StorageMode
    retention_days: props.RetentionDays


class TelephonySettings(ResponseModel):
    """All telephony settings."""

    settle_seconds: props.SettleSeconds
    attach: Annotated[TagPlacementSettings, Field(description=props.PLACEMENT)]
    contacts: Annotated[UnknownCallerSettings, Field(description=props.UNKNOWN)]
    routing: Annotated[RoutingSettings, Field(description=props.ROUTING)]
    notifications: Annotated[NotificationSettings, Field(description=props.NOTIFICATIONS)]
    masks: Annotated[list[DisplayFormat], Field(description=props.MASKS)]
    visibility: Annotated[VisibilitySettings, Field(description=props.VISIBILITY)]
    calling: Annotated[ClickToCallSettings, Field(description=props.CALLING)]
    recordings: Annotated[RecordingSettings, Field(description=props.RECORDINGS)]

    @classmethod
    def of(cls, stored: settings.TelephonySettings) -> "TelephonySettings":
        """Return stored settings as a response."""
        return cls.model_validate(stored.model_dump(mode="json"))


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
