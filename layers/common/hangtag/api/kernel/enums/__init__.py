"""Enums of the API, each one named schema in the OpenAPI document.

A docstring lists the meaning of each value: it becomes the schema's description.
"""

from collections.abc import Mapping

from pydantic import BeforeValidator

from hangtag.api.kernel.enums.calls import (
    CallEventKind,
    CallState,
    ClickState,
    Direction,
    MissedCallFilter,
    MissedCallState,
    Outcome,
    PhoneNumberState,
    RecordingMode,
    RecordingState,
    SkipReason,
    TagFieldType,
    TagType,
    WindowState,
)
from hangtag.api.kernel.enums.integrations import (
    Capability,
    CrmHealthState,
    CrmKind,
    DiagnosticName,
    EventResult,
    LogReason,
    ProviderKey,
    RecoveredPart,
)
from hangtag.api.kernel.enums.jobs import (
    ImportState,
    JobState,
    ReportStep,
)
from hangtag.api.kernel.enums.office import (
    ActorType,
    EmployeeRole,
    PlacementFallback,
    PlacementTarget,
    Role,
    RoutingMode,
    SupervisorType,
    TaskFieldType,
    TaskStatus,
    TimelineEntryType,
    UnknownCallerPolicy,
    VisibilityScope,
    Weekday,
)

__all__ = [
    "ActorType",
    "CallEventKind",
    "CallState",
    "Capability",
    "ClickState",
    "CrmHealthState",
    "CrmKind",
    "DiagnosticName",
    "Direction",
    "EmployeeRole",
    "EventResult",
    "ImportState",
    "JobState",
    "LogReason",
    "MissedCallFilter",
    "MissedCallState",
    "Outcome",
    "PhoneNumberState",
    "PlacementFallback",
    "PlacementTarget",
    "ProviderKey",
    "RecordingMode",
    "RecordingState",
    "RecoveredPart",
    "ReportStep",
    "Role",
    "RoutingMode",
    "SkipReason",
    "SupervisorType",
    "TagFieldType",
    "TagType",
    "TaskFieldType",
    "TaskStatus",
    "TimelineEntryType",
    "UnknownCallerPolicy",
    "VisibilityScope",
    "Weekday",
    "WindowState",
    "renamed",
]


def renamed(spellings: Mapping[str, str]) -> BeforeValidator:
    """Return a validator that replaces old spellings of a request's value: `{"ask": "on_demand"}`.

    Old spellings are accepted for one release and are not in the document.
    """

    def current(value: object) -> object:
        return spellings.get(value, value) if isinstance(value, str) else value

    return BeforeValidator(current)
