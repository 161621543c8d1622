"""Request and response models of employees."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from hangtag.api.kernel.enums import EmployeeRole, Weekday
from hangtag.api.kernel.models import (
    UNSENT,
    Email,
    EmployeeId,
    ExtensionText,
    Instant,
    IntegrationId,
    Page,
    Phone,
    PhoneIn,
    RequestModel,
    ResponseModel,
    Text,
)
from hangtag.store.office import employees

__all__ = [
    "CreateEmployeeRequest",
    "Employee",
    "EmployeePage",
    "Extension",
    "ExtensionInput",
    "UpdateEmployeeRequest",
    "WorkingDay",
    "WorkingDayInput",
    "WorkingHours",
    "WorkingHoursInput",
]

MAX_SPANS = 21
_NAME = "Name of the employee, 1 to 200 characters."
_EMAIL = "Address for notifications. Null without one."
_ROLE = "Role of the employee's tokens."
_PHONES = "The employee's own numbers. Calls with them are not tagged."
_EXTENSIONS = "Extensions of the employee. An extension belongs to one employee."
_HOURS = "Working hours. Null for an employee who always works."
_DEPUTY = "Id of the employee who receives calls outside the working hours. Null without a deputy."
_ZONE = "IANA name. Null for the tenant's time zone."
_DAYS = "Spans of work, at most 3 for each day. A night shift is two spans, until 24:00 and from 00:00."
_ID_EXAMPLE = "7d65a08f5a2e0b7a"
_DAYS_EXAMPLE = [{"day": "mon", "from": "09:00", "to": "18:00"}]

Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Start = Annotated[Clock, Field(alias="from", description="Start, local time `HH:MM`.", examples=["09:00"])]
End = Annotated[
    Clock,
    Field(
        alias="to", description="End, local time `HH:MM`, later than the start. 24:00 is midnight.", examples=["18:00"]
    ),
]
MappedIntegration = Annotated[
    IntegrationId, Field(description="Id of the PBX's integration.", examples=["5f4dcc3b5aa765d6"])
]
ExtensionNumber = Annotated[ExtensionText, Field(description="The extension at that PBX.", examples=["101"])]
EmployeeName = Annotated[Text, Field(description=_NAME, examples=["Anna Becker"])]
EmailInput = Annotated[Email | None, Field(description=_EMAIL, examples=["anna@example.com"])]
RoleInput = Annotated[EmployeeRole, Field(description=_ROLE, examples=["employee"])]
PhonesInput = Annotated[
    list[PhoneIn],
    Field(
        max_length=employees.MAX_PHONES,
        description=f"{_PHONES} Any format; each a string or an object with a type.",
        examples=[["+4915112345678"]],
    ),
]
DeputyInput = Annotated[EmployeeId | None, Field(description=_DEPUTY, examples=["a94a8fe5ccb19ba6"])]


class ExtensionInput(RequestModel):
    """Extension to map to an employee."""

    integration_id: MappedIntegration
    extension: ExtensionNumber


class Extension(ResponseModel):
    """Extension of an employee at one PBX."""

    integration_id: Annotated[str, Field(description="Id of the PBX's integration.", examples=["5f4dcc3b5aa765d6"])]
    extension: Annotated[str, Field(description="The extension at that PBX.", examples=["101"])]


class WorkingDayInput(RequestModel):
    """One span of work on a day of the week."""

    model_config = ConfigDict(populate_by_name=True)

    day: Annotated[Weekday, Field(description="Day of the week.", examples=["mon"])]
    start: Start
    end: End


class WorkingHoursInput(RequestModel):
    """Working hours to set."""

    time_zone: Annotated[
        Annotated[str, StringConstraints(max_length=64)] | None, Field(description=_ZONE, examples=["Europe/Berlin"])
    ] = None
    days: Annotated[list[WorkingDayInput], Field(max_length=MAX_SPANS, description=_DAYS, examples=[_DAYS_EXAMPLE])]


class WorkingDay(ResponseModel):
    """One span of work on a day of the week."""

    model_config = ConfigDict(populate_by_name=True)

    day: Annotated[Weekday, Field(description="Day of the week.", examples=["mon"])]
    start: Start
    end: End


class WorkingHours(ResponseModel):
    """Working hours of an employee."""

    time_zone: Annotated[str | None, Field(description=_ZONE, examples=["Europe/Berlin"])]
    days: Annotated[list[WorkingDay], Field(description=_DAYS, examples=[_DAYS_EXAMPLE])]


ExtensionsInput = Annotated[
    list[ExtensionInput],
    Field(
        max_length=employees.MAX_EXTENSIONS,
        description=_EXTENSIONS,
        examples=[[{"integration_id": "5f4dcc3b5aa765d6", "extension": "101"}]],
    ),
]
HoursInput = Annotated[
    WorkingHoursInput | None, Field(description=_HOURS, examples=[{"time_zone": None, "days": _DAYS_EXAMPLE}])
]


class CreateEmployeeRequest(RequestModel):
    """Body of `createEmployee`."""

    name: EmployeeName
    email: EmailInput = None
    role: RoleInput = EmployeeRole.EMPLOYEE
    phones: PhonesInput = Field(default_factory=list)
    extensions: ExtensionsInput = Field(default_factory=list)
    working_hours: HoursInput = None
    deputy_id: DeputyInput = None


class UpdateEmployeeRequest(RequestModel):
    """Body of `updateEmployee`. Omitted properties keep their values; lists are replaced."""

    name: EmployeeName = UNSENT
    email: EmailInput = None
    role: RoleInput = UNSENT
    phones: PhonesInput = UNSENT
    extensions: ExtensionsInput = UNSENT
    working_hours: HoursInput = None
    deputy_id: DeputyInput = None


class Employee(ResponseModel):
    """Employee of the tenant."""

    id: Annotated[str, Field(description="Id of the employee.", examples=[_ID_EXAMPLE])]
    name: Annotated[str, Field(description=_NAME, examples=["Anna Becker"])]
    email: Annotated[str | None, Field(description=_EMAIL, examples=["anna@example.com"])]
    role: Annotated[EmployeeRole, Field(description=_ROLE, examples=["employee"])]
    phones: Annotated[list[Phone], Field(description=_PHONES)]
    extensions: Annotated[list[Extension], Field(description=_EXTENSIONS)]
    working_hours: Annotated[WorkingHours | None, Field(description=_HOURS)]
    deputy_id: Annotated[str | None, Field(description=_DEPUTY, examples=["a94a8fe5ccb19ba6"])]
    created_at: Annotated[
        Instant, Field(description="Time of the employee's creation.", examples=["2026-11-30T20:41:53.855Z"])
    ]


class EmployeePage(Page[Employee]):
    """Page of employees, in the order of their ids."""
