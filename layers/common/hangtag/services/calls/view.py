"""JSON of a call as the table stores it; `hangtag.representation` maps it to the public names."""

from datetime import UTC, datetime
from typing import Any

from hangtag.domain.calls.classify import SkipReason
from hangtag.domain.calls.event import Direction, Outcome
from hangtag.domain.calls.fold import Call, Recording
from hangtag.store.calls import clicks, tags
from hangtag.store.calls import items as calls
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus

# Reason of a click-to-call that failed before the other party was called.
NOT_PICKED_UP = "The employee's own phone was not picked up."


def call_view(item: calls.CallItem, call: Call, emission: tags.Emission | None) -> dict[str, Any]:
    """Return the JSON of a call; employees and tag are set once its tag is written. Times are ISO 8601 in UTC."""
    tagged = emission is not None and emission.tag is not None
    return {
        "id": item.public_id,
        "integration_id": item.integration_id,
        "provider": item.provider,
        "clicked": item.click_id is not None,
        "reason": NOT_PICKED_UP if emission and emission.skip is SkipReason.EMPLOYEE_NO_ANSWER else None,
        "call_id": item.call_id,
        "direction": call.direction,
        "external": call.external,
        "line": call.line,
        "state": "closed" if call.closed else "open",
        "outcome": call.outcome,
        "started_at": _iso(call.started_at),
        "answered_at": _iso(call.answered_at),
        "ended_at": _iso(call.ended_at),
        "talk_seconds": call.talk_seconds,
        "answered_by": call.answered_by,
        "legs": [
            {
                "extension": leg.extension,
                "outcome": leg.outcome,
                "answered": leg.answered,
                "talk_seconds": leg.talk_seconds,
            }
            for leg in call.legs
        ],
        "end_unknown": call.end_unknown,
        "linked_call_id": call.linked_call_id,
        **recordings_view(item, call),
        "data": dict(call.data),
        "employee_id": emission.employee_id if emission else None,
        "employee_ids": list(emission.employee_ids) if emission else [],
        "contact_id": emission.contact_id if emission else None,
        "task_id": emission.tag["task_id"] if emission and emission.tag else None,
        "hidden": bool(emission and emission.tag and emission.tag["hidden"]),
        "tag_id": emission.id if emission and tagged else None,
        "tag_type": emission.tag["type"] if emission and emission.tag else None,
        "skip_reason": emission.skip if emission else None,
    }


def recordings_view(item: calls.CallItem, call: Call) -> dict[str, Any]:
    """Return the recordings of a call, and the latest under its own name. The PBX's URLs are left out."""
    shown = [_recording(one, item.recordings.get(one.id)) for one in call.recordings]
    return {"recording": shown[-1] if shown else None, "recordings": shown}


def _recording(recording: Recording, stored: RecordingState | None) -> dict[str, Any]:
    return {
        "id": recording.id,
        "temporary": recording.temporary,
        "state": stored.state if stored else RecordingStatus.WAITING,
        "reason": stored.reason if stored else None,
        "size": stored.size if stored else None,
        "media_type": stored.media_type if stored else None,
        "held": stored.held if stored else False,
    }


def open_view(item: calls.CallItem) -> dict[str, Any]:
    """Return the JSON of a call without a tag, or changed since its tag, from its current events."""
    fresh = call_view(item, item.fold(), None)
    if item.body is None:
        return fresh | {"contact_id": item.met.contact_id if item.met else None}
    tagged = (
        "reason",
        "employee_id",
        "employee_ids",
        "contact_id",
        "task_id",
        "hidden",
        "tag_id",
        "tag_type",
        "skip_reason",
    )
    return fresh | {name: item.body[name] for name in tagged if name in item.body}


def click_view(click: clicks.Click) -> dict[str, Any]:
    """Return the JSON of a click-to-call that its PBX has not reported yet."""
    failed = click.state is clicks.State.FAILED
    return {
        "id": click.public_id,
        "integration_id": click.integration_id,
        "provider": click.provider,
        "clicked": True,
        "reason": click.reason,
        "call_id": None,
        "direction": Direction.OUT,
        "external": click.number,
        "line": click.line,
        "state": "closed" if failed else "open",
        "outcome": Outcome.FAILED if failed else None,
        "started_at": click.at,
        "answered_at": None,
        "ended_at": None,
        "talk_seconds": None,
        "answered_by": None,
        "legs": [],
        "end_unknown": False,
        "linked_call_id": None,
        "recording": None,
        "recordings": [],
        "data": {},
        "employee_id": click.employee_id,
        "employee_ids": [click.employee_id],
        "contact_id": click.contact_id,
        "task_id": click.task_id,
        "hidden": False,
        "tag_id": None,
        "tag_type": None,
        "skip_reason": None,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else None
