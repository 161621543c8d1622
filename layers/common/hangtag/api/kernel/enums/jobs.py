"""Enums of imports, exports and reports."""

from enum import StrEnum

__all__ = [
    "ImportState",
    "JobState",
    "ReportStep",
]


class ImportState(StrEnum):
    """State of a contact import.

    - `waiting`: created, not yet started.
    - `running`: rows are being imported.
    - `stopped`: stopped on request, can be resumed.
    - `done`: all rows are processed.
    - `failed`: the import cannot continue.
    """

    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class JobState(StrEnum):
    """State of a background job.

    - `running`: in progress.
    - `done`: finished.
    - `failed`: ended with an error.
    """

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ReportStep(StrEnum):
    """Interval of a report.

    - `day`: one day.
    - `week`: one week.
    """

    DAY = "day"
    WEEK = "week"
