"""States of recordings: an attribute of the call's item for each, `rec#` and the recording's id."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["PREFIX", "RecordingState", "RecordingStatus", "parse_states"]

PREFIX = "rec#"


class RecordingStatus(StrEnum):
    """State of a recording.

    waiting: not fetched yet. kept: a copy is in the bucket. linked: only the PBX's address is available. on_request:
    the PBX returns an address for each play. not_kept: by the tenant's rule. failed: the fetch failed, see `reason`.
    expired: the tenant's time was up. erased: with the recorded person.
    """

    WAITING = "waiting"
    KEPT = "kept"
    LINKED = "linked"
    ON_REQUEST = "on_request"
    NOT_KEPT = "not_kept"
    FAILED = "failed"
    EXPIRED = "expired"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingState:
    """State of one recording. `tries` counts the tries begun; `due` is when the next can begin, ISO 8601 in UTC.

    `reason` describes why the last try failed. `place` is the object's key, `size` its bytes. `held`: retention hold,
    exempt from deletion by any rule.
    """

    state: RecordingStatus
    tries: int = 0
    due: str | None = None
    reason: str | None = None
    place: str | None = None
    size: int | None = None
    media_type: str | None = None
    held: bool = False

    def to_text(self) -> str:
        """Serialize the state for the table; equal states give equal texts."""
        body = {name: value for name, value in asdict(self).items() if value not in (None, False, 0)}
        return json.dumps(body, sort_keys=True, ensure_ascii=False)


def parse_states(raw: Mapping[str, Any]) -> dict[str, RecordingState]:
    """Parse the recordings of a call's item from DynamoDB's form, by id."""
    return {
        name.removeprefix(PREFIX): _parse(json.loads(value["S"]))
        for name, value in raw.items()
        if name.startswith(PREFIX)
    }


def _parse(body: Mapping[str, Any]) -> RecordingState:
    return RecordingState(**{**body, "state": RecordingStatus(body["state"])})
