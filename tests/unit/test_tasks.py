"""Tasks: free fields, due times, and the tasks that a template makes for calls."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.api.kernel.enums import TaskFieldType
from hangtag.api.settings.inputs import TaskFieldInput
from hangtag.api.tasks import service
from hangtag.api.tasks.models import CreateTaskRequest
from hangtag.api.tasks.service import validated
from hangtag.errors import BadInputError
from hangtag.settings import TaskField, TaskTemplate
from hangtag.store.office.tasks import Task, check_fields, due_time, task_from_template
from hangtag.store.office.tenants import Tenant

Kind = Literal["string", "number", "boolean", "date"]
# Valid values of each type, and similar values that are invalid.
RIGHT: dict[Kind, list[Any]] = {
    "string": ["Deal", "", "5", "true"],
    "number": [5, 5.5, -1, 0],
    "boolean": [True, False],
    "date": ["2026-03-02", "2026-03-02T09:30", "2026-03-02T09:30:00+03:00", "2026-03-02T09:30:00Z"],
}
WRONG: dict[Kind, list[Any]] = {
    "string": [5, 5.5, True],
    "number": ["5", True, float("inf"), float("-inf"), float("nan")],
    "boolean": [0, 1, "true", ""],
    "date": ["tomorrow", "02.03.2026", "2026-02-30", "", 20260302, True],
}
CREATED = "2026-03-02T09:30:00.000+00:00"


def cases(values: dict[Kind, list[Any]]) -> list[tuple[Kind, Any]]:
    return [(kind, value) for kind, held in values.items() for value in held]


def field(name: str, kind: Kind = "string", value: Any = None) -> TaskField:
    return TaskField(name=name, type=kind, value=value)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = Tenant("tenant", "Acme GmbH", "DE", "Europe/Berlin", CREATED)
    monkeypatch.setattr(service, "get_tenant", lambda _: tenant)


def task_of(template: TaskTemplate, **more: Any) -> Task:
    defaults: dict[str, Any] = {"contact": ("ivan", "Ivan"), "number": "+79101234567", **more}
    return task_from_template(template, task_id="task", call_id="call", created_at=CREATED, **defaults)


# ------------------------------------------------------------------ free fields


@pytest.mark.parametrize(("kind", "value"), cases(RIGHT))
def test_a_free_field_holds_a_value_of_its_type(kind: Kind, value: Any) -> None:
    assert check_fields([field("Sum", kind, value)]) == ()


@pytest.mark.parametrize(("kind", "value"), cases(WRONG))
def test_a_value_of_the_wrong_type_is_reported_with_its_position(kind: Kind, value: Any) -> None:
    (fault,) = check_fields([field("Object"), field("Sum", kind, value)])
    assert (fault.field, fault.reason) == ("fields.1.value", f"Not a {kind}.")


@pytest.mark.parametrize("kind", RIGHT)
def test_a_free_field_of_any_type_can_be_empty(kind: Kind) -> None:
    assert check_fields([field("Sum", kind, None)]) == ()


def test_duplicate_field_names_are_reported_with_all_faults() -> None:
    fields = [field("Sum", "number", 5), field("sum", "string", "5"), field("Sum", "date", "soon")]
    assert [fault.field for fault in check_fields(fields)] == ["fields.2.name", "fields.2.value"]


@pytest.mark.usefixtures("berlin")
def test_all_invalid_fields_of_a_task_are_reported_at_once() -> None:
    sent = {"fields": [TaskFieldInput(name="Sum", type=TaskFieldType.NUMBER, value="5")], "due_at": "tomorrow"}
    with pytest.raises(BadInputError) as refused:
        validated("tenant", sent)
    faults = [(fault.field, fault.code) for fault in refused.value.fields]
    assert faults == [("fields.0.value", "invalid_type"), ("due_at", "invalid_time")]


@pytest.mark.usefixtures("berlin")
def test_valid_properties_of_a_task_get_the_types_of_the_store() -> None:
    field_input = TaskFieldInput(name="Sum", type=TaskFieldType.NUMBER, value=5)
    sent = {"title": "Sale", "fields": [field_input], "due_at": "2026-03-02T09:30Z"}
    stored = {"title": "Sale", "fields": (field("Sum", "number", 5),), "due_at": "2026-03-02T09:30:00.000+00:00"}
    assert validated("tenant", sent) == stored
    assert validated("tenant", {"due_at": None}) == {"due_at": None}


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-03-02T09:30", "2026-03-02T08:30:00.000+00:00"),
        ("2026-07-02T09:30", "2026-07-02T07:30:00.000+00:00"),
        ("2026-03-02", "2026-03-01T23:00:00.000+00:00"),
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00.000+00:00"),
    ],
)
def test_a_due_time_without_an_offset_is_local_time_of_the_tenant(text: str, stored: str) -> None:
    assert validated("tenant", {"due_at": text}) == {"due_at": stored}


@pytest.mark.parametrize("value", [True, 5, 5.5, "5", None])
def test_the_value_of_a_free_field_keeps_its_json_type(value: Any) -> None:
    request = CreateTaskRequest.model_validate({"title": "Sale", "fields": [{"name": "Sum", "value": value}]})
    assert type(request.fields[0].value) is type(value)


# ------------------------------------------------------------------ due times


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00.000+00:00"),
        ("2026-03-02T09:30:00+03:00", "2026-03-02T06:30:00.000+00:00"),
        ("2026-03-02T01:30:00+03:00", "2026-03-01T22:30:00.000+00:00"),
        ("2026-03-02T09:30", "2026-03-02T09:30:00.000+00:00"),
        ("2026-03-02", "2026-03-02T00:00:00.000+00:00"),
        ("2026-03-02T09:30:00.123456Z", "2026-03-02T09:30:00.123+00:00"),
    ],
)
def test_a_due_time_is_stored_in_utc_by_default(text: str, stored: str) -> None:
    assert due_time(text) == stored


@pytest.mark.parametrize("text", ["", "tomorrow", "02.03.2026", "2026-02-30", "2026-03-02T25:00"])
def test_a_text_that_is_not_iso_8601_is_not_a_due_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        due_time(text)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_due_time_outside_of_the_calendar_is_rejected(text: str) -> None:
    with pytest.raises(OverflowError):
        due_time(text)
    with pytest.raises(BadInputError):
        validated("tenant", {"due_at": text})


MOMENTS = st.datetimes(
    datetime(1900, 1, 1),
    datetime(2200, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(MOMENTS, MOMENTS)
def test_due_times_sort_as_text_in_order_of_time(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert due_time(first.isoformat()) <= due_time(second.isoformat())
    assert due_time(due_time(one.isoformat())) == due_time(one.isoformat())


# ------------------------------------------------------------------ templates


def test_a_template_makes_the_task_of_a_call() -> None:
    fields = [field("Object", "string", "Deal")]
    template = TaskTemplate(
        title="Call {contact} at {number}",
        assignee_id="a" * 16,
        member_ids=["b" * 16],
        due_in_minutes=90,
        fields=fields,
    )
    assert task_of(template) == Task(
        id="task",
        title="Call Ivan at +79101234567",
        contact_ids=("ivan",),
        assignee_id="a" * 16,
        member_ids=("b" * 16,),
        status="open",
        due_at="2026-03-02T11:00:00.000+00:00",
        fields=tuple(fields),
        created_at=CREATED,
        call_id="call",
    )


def test_the_default_template_has_no_due_time() -> None:
    task = task_of(TaskTemplate())
    assert (task.title, task.due_at, task.assignee_id, task.people) == ("Call with Ivan", None, None, frozenset())


def test_a_template_without_a_contact_uses_the_number() -> None:
    task = task_of(TaskTemplate(), contact=None)
    assert (task.title, task.contact_ids) == ("Call with +79101234567", ())


def test_a_template_with_zero_minutes_is_due_at_creation() -> None:
    assert task_of(TaskTemplate(due_in_minutes=0)).due_at == CREATED


def test_a_title_from_a_template_is_cut_at_200_characters() -> None:
    task = task_of(TaskTemplate(title="{contact} " * 20), contact=("ivan", "Ivan the Terrible"))
    assert len(task.title) == 200


def test_a_task_survives_a_round_trip_through_json() -> None:
    fields = [field("Sum", "number", 5.5), field("Paid", "boolean", False), field("Until", "date", "2026-03-02")]
    task = task_of(TaskTemplate(due_in_minutes=5, member_ids=["b" * 16], fields=fields))
    assert Task.from_json(task.to_json()) == task
    assert task.due_at == due_time(task.due_at or "")
    assert datetime.fromisoformat(task.due_at).tzinfo == UTC
