"""Request and response models of employees."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hangtag.api.kernel.enums import EmployeeRole, Weekday
from hangtag.api.kernel.models import (
    UNSENT,
    Email,
    ExtensionText,
    Id,
    Page,
    Phone,
    PhoneIn,
    RequestModel,
    ResponseModel,
    Text,
)
from hangtag.store.office import employees

__all__ = [
    "Clock",
    "CreateEmployeeRequest",
    "Employee",
    "EmployeePage",
    "Extension",
    "UpdateEmployeeRequest",
    "WorkingDay",
    "WorkingHours",
]


class Extension(RequestModel):
    """A short number at one of the PBXs."""

    integration_id: Id
    extension: ExtensionText


Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class WorkingDay(BaseModel):
    """Hours of one day of the week, local time: `from` 09:00 `to` 18:00."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    day: Weekday
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")


class WorkingHours(RequestModel):
    """When somebody works. `time_zone` is an IANA name, null for the tenant's."""

    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    days: Annotated[list[WorkingDay], Field(max_length=21)]


class CreateEmployeeRequest(RequestModel):
    """An employee to be."""

    name: Text
    email: Email | None = None
    role: EmployeeRole = EmployeeRole.EMPLOYEE
    phones: list[PhoneIn] = Field(default_factory=list, max_length=employees.MAX_PHONES)
    extensions: list[Extension] = Field(default_factory=list, max_length=employees.MAX_EXTENSIONS)
    working_hours: WorkingHours | None = None
    deputy_id: Id | None = None


class UpdateEmployeeRequest(RequestModel):
    """What changes of an employee; what is not sent stays."""

    name: Text = UNSENT
    email: Email | None = None
    role: EmployeeRole = UNSENT
    phones: list[PhoneIn] = Field(default=UNSENT, max_length=employees.MAX_PHONES)
    extensions: list[Extension] = Field(default=UNSENT, max_length=employees.MAX_EXTENSIONS)
    working_hours: WorkingHours | None = None
    deputy_id: Id | None = None


class Employee(ResponseModel):
    """An employee."""

    id: str
    name: str
    email: str | None
    role: str
    phones: list[Phone]
    extensions: list[Extension]
    working_hours: WorkingHours | None
    deputy_id: str | None
    created_at: datetime


class EmployeePage(Page[Employee]):
    """A page of employees."""
