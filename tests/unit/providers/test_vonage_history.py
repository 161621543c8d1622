"""Call log of Vonage."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import CallEvent, Direction, Outcome
from hangtag.domain.calls.fold import fold
from provider_stories import NOON
from vonage_helpers import CALLER, CONTACT, DEVICE, DIALLED, EMPLOYEE, OWN, STAMP, fake_account, vonage


def row(payload: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    def endpoint(address: str) -> dict[str, str]:
        return {"type": "sip", "uri": address} if ":" in address else {"type": "phone", "number": address}

    return {
        **payload, "from": endpoint(payload["from"]), "to": endpoint(payload["to"]),
        "status": "completed", "duration": "40",
        "start_time": "2026-03-01T11:00:00.000Z", "end_time": "2026-03-01T11:00:40.000Z", **more,
    }  # fmt: skip


def history_of(rows: list[dict[str, Any]], page_size: int = 100) -> list[CallEvent]:
    with fake_account() as (account, api, _):
        api.calls, api.page_size = rows, page_size
        return list(vonage.history(account, NOON - timedelta(hours=2), NOON, PlainClient()))


def test_history_reads_every_page_of_the_list() -> None:
    rows = [row({**CALLER, "uuid": f"u-{number}", "conversation_uuid": f"CON-{number}"}) for number in range(7)]
    assert {event.call_id for event in history_of(rows, page_size=3)} == {f"CON-{number}" for number in range(7)}


def test_inbound_leg_determines_the_direction_of_a_listed_call() -> None:
    incoming = fold(history_of([row(CALLER), row(EMPLOYEE)]))
    assert (incoming.direction, incoming.external, incoming.answered_by) == (Direction.IN, f"+{CONTACT}", "101")
    clicked = fold(history_of([row(EMPLOYEE), row(DIALLED, status="busy", start_time=None, duration="0")]))
    assert (clicked.direction, clicked.outcome, clicked.external) == (Direction.OUT, Outcome.BUSY, f"+{CONTACT}")
    # The Missed Call of a click is written, even if the webhook of the pick-up was lost.
    verdict_of = classify(clicked, mapped={"101"}, external_is_employee=False, pick_up=vonage.pick_up)
    assert verdict_of.skip is None
    dialled = fold(history_of([row({**CALLER, "from": DEVICE, "to": CONTACT}), row(DIALLED)]))
    assert (dialled.direction, dialled.outcome, dialled.answered_by) == (Direction.OUT, Outcome.SUCCESS, "101")
    app = {"from": None, "to": {"type": "app", "user": "anna"}}
    among = fold(history_of([row(CALLER) | app, row(EMPLOYEE)]))
    assert (among.direction, among.external, among.answered_by) == (Direction.OUT, "101", "anna")
    assert among.line == f"+{OWN}"


def test_leg_of_an_earlier_call_is_not_a_separate_call() -> None:
    before = {"start_time": "2026-03-01T09:59:50.000Z", "end_time": "2026-03-01T10:00:40.000Z"}
    rang = {"start_time": None, "end_time": "2026-03-01T10:00:30.000Z", "status": "unanswered", "duration": "0"}
    assert history_of([row(CALLER, **before), row(EMPLOYEE, **rang)]) == []


def test_single_leg_to_a_phone_is_a_call_only_if_unanswered() -> None:
    """The other leg continued in another conversation, so the direction is unknown."""
    assert history_of([row(EMPLOYEE)]) == []
    (event,) = history_of([row(EMPLOYEE, status="timeout", duration="0", start_time=None)])
    assert (event.direction, event.outcome) == (Direction.OUT, Outcome.NO_ANSWER)


@pytest.mark.parametrize(
    "changes",
    [
        {"end_time": None, "start_time": STAMP, "status": "answered"},
        {"status": "teleported"},
        {"uuid": ""},
        {"to": 7, "uuid": []},
    ],
)
def test_history_skips_rows_that_are_malformed_or_not_ended(changes: dict[str, Any]) -> None:
    assert history_of([row(CALLER, **changes)]) == []
