"""Names, filters and earlier spellings of the desk's API, without a table."""

from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import ValidationError

from hangtag.api.calls import service as calls
from hangtag.api.recordings.models import SetRecordingHoldRequest
from hangtag.api.reports.models import ReportMetrics
from hangtag.domain.reports.facts import Group
from hangtag.domain.reports.report import Filters, Numbers
from hangtag.store.office import names
from hangtag.store.office.names import References
from hangtag.store.office.participants import EmployeeRef
from hangtag.store.office.tenants import Tenant

Item = dict[str, Any]
OWN = "T#t"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, str]]]:
    stored: dict[tuple[str, str], Item] = {
        ("T#t#CONTACT#acme", "CONTACT"): {"name": {"S": "Acme GmbH"}},
        ("T#t#TASK#offer", "TASK"): {"body": {"S": '{"title": "Send the offer"}'}},
        (OWN, "EMPLOYEE#anna"): {"name": {"S": "Anna Schmidt"}},
        (OWN, "GROUP#sales"): {"name": {"S": "Sales"}},
        (OWN, "LINE#+4930901820"): {"name": {"S": "Support"}, "color": {"S": "#2f80ed"}},
    }
    batches: list[list[tuple[str, str]]] = []

    def read_all(places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        batches.append(list(places))
        return {place: stored[place] for place in batches[-1] if place in stored}

    monkeypatch.setattr(names, "read_all", read_all)
    monkeypatch.setattr(names, "get_tenant", lambda _: Tenant("t", "Acme", "DE", "Europe/Berlin", "2026-01-01"))
    return batches


def test_all_names_of_a_page_come_from_one_batched_read(reads: list[list[tuple[str, str]]]) -> None:
    ids = References({"acme", "gone"}, {"anna"}, {"offer"}, {"4930901820"}, {"sales", "anna"}, numbers=True)
    result = names.load("t", ids)
    assert len(reads) == 1
    assert (result.contacts, result.tasks) == ({"acme": "Acme GmbH"}, {"offer": "Send the offer"})
    assert result.employees == {"anna": "Anna Schmidt"}
    assert result.supervisors == {"sales": ("group", "Sales"), "anna": ("employee", "Anna Schmidt")}
    assert result.lines == {"+4930901820": ("Support", "#2f80ed")}
    assert result.show("+12015550123") == "+12015550123"


@pytest.mark.parametrize("line", ["+4930901820", "4930901820", "030 901820"])
def test_a_line_filter_matches_every_spelling_of_the_line(line: str) -> None:
    group = Group(0, None, (), None, line, "i", "in", "answered", None)
    assert Filters(line="+4930901820", country="DE").fit(group)
    assert not Filters(line="+4930901821", country="DE").fit(group)


def test_report_figures_have_their_public_names() -> None:
    numbers = Numbers(
        calls=12, incoming=8, outgoing=4, answered=9, missed=2, unreached=1, first_time_callers=3,
        talk_seconds=1860, timed=6, answer_ms=49_200, returned=2, return_seconds=1800,
    )  # fmt: skip
    shown = ReportMetrics.of(numbers).model_dump()
    assert (shown["missed_incoming"], shown["unanswered_outgoing"], shown["timed_calls"]) == (2, 1, 6)
    assert (shown["answer_ms_total"], shown["return_seconds_total"]) == (49_200, 1800)
    assert (shown["talk_minutes"], shown["answer_rate"]) == (31.0, 0.75)


@pytest.mark.parametrize("body", [{"retention_hold": True}, {"held": True}, {"retention_hold": True, "held": False}])
def test_a_retention_hold_is_accepted_under_its_earlier_name(body: dict[str, bool]) -> None:
    assert SetRecordingHoldRequest.model_validate(body).retention_hold is True


def test_a_retention_hold_is_required() -> None:
    with pytest.raises(ValidationError):
        SetRecordingHoldRequest.model_validate({})


def open_call(answered_by: str | None, *extensions: str) -> dict[str, Any]:
    legs = [{"extension": extension} for extension in extensions]
    return {"integration_id": "i", "legs": legs, "answered_by": answered_by, "tag_id": None, "skip_reason": None}


@pytest.mark.parametrize(
    ("call", "employee_id", "employee_ids"),
    [
        (open_call(None, "101", "102"), "anna", ["anna", "boris"]),
        (open_call("102", "101", "102"), "boris", ["anna", "boris"]),
        (open_call(None, "199", "102"), "boris", ["boris"]),
        (open_call(None, "199"), None, []),
    ],
)
def test_an_open_call_has_the_employees_whose_phones_ring(
    call: dict[str, Any], employee_id: str | None, employee_ids: list[str]
) -> None:
    people = {("i", "101"): EmployeeRef("anna", "Anna"), ("i", "102"): EmployeeRef("boris", "Boris")}
    shown = calls._with_employees(call, people)
    assert (shown["employee_id"], shown["employee_ids"]) == (employee_id, employee_ids)


@pytest.mark.parametrize(
    ("state", "fits"),
    [("open", True), ("closed", False)],
)
def test_the_employee_filter_finds_open_calls_that_ring(state: str, fits: bool) -> None:
    body = {"state": state, "employee_id": "anna", "employee_ids": ["anna", "boris"]}
    assert calls._fits(body, {"employee_id": "boris", "state": None}) is fits
