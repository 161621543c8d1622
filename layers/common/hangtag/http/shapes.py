"""What the API takes and gives, as pydantic models; the OpenAPI file is made from them."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hangtag.settings import TelephonySettings
from hangtag.store import contacts, employees

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
Role = Literal["employee", "admin"]


class Taken(BaseModel):
    """What is sent: unknown fields are refused, so that a typing error does not pass unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Given(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class Listed(Given, Generic[T]):
    """A page of a list. `next_cursor` is null at the end."""

    items: list[T]
    next_cursor: str | None = None


class TenantIn(Taken):
    """A tenant to be."""

    name: Text
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] = "RU"
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "Europe/Moscow"


class TenantOut(Given):
    """A tenant."""

    id: str
    name: str
    country: str
    time_zone: str
    created_at: datetime


class NewTenantOut(TenantOut):
    """A tenant just made, with its owner's token, shown once."""

    owner_token: str


class IntegrationIn(Taken):
    """A connection to a PBX. Which credentials it takes depends on the provider."""

    provider: Annotated[str, StringConstraints(max_length=64)]
    name: Text
    credentials: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)


class IntegrationOut(Given):
    """An integration, without what is secret."""

    id: str
    provider: str
    name: str
    settings: dict[str, Any]
    created_at: datetime


class NewIntegrationOut(Given):
    """An integration just made, with its webhook's address and the PBX's secrets, shown once."""

    id: str
    provider: str
    name: str
    webhook_url: str
    secrets: dict[str, str]
    instructions: str
    created_at: datetime


class DeliveryOut(Given):
    """A webhook request that led to nothing, and why; its secrets are masked."""

    received_at: datetime
    status: int
    reason: str
    method: str
    path: str
    body: str
    truncated: bool


class CredentialOut(Given):
    """One thing that a PBX needs the admin to type."""

    name: str
    required: bool
    secret: bool
    description: str


class ProviderOut(Given):
    """What a PBX needs, and can do."""

    key: str
    name: str
    credentials: list[CredentialOut]
    secrets: list[str]
    capabilities: list[str]


class ExtensionShape(Taken):
    """A short number at one of the PBXs."""

    integration_id: Id
    extension: ExtensionText


class EmployeeIn(Taken):
    """An employee to be."""

    name: Text
    email: Email | None = None
    role: Role = "employee"
    phones: list[PhoneText] = Field(default_factory=list, max_length=employees.MAX_PHONES)
    extensions: list[ExtensionShape] = Field(default_factory=list, max_length=employees.MAX_EXTENSIONS)


class EmployeeChange(Taken):
    """What changes of an employee; what is not sent stays."""

    name: Text = UNSENT
    email: Email | None = None
    role: Role = UNSENT
    phones: list[PhoneText] = Field(default=UNSENT, max_length=employees.MAX_PHONES)
    extensions: list[ExtensionShape] = Field(default=UNSENT, max_length=employees.MAX_EXTENSIONS)


class PhoneOut(Given):
    """A number: as typed, in E.164, and what to dial after the answer."""

    raw: str
    e164: str
    extension: str | None


class EmployeeOut(Given):
    """An employee."""

    id: str
    name: str
    email: str | None
    role: str
    phones: list[PhoneOut]
    extensions: list[ExtensionShape]
    created_at: datetime


class TokenIn(Taken):
    """Whose token; what it may do comes from the employee."""

    employee_id: Id


class TokenOut(Given):
    """A token, shown once."""

    token: str
    expires_at: datetime


class LineIn(Taken):
    """How a line is called."""

    name: Text
    color: Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")] | None = None


class LineOut(Given):
    """A line."""

    number: str
    name: str
    color: str | None


class ContactIn(Taken):
    """A contact to be. Numbers may be in any format."""

    name: Text
    phones: list[PhoneText] = Field(default_factory=list, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None


class ContactChange(Taken):
    """What changes of a contact; what is not sent stays."""

    name: Text = UNSENT
    phones: list[PhoneText] = Field(default=UNSENT, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None


class ContactOut(Given):
    """A contact."""

    id: str
    name: str
    phones: list[PhoneOut]
    supervisor_id: str | None
    created_at: datetime


class Shown(BaseModel):
    """Something kept as JSON by another part. Fields of a later version pass."""

    model_config = ConfigDict(frozen=True, extra="allow")


class LegOut(Shown):
    """One phone that rang."""

    extension: str | None
    outcome: str | None
    answered: bool
    talk_seconds: int | None


class RecordingOut(Shown):
    """Where a recording is."""

    url: str
    temporary: bool


class CallOut(Shown):
    """A call. Times are UTC."""

    id: str
    integration_id: str
    provider: str
    call_id: str
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
    legs: list[LegOut]
    end_unknown: bool
    linked_call_id: str | None
    recording: RecordingOut | None
    data: dict[str, str]
    employee_id: str | None
    contact_id: str | None
    tag_id: str | None
    skip_reason: str | None


class FieldOut(Shown):
    """One field of a tag."""

    name: str
    type: str
    value: Any


class TagOut(Shown):
    """A tag, with its fields in their fixed order."""

    id: str
    type: str
    direction: str
    call_id: str
    contact_id: str | None
    task_id: str | None
    hidden: bool
    revision: int
    end_unknown: bool
    fields: list[FieldOut]
