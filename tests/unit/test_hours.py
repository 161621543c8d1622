"""Working hours: local days, night shifts, and days with a clock change."""

from datetime import UTC, datetime

import pytest

from hangtag.hours import Hours, HoursError, Span, check, is_working

DAY = Hours("Europe/Berlin", (Span("sun", "01:00", "04:00"), Span("mon", "09:00", "17:30")))
NIGHT = Hours(None, (Span("fri", "22:00", "24:00"), Span("sat", "00:00", "06:00")))


@pytest.mark.parametrize(
    ("hours", "at", "working"),
    [
        (None, "2026-03-02T03:00", True),
        # Monday in Berlin, UTC+1.
        (DAY, "2026-03-02T07:59", False),
        (DAY, "2026-03-02T08:00", True),
        (DAY, "2026-03-02T16:29", True),
        (DAY, "2026-03-02T16:30", False),
        # In summer, UTC+2.
        (DAY, "2026-07-06T07:00", True),
        # The clock goes from 2 to 3 on 29 March: 1 to 4 are two hours.
        (DAY, "2026-03-28T23:59", False),
        (DAY, "2026-03-29T00:30", True),
        (DAY, "2026-03-29T01:30", True),
        (DAY, "2026-03-29T02:00", False),
        # A night shift at the tenant, in New York.
        (NIGHT, "2026-03-07T03:30", True),
        (NIGHT, "2026-03-07T05:00", True),
        (NIGHT, "2026-03-07T11:00", False),
    ],
)
def test_working_hours_follow_the_local_clock(hours: Hours | None, at: str, working: bool) -> None:
    assert is_working(hours, datetime.fromisoformat(at).replace(tzinfo=UTC), "America/New_York") is working


@pytest.mark.parametrize(
    ("spans", "place"),
    [
        ([Span("mon", "09:00", "09:00")], 0),
        ([Span("mon", "18:00", "09:00")], 0),
        ([Span("mon", "09:00", "12:00"), Span("mon", "11:59", "15:00")], 1),
        ([Span("mon", f"0{hour}:00", f"0{hour}:30") for hour in range(4)], 3),
    ],
)
def test_invalid_hours_are_rejected_with_the_index_of_the_span(spans: list[Span], place: int) -> None:
    with pytest.raises(HoursError) as error:
        check(spans)
    assert error.value.place == place


def test_hours_are_equal_after_encoding_and_decoding() -> None:
    check(NIGHT.spans)
    assert Hours.from_json(NIGHT.to_json()) == NIGHT
