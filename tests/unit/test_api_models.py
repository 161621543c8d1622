"""Shared parts of the API's models: enums, times, ids and the validation errors shown to callers."""

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from hangtag.api.kernel import enums
from hangtag.api.kernel.models import (
    ContactId,
    Email,
    EmployeeId,
    Instant,
    Page,
    RequestModel,
    SupervisorId,
    Text,
    format_instant,
)
from hangtag.api.kernel.problem import validation_fields
from hangtag.domain.calls.classify import SkipReason, TagType
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.errors import FieldError
from hangtag.providers import all_keys

ENUMS: list[tuple[type[StrEnum], type[StrEnum]]] = [
    (SkipReason, enums.SkipReason),
    (TagType, enums.TagType),
    (Direction, enums.Direction),
    (Outcome, enums.Outcome),
    (Kind, enums.CallEventKind),
]


@pytest.mark.parametrize(("domain", "public"), ENUMS)
def test_enum_of_the_api_covers_the_domain(domain: type[StrEnum], public: type[StrEnum]) -> None:
    assert {one.value for one in domain} <= {one.value for one in public}


def test_provider_keys_are_those_of_the_registry() -> None:
    assert {one.value for one in enums.ProviderKey} == set(all_keys())


def test_enums_of_the_module_are_exported() -> None:
    own = {
        name
        for name, value in vars(enums).items()
        if isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum
    }
    assert own | {"renamed"} == set(enums.__all__)


class Sample(RequestModel):
    """A body with fields of every kind."""

    mode: Annotated[enums.RecordingMode, enums.renamed({"ask": "on_demand"})] = enums.RecordingMode.COPY
    name: Text = "x"
    count: int = Field(default=1, ge=1, le=5)
    contact_id: ContactId | None = None
    employee_id: EmployeeId | None = None
    supervisor_id: SupervisorId | None = None
    email: Email | None = None
    at: Instant | None = None
    tags: list[str] = Field(default_factory=list, max_length=1)


def errors(**body: object) -> list[FieldError]:
    """Return the field errors of a body."""
    try:
        Sample.model_validate(body)
    except ValidationError as error:
        return list(validation_fields([dict(one) for one in error.errors()]))
    return []


def test_the_old_spelling_of_a_value_is_accepted_in_requests() -> None:
    assert Sample.model_validate({"mode": "ask"}).mode is enums.RecordingMode.ON_DEMAND
    assert Sample.model_validate({"mode": "on_demand"}).mode is enums.RecordingMode.ON_DEMAND


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "sometimes"}, "not_allowed_value"),
        ({"name": ""}, "too_short"),
        ({"name": "x" * 201}, "too_long"),
        ({"name": "a\nb"}, "invalid_format"),
        ({"name": 1}, "invalid_type"),
        ({"count": 6}, "out_of_range"),
        ({"count": "many"}, "invalid_type"),
        ({"contact_id": "zzz"}, "unknown_contact"),
        ({"employee_id": "zzz"}, "unknown_employee"),
        ({"supervisor_id": "zzz"}, "unknown_employee"),
        ({"email": "nobody"}, "invalid_email"),
        ({"at": "tomorrow"}, "invalid_time"),
        ({"tags": ["a", "b"]}, "too_long"),
        ({"nmae": "x"}, "unknown_field"),
    ],
)
def test_a_field_error_has_a_code_and_a_sentence(body: dict[str, object], code: str) -> None:
    (error,) = errors(**body)
    assert (error.field, error.code.value) == (next(iter(body)), code)
    assert error.reason[0].isupper()
    assert error.reason.endswith(".")
    for word in ("should", "Input", "pattern '", "pydantic"):
        assert word not in error.reason
    json.dumps(dict(error.params))


def test_limits_of_a_field_are_in_its_params() -> None:
    assert errors(name="x" * 201)[0].params == {"max_length": 200}
    assert errors(count=6)[0].params == {"le": 5}
    assert errors(mode="sometimes")[0].params == {"allowed": ["copy", "link", "on_demand", "none"]}


class Moment(BaseModel):
    """A response with one time."""

    at: Instant


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 30, 20, 41, 53, 855999, tzinfo=UTC),
        datetime(2026, 11, 30, 20, 41, 53, 855000),
        datetime(2026, 11, 30, 22, 41, 53, 855000, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_every_time_has_milliseconds_in_utc(moment: datetime) -> None:
    assert Moment(at=moment).model_dump(mode="json") == {"at": "2026-11-30T20:41:53.855Z"}
    assert format_instant(moment) == "2026-11-30T20:41:53.855Z"


def test_a_stored_time_in_another_form_is_reformatted() -> None:
    assert Moment.model_validate({"at": "2026-11-30T20:41:53+00:00"}).model_dump(mode="json") == {
        "at": "2026-11-30T20:41:53.000Z"
    }


class MomentPage(Page[Moment]):
    """A page of moments."""


def test_a_named_page_is_one_schema_under_its_name() -> None:
    schema = MomentPage.model_json_schema(mode="serialization")
    assert schema["title"] == "MomentPage"
    assert schema["properties"]["items"]["items"] == {"$ref": "#/$defs/Moment"}
