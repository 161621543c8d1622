"""Times as stored and shown: ISO 8601 in UTC, to the millisecond, which makes text order equal time order."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Format a time, for example 2026-01-31T09:30:00.000+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
