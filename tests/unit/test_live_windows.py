"""Call windows: the window state of each employee for given call events."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call_strategies import call_events
from calls_helpers import event
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.services.live.windows import Window, windows
from hangtag.settings import TelephonySettings
from hangtag.store.office.participants import EmployeeRef, Roster

ANNA, BORIS, VERA = EmployeeRef("a", "Anna"), EmployeeRef("b", "Boris"), EmployeeRef("v", "Vera")
OFFICE = Roster(
    employees={"101": ANNA, "102": BORIS, "109": ANNA},
    employee_of_number=None,
    contact=None,
    own_line=False,
    line_name=None,
    line_color=None,
    settings=TelephonySettings(),
    definitions={},
    country="RU",
    time_zone="UTC",
)
IN = {"direction": Direction.IN, "external": "79035550101"}
OUT: dict[str, Any] = {"direction": Direction.OUT, "external": "79035550101"}


def rings(extension: str, at: int = 0, **fields: object) -> CallEvent:
    return event(Kind.RINGING, at, extension, **(IN | fields))


def answers(extension: str, at: int = 5, **fields: object) -> CallEvent:
    return event(Kind.ANSWERED, at, extension, **(IN | fields))


def ends(extension: str, outcome: Outcome, at: int = 9, **fields: object) -> CallEvent:
    return event(Kind.ENDED, at, extension, outcome=outcome, **(IN | fields))


ROWS: list[tuple[str, list[CallEvent], dict[str, str]]] = [
    ("one phone rings", [rings("101")], {"a": "ringing"}),
    ("one is answered", [rings("101"), answers("101")], {"a": "answered"}),
    ("two ring", [rings("101"), rings("102")], {"a": "ringing", "b": "ringing"}),
    ("another answers", [rings("101"), rings("102"), answers("102")], {"a": "taken", "b": "answered"}),
    (
        "a sequential group goes on to the next",
        [rings("101"), ends("101", Outcome.CANCELLED, 4), rings("102", 5)],
        {"a": "gone", "b": "ringing"},
    ),
    ("with two phones of one employee the talking one counts", [rings("101"), rings("109"), answers("109")],
     {"a": "answered"}),
    ("an extension without an employee", [rings("199")], {}),
    ("one of them is unassigned", [rings("199"), rings("101")], {"a": "ringing"}),
    ("an unassigned phone answered", [rings("199"), rings("101"), answers("199")], {"a": "taken"}),
    ("it is over", [rings("101"), answers("101"), ends("101", Outcome.SUCCESS)], {"a": "ended"}),
    ("it is over, and another had it",
     [rings("101"), rings("102"), answers("102"), ends("102", Outcome.SUCCESS)], {"a": "taken", "b": "ended"}),
    ("no answer",
     [rings("101"), rings("102"), ends("101", Outcome.MISSED), ends("102", Outcome.MISSED, final=True)],
     {"a": "ended", "b": "ended"}),
    ("handed on within the call",
     [rings("101"), answers("101"), event(Kind.TRANSFERRED, 6, "101", **IN), rings("102", 6), answers("102", 8)],
     {"a": "taken", "b": "answered"}),
    ("dialled by hand", [rings("101", **OUT)], {"a": "ringing"}),
    ("a call among employees", [rings("101", direction=Direction.INTERNAL)], {}),
    ("from an extension", [rings("101", external="102")], {}),
    ("no phone rang yet", [event(Kind.RINGING, 0, "", **IN)], {}),
]  # fmt: skip


@pytest.mark.parametrize(("events", "states"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_employee_has_the_window_state_of_the_events(events: list[CallEvent], states: dict[str, str]) -> None:
    result = windows(fold(events), OFFICE, ())
    assert {person: str(window) for person, (window, _) in result.items()} == states


def test_a_call_with_an_employees_own_number_has_no_window() -> None:
    office = replace(OFFICE, employee_of_number="v")
    assert windows(fold([rings("101")]), office, ("v",)) == {}


def test_a_supervisor_watches_calls_that_ring_at_other_phones() -> None:
    ringing, over = [rings("101")], [rings("101"), ends("101", Outcome.MISSED, final=True)]
    assert windows(fold(ringing), OFFICE, ("v", "a")) == {
        "a": (Window.RINGING, "101"),
        "v": (Window.WATCHING, None),
    }
    assert windows(fold(over), OFFICE, ("v",))["v"] == (Window.ENDED, None)
    assert windows(fold([rings("199")]), OFFICE, ("v",)) == {}


@settings(max_examples=200, deadline=None)
@given(st.lists(call_events(), max_size=8))
def test_only_participants_see_a_call_window(events: list[CallEvent]) -> None:
    call = fold(events)
    result = windows(call, OFFICE, ())
    assert result.keys() <= {OFFICE.employees[one].id for one in call.extensions if one in OFFICE.employees}
    assert sum(window is Window.ANSWERED for window, _ in result.values()) <= len(call.legs)


@settings(max_examples=200, deadline=None)
@given(st.lists(call_events(), max_size=8))
def test_closed_call_does_not_ring_any_employee(events: list[CallEvent]) -> None:
    call = fold(events)
    result = windows(call, OFFICE, ())
    if call.closed:
        assert {window for window, _ in result.values()} <= {Window.ENDED, Window.TAKEN}
