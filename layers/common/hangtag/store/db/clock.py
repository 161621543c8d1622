"""Times as they are kept and shown: ISO 8601 in UTC, to the millisecond, so that text order is time order."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Such as 2026-01-31T09:30:00.000+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
