"""What became of a recording: an attribute of its call's item for each, `rec#` and the recording's id."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["PREFIX", "KeptState", "RecordingState", "read_kept"]

PREFIX = "rec#"


class KeptState(StrEnum):
    """waiting: it is to be fetched. kept: a copy is in the bucket. linked: the PBX's address is what there is.

    on_request: the PBX is asked for an address at each play. not_kept: by the tenant's rule. failed: it could not be
    fetched, `reason` says why. expired: the tenant's time was up. erased: with the person whose voice it is.
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
    """How it stands with one recording. `tries` were begun; `due` is when the next may begin, ISO 8601 in UTC.

    `reason` says in words why the last try failed. `place` is the object's key, `size` its bytes. `held`: it is not to
    be deleted, whatever the rules say.
    """

    state: KeptState
    tries: int = 0
    due: str | None = None
    reason: str | None = None
    place: str | None = None
    size: int | None = None
    media_type: str | None = None
    held: bool = False

    def to_text(self) -> str:
        """As the table keeps it: the same text for the same value."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, False, 0)}
        return json.dumps(said, sort_keys=True, ensure_ascii=False)


def read_kept(raw: Mapping[str, Any]) -> dict[str, RecordingState]:
    """The recordings of a call's item, from DynamoDB's form, by id."""
    return {
        name.removeprefix(PREFIX): _kept(json.loads(value["S"]))
        for name, value in raw.items()
        if name.startswith(PREFIX)
    }


def _kept(said: Mapping[str, Any]) -> RecordingState:
    return RecordingState(**{**said, "state": KeptState(said["state"])})
