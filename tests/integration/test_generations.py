"""Reuse of a call id by a PBX: a call is sealed a day after its last event."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.store.calls.events import AppendStatus, Source, append
from hangtag.store.calls.items import CallItem, call_key, parse
from local.stack import Stack

PORT = 4617
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=25)
SOURCE = Source("nobody", "pbx", "telephony_api")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


class ReusedCallId:
    """One call id of a PBX, and its items in the table."""

    def __init__(self, stack: Stack) -> None:
        self.call_id = uuid.uuid4().hex
        self._client: Any = stack.client("dynamodb")
        self._table = stack.table

    def append(self, kind: Kind, at: datetime, **more: Any) -> AppendStatus:
        event = CallEvent(
            call_id=self.call_id, kind=kind, at=at, at_is_arrival=True, leg="101", extension="101",
            direction=Direction.IN, external="79101234567", **more,
        )  # fmt: skip
        return append(SOURCE, event, at, timedelta(hours=1)).verdict

    def generation(self, number: int) -> CallItem | None:
        key = call_key(SOURCE.tenant_id, SOURCE.integration_id, self.call_id, number)
        response = self._client.get_item(TableName=self._table, Key=key.item_key(), ConsistentRead=True)
        return parse(response["Item"]) if "Item" in response else None

    def kinds(self, number: int) -> list[Kind]:
        item = self.generation(number)
        return sorted(event.kind for event in item.events) if item else []


@pytest.fixture
def line(stack: Stack) -> ReusedCallId:
    line = ReusedCallId(stack)
    line.append(Kind.RINGING, NOW)
    line.append(Kind.ENDED, NOW + timedelta(seconds=30), outcome=Outcome.MISSED)
    return line


def test_within_a_day_all_events_are_one_call(line: ReusedCallId) -> None:
    assert line.append(Kind.RINGING, NOW + timedelta(hours=23)) is AppendStatus.STORED
    assert line.kinds(1) == []


def test_ringing_after_a_day_opens_the_next_generation(line: ReusedCallId) -> None:
    again = NOW + DAY
    assert line.append(Kind.RINGING, again) is AppendStatus.STORED
    assert line.append(Kind.ENDED, again + timedelta(seconds=9), outcome=Outcome.SUCCESS) is AppendStatus.STORED
    assert line.kinds(0) == [Kind.ENDED, Kind.RINGING]
    assert line.kinds(1) == [Kind.ENDED, Kind.RINGING]


def test_a_late_recording_amends_a_sealed_generation(line: ReusedCallId) -> None:
    late = NOW + DAY
    assert line.append(Kind.RECORDED, late, recording="https://pbx/1") is AppendStatus.STORED
    assert line.append(Kind.RINGING, late + timedelta(minutes=1)) is AppendStatus.STORED
    assert line.kinds(0) == [Kind.ENDED, Kind.RECORDED, Kind.RINGING]
    assert line.kinds(1) == [Kind.RINGING]


def test_a_duplicate_is_recognised_in_its_old_generation(line: ReusedCallId) -> None:
    line.append(Kind.RINGING, NOW + DAY)
    assert line.append(Kind.RINGING, NOW) is AppendStatus.DUPLICATE
    assert line.kinds(1) == [Kind.RINGING]


def test_a_call_stores_two_hundred_events_at_most(stack: Stack) -> None:
    line = ReusedCallId(stack)
    verdicts = [line.append(Kind.RINGING, NOW, event_id=str(number)) for number in range(201)]
    assert (verdicts.count(AppendStatus.STORED), verdicts[-1]) == (200, AppendStatus.FULL)
