"""Periods of lists: dates are days of the tenant, instants are exact, mixed and reversed periods are rejected."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hangtag.api.kernel import listing
from hangtag.errors import BadInputError, ErrorCode

KYIV = ZoneInfo("Europe/Kyiv")


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_zone", lambda _: KYIV)


def period(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    times = listing.between("t", since, until)
    return times.since, times.until


def test_a_date_covers_the_whole_day_of_the_tenant() -> None:
    assert period("2026-03-01", "2026-03-01") == (
        datetime(2026, 2, 28, 22, tzinfo=UTC),
        datetime(2026, 3, 1, 22, tzinfo=UTC),
    )


def test_the_day_of_the_clock_change_has_23_hours() -> None:
    since, until = period("2026-03-29", "2026-03-29")
    assert until - since == timedelta(hours=23)


def test_an_instant_ends_a_period_exclusively() -> None:
    times = listing.between("t", "2026-03-01T10:00:00Z", "2026-03-01T12:00:00+01:00")
    assert times.holds("2026-03-01T10:00:00+00:00")
    assert not times.holds("2026-03-01T11:00:00+00:00")


def test_an_instant_without_an_offset_is_local_time_of_the_tenant() -> None:
    assert period("2026-03-01T10:00:00", "2026-03-01T11:00:00Z")[0] == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_an_unescaped_plus_in_a_query_is_restored() -> None:
    assert period("2026-03-01T10:00:00 02:00", None)[0] == datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-03-01", "2026-03-02T00:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-02"),
        ("2026-03-02", "2026-03-01"),
        ("2026-03-02T00:00:01Z", "2026-03-02T00:00:00Z"),
    ],
)
def test_a_mixed_or_reversed_period_is_rejected(since: str, until: str) -> None:
    with pytest.raises(BadInputError) as caught:
        listing.between("t", since, until)
    assert caught.value.code is ErrorCode.RANGE_INVALID
    with pytest.raises(BadInputError):
        listing.ahead("t", since, until)


@pytest.mark.parametrize("text", ["tomorrow", "", "2026-02-30", "2026-13-01T00:00:00Z", "20260301x", "1e9"])
@pytest.mark.parametrize("name", ["from", "to"])
def test_an_unreadable_bound_is_rejected_by_its_name(name: str, text: str) -> None:
    with pytest.raises(BadInputError) as caught:
        listing.between("t", text if name == "from" else None, text if name == "to" else None)
    assert [(entry.field, entry.code.value) for entry in caught.value.fields] == [(name, "invalid_time")]


@pytest.mark.parametrize(
    "since", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_extreme_dates_are_clamped_to_the_calendar(since: str) -> None:
    times = listing.between("t", since, None)
    assert datetime(2000, 1, 1, tzinfo=UTC) <= times.since <= datetime(9000, 1, 1, tzinfo=UTC)
    assert listing.between("t", None, since).until.year <= 9000


def test_a_list_covers_the_last_seven_days_by_default() -> None:
    since, until = period(None, None)
    assert since <= datetime.now(UTC) - timedelta(days=7) < since + timedelta(minutes=1)
    assert until > datetime.now(UTC)
