"""What the API takes and gives, as pydantic models; the OpenAPI file is made from them."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from hangtag.settings import TelephonySettings
from hangtag.store.office import contacts, employees

__all__ = ["TelephonySettings"]

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_SETTINGS_BYTES = 2048
# The default of what may be left out of a change, but not be null.
UNSENT: Any = None
_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether it can be an id of ours; nothing is ever found under any other text."""
    return _ID.fullmatch(text) is not None


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("it holds a control character")
    return text


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]
PhoneText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,32}$", max_length=32)]
ExtensionText = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z*._-]{1,32}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$", max_length=320)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
# The time that a list asks for: `history.between` reads it.
From = Annotated[str | None, Query(alias="from", max_length=40)]
To = Annotated[str | None, Query(alias="to", max_length=40)]
Role = Literal["employee", "admin"]


class RequestModel(BaseModel):
    """What is sent: unknown fields are refused, so that a typing error does not pass unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class ResponseModel(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class PageModel(ResponseModel, Generic[T]):
    """A page of a list. `next_cursor` is null at the end."""

    items: list[T]
    next_cursor: str | None = None


class ExtensionShape(RequestModel):
    """A short number at one of the PBXs."""

    integration_id: Id
    extension: ExtensionText


class PhoneInput(RequestModel):
    """A number with the tenant's word for what it is, such as Mobile."""

    number: PhoneText
    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = None


def _spelling(phone: object) -> str:
    return "(text)" if isinstance(phone, str) else "(typed)"


# The tags say which of the two is meant, so that only its own fault is told; what is in brackets is no field's name.
PhoneIn = Annotated[
    Annotated[PhoneText, Tag("(text)")] | Annotated[PhoneInput, Tag("(typed)")], Discriminator(_spelling)
]


def typed(phones: Iterable[str | PhoneInput]) -> list[tuple[str, str | None]]:
    """Numbers as they were sent, each with its type."""
    return [(phone, None) if isinstance(phone, str) else (phone.number, phone.type) for phone in phones]


Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class WorkingDay(BaseModel):
    """Hours of one day of the week, local time: `from` 09:00 `to` 18:00."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    day: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
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
    role: Role = "employee"
    phones: list[PhoneIn] = Field(default_factory=list, max_length=employees.MAX_PHONES)
    extensions: list[ExtensionShape] = Field(default_factory=list, max_length=employees.MAX_EXTENSIONS)
    working_hours: WorkingHours | None = None
    deputy_id: Id | None = None


class UpdateEmployeeRequest(RequestModel):
    """What changes of an employee; what is not sent stays."""

    name: Text = UNSENT
    email: Email | None = None
    role: Role = UNSENT
    phones: list[PhoneIn] = Field(default=UNSENT, max_length=employees.MAX_PHONES)
    extensions: list[ExtensionShape] = Field(default=UNSENT, max_length=employees.MAX_EXTENSIONS)
    working_hours: WorkingHours | None = None
    deputy_id: Id | None = None


class PhoneOut(ResponseModel):
    """A number: as typed, in E.164, and what to dial after the answer; `shown` is by the mask of its type."""

    raw: str
    e164: str
    extension: str | None
    type: str | None = None
    shown: str


class EmployeeOut(ResponseModel):
    """An employee."""

    id: str
    name: str
    email: str | None
    role: str
    phones: list[PhoneOut]
    extensions: list[ExtensionShape]
    working_hours: WorkingHours | None
    deputy_id: str | None
    created_at: datetime


class SetLineRequest(RequestModel):
    """How a line is called."""

    name: Text
    color: Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")] | None = None


class LineOut(ResponseModel):
    """A line."""

    number: str
    name: str
    color: str | None


ExternalId = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_printable)
]


class CreateContactRequest(RequestModel):
    """A contact to be. Numbers may be in any format."""

    name: Text
    phones: list[PhoneIn] = Field(default_factory=list, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None
    external_id: ExternalId | None = None


class UpdateContactRequest(RequestModel):
    """What changes of a contact; what is not sent stays."""

    name: Text = UNSENT
    phones: list[PhoneIn] = Field(default=UNSENT, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None
    external_id: ExternalId | None = None


class ContactPhone(PhoneOut):
    """A number of a contact's. If an older contact has it too, it is matched to that one: `matched_contact_id`."""

    matched: bool
    matched_contact_id: str | None


class ContactOut(ResponseModel):
    """A contact."""

    id: str
    name: str
    phones: list[ContactPhone]
    supervisor_id: str | None
    external_id: str | None = None
    created_at: datetime


class StoredModel(BaseModel):
    """Something kept as JSON by another part. Fields of a later version pass."""

    model_config = ConfigDict(frozen=True, extra="allow")


class CallLeg(StoredModel):
    """One phone that rang."""

    extension: str | None
    outcome: str | None
    answered: bool
    talk_seconds: int | None


class RecordingOut(StoredModel):
    """A recording of a call. `size` is in bytes; `reason` says why it is not there yet, or not at all; a `held` one is
    not to be deleted.
    """

    id: str
    temporary: bool
    state: Literal["waiting", "kept", "linked", "on_request", "not_kept", "failed", "expired", "erased"]
    reason: str | None = None
    size: int | None = None
    media_type: str | None = None
    held: bool = False


class CallOut(StoredModel):
    """A call. Times are UTC. `clicked`: it was started here; `reason` says why such a call did not come about."""

    id: str
    integration_id: str
    provider: str
    clicked: bool = False
    reason: str | None = None
    call_id: str | None
    direction: str | None
    external: str | None
    line: str | None
    state: str
    outcome: str | None
    started_at: str | None
    answered_at: str | None
    ended_at: str | None
    talk_seconds: int | None
    answered_by: str | None
    legs: list[CallLeg]
    end_unknown: bool
    linked_call_id: str | None
    recording: RecordingOut | None
    recordings: list[RecordingOut] = Field(default_factory=list)
    data: dict[str, str]
    employee_id: str | None
    employee_ids: list[str] = Field(default_factory=list)
    contact_id: str | None
    task_id: str | None = None
    hidden: bool = False
    tag_id: str | None
    tag_type: str | None = None
    skip_reason: str | None


class TagField(StoredModel):
    """One field of a tag."""

    name: str
    type: str
    value: Any


class TagOut(StoredModel):
    """A tag, with its fields in their fixed order."""

    id: str
    type: str
    direction: str
    call_id: str
    contact_id: str | None
    task_id: str | None
    employee_ids: list[str] = Field(default_factory=list)
    hidden: bool
    revision: int
    end_unknown: bool
    fields: list[TagField]
