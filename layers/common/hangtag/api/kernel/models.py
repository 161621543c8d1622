"""Bases and shared parts of the API's request and response models; the OpenAPI document is generated from them."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from hangtag.api.kernel.enums import ActorType, SupervisorType
from hangtag.errors import ErrorCode, FieldErrorCode

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_SETTINGS_BYTES = 2048
# Default of a field that a change can omit but not set to null.
UNSENT: Any = None
_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}", re.ASCII)


def is_id(text: str) -> bool:
    """Return True if the text can be an id; no resource is stored under any other text."""
    return _ID.fullmatch(text) is not None


def invalid(code: FieldErrorCode, sentence: str, **params: Any) -> PydanticCustomError:
    """Return the error that a validator raises for a field, with its code and the sentence shown to the caller."""
    # Braces would be replaced by pydantic.
    return PydanticCustomError(code.value, sentence.replace("{", "(").replace("}", ")"), params)


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise invalid(FieldErrorCode.INVALID_FORMAT, "Control characters are not allowed.")
    return text


def _id_of(code: FieldErrorCode, sentence: str) -> AfterValidator:
    def check(text: str) -> str:
        if not is_id(text):
            raise invalid(code, sentence)
        return text

    return AfterValidator(check)


_ID_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{16,32}$", "maxLength": 32})

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]
PhoneText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ExtensionText = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z*._-]{1,32}$")]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items per page.", examples=[DEFAULT_LIMIT])]
Cursor = Annotated[
    str,
    Query(description="`next_cursor` of the previous page; omit it for the first page.", examples=["WyJDQUxMUyJd"]),
]
# An id of the caller's that is not one of Hangtag's is as unknown as a well-formed one that is not found.
Id = Annotated[str, _id_of(FieldErrorCode.INVALID_FORMAT, "Not an id of Hangtag's."), _ID_SCHEMA]
ContactId = Annotated[str, _id_of(FieldErrorCode.UNKNOWN_CONTACT, "Unknown contact."), _ID_SCHEMA]
EmployeeId = Annotated[str, _id_of(FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee."), _ID_SCHEMA]
IntegrationId = Annotated[str, _id_of(FieldErrorCode.UNKNOWN_INTEGRATION, "Unknown integration."), _ID_SCHEMA]
SupervisorId = Annotated[str, _id_of(FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee or group."), _ID_SCHEMA]
TaskId = Annotated[str, _id_of(FieldErrorCode.UNKNOWN_TASK, "Unknown task."), _ID_SCHEMA]


def _email(text: str) -> str:
    if len(text) > 320 or not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,255}", text):
        raise invalid(FieldErrorCode.INVALID_EMAIL, "Not an e-mail address.")
    return text


Email = Annotated[str, AfterValidator(_email), Field(json_schema_extra={"format": "email", "maxLength": 320})]
# `listing.between` reads the period of a list.
From = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=40,
        description=(
            "Start of the period: a date (`2026-11-30`, a day in the tenant's time zone) or an instant"
            " (`2026-11-30T09:00:00Z`), inclusive. An instant without an offset is local time of the tenant."
        ),
        examples=["2026-11-30"],
    ),
]
To = Annotated[
    str | None,
    Query(
        alias="to",
        max_length=40,
        description=("End of the period, in the same form as `from`: a date is inclusive, an instant is exclusive."),
        examples=["2026-12-06"],
    ),
]


def format_instant(moment: datetime) -> str:
    """Return a time as all responses contain it: ISO 8601, UTC, milliseconds, `Z`. A naive time is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainSerializer(format_instant, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class RequestModel(BaseModel):
    """Base of request bodies. Unknown fields are rejected so that a misspelled field fails loudly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changes(self) -> dict[str, Any]:
        """Return the fields that the request contains."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class ResponseModel(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(frozen=True)


class Page(ResponseModel, Generic[T]):
    """Base of pages: `class CallPage(Page[Call])` is one named schema."""

    items: list[T] = Field(description="The page's items.")
    next_cursor: str | None = Field(
        default=None, description="Cursor of the next page; null on the last page.", examples=["WyJDQUxMUyJd"]
    )


class ContactSummary(ResponseModel):
    """A contact in another resource."""

    id: str = Field(description="Id of the contact.", examples=["5f0c2a7be1d94c36"])
    name: str = Field(description="Name of the contact.", examples=["Acme GmbH"])


class EmployeeSummary(ResponseModel):
    """An employee in another resource."""

    id: str = Field(description="Id of the employee.", examples=["9d3b1e60a7c24f85"])
    name: str = Field(description="Name of the employee.", examples=["Anna Schmidt"])


class LineSummary(ResponseModel):
    """One of the tenant's own numbers in another resource."""

    number: str = Field(description="The number in E.164.", examples=["+442079460010"])
    name: str | None = Field(description="Name of the line; null for a line without a name.", examples=["Support"])
    color: str | None = Field(description="Colour of the line as `#rrggbb`, or null.", examples=["#2f80ed"])


class TaskSummary(ResponseModel):
    """A task in another resource."""

    id: str = Field(description="Id of the task.", examples=["c4a6f20d9b8e4731"])
    title: str = Field(description="Title of the task.", examples=["Send the offer"])


class SupervisorSummary(ResponseModel):
    """The employee or group that supervises a contact."""

    type: SupervisorType = Field(description="An employee or a group.")
    id: str = Field(description="Id of the employee or group.", examples=["9d3b1e60a7c24f85"])
    name: str = Field(description="Name of the employee or group.", examples=["Anna Schmidt"])


class Actor(ResponseModel):
    """The holder of the token that made a change. Employees have an id; `oidc` actors have their subject as the id."""

    type: ActorType = Field(description="Kind of the actor.")
    id: str | None = Field(
        description="Id of the employee, or the subject of an `oidc` actor; null for others.",
        examples=["9d3b1e60a7c24f85"],
    )
    name: str | None = Field(
        description="Name of the employee; null for others and for deleted employees.", examples=["Anna Schmidt"]
    )


class FieldProblem(ResponseModel):
    """One invalid field of a request."""

    field: str = Field(description="Path of the field; positions count from 0.", examples=["phones.0"])
    code: FieldErrorCode = Field(description="Stable reason.")
    reason: str = Field(description="The reason in English, for people.", examples=["The phone number cannot be read."])
    params: dict[str, Any] = Field(
        default_factory=dict, description="Values behind the code, such as limits.", examples=[{"max_length": 200}]
    )


class Problem(ResponseModel):
    """An error by RFC 9457."""

    type: str = Field(description="Always `about:blank`.", examples=["about:blank"])
    title: str = Field(description="Reason phrase of the status.", examples=["Bad Request"])
    status: int = Field(description="HTTP status.", examples=[400])
    code: ErrorCode = Field(description="Stable reason of the error.")
    detail: str | None = Field(
        default=None, description="The reason in English, for people.", examples=["The request is not valid."]
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="Values behind the code.", examples=[{"allow": ["GET", "POST"]}]
    )
    errors: list[FieldProblem] = Field(default_factory=list, description="The invalid fields, at most 20.")
    tel: str | None = Field(
        default=None,
        description="A link that dials the number from another phone (RFC 3966).",
        examples=["tel:+12015550123"],
    )
    request_id: str | None = Field(
        default=None,
        description="Id of the request in the operator's logs.",
        examples=["Kx3cLhT1IAMESag="],
    )


class DeletionProgress(ResponseModel):
    """Progress of a deletion that takes several requests."""

    done: bool = Field(description="False: send the request again until it returns 204.", examples=[False])


class PhoneInput(RequestModel):
    """A phone number with its type."""

    number: PhoneText = Field(description="The number in any format.", examples=["+1 201 555 0123"])
    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = Field(
        default=None, description="The tenant's name for the type of number, or null.", examples=["Mobile"]
    )


def _spelling(phone: object) -> str:
    return "(text)" if isinstance(phone, str) else "(typed)"


# The tags select the member of the union, so that errors concern that member only; a name in brackets is not a field.
PhoneIn = Annotated[
    Annotated[PhoneText, Tag("(text)")] | Annotated[PhoneInput, Tag("(typed)")], Discriminator(_spelling)
]


def typed(phones: Iterable[str | PhoneInput]) -> list[tuple[str, str | None]]:
    """Return each number of a request with its type."""
    return [(phone, None) if isinstance(phone, str) else (phone.number, phone.type) for phone in phones]


class Phone(ResponseModel):
    """A phone number of a contact or an employee."""

    raw: str = Field(description="The number as it was entered.", examples=["+1 201 555 0123 ext. 7"])
    e164: str = Field(description="The number in E.164.", examples=["+12015550123"])
    extension: str | None = Field(description="Digits to dial after the call is answered, or null.", examples=["7"])
    type: str | None = Field(default=None, description="Type of the number, or null.", examples=["Mobile"])
    formatted: str = Field(
        description="The number by the tenant's display format for its type.", examples=["(201) 555-0123 ext. 7"]
    )


ExternalId = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_printable)
]
