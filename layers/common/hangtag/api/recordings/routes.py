"""Recordings of calls: heard by an address that works for some minutes; held, and fetched anew, by admins."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls.models import Call, Recording
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import RequestModel, ResponseModel
from hangtag.api.kernel.service import Routes
from hangtag.errors import ConflictError, NotFoundError
from hangtag.services.recordings import fetch as fetching
from hangtag.services.recordings.playback import play
from hangtag.services.recordings.queue import ask_for
from hangtag.store.calls import items as calls
from hangtag.store.calls.recording_states import KeptState, RecordingState
from hangtag.store.db import audit
from hangtag.store.db.clock import iso

__all__ = ["admin_routes", "routes"]

routes = Routes(Role.EMPLOYEE)
admin_routes = Routes(Role.ADMIN)

RecordingId = Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")]


class RecordingPlayback(ResponseModel):
    """Where a recording is heard, in ranges too; `size` is in bytes, if it is known.

    `expires_at` is null where the PBX's own address is given.
    """

    call_id: str
    recording_id: str
    url: str
    expires_at: datetime | None
    media_type: str | None
    size: int | None


class SetRecordingHoldRequest(RequestModel):
    """Whether a recording is to be kept whatever the rules say, and whoever is erased."""

    held: bool


@routes.get(
    "/v1/calls/<call_id>/recording",
    operation_id="getRecordingPlayback",
    tags=["Recordings"],
    summary="Get a recording's playback URL",
    description=(
        "An address of a recording of a call, the last one's if none is chosen. Each play is in the audit list. "
        "404 if there is none, or none any more; 409 while it is being fetched; 502 if its PBX does not give it."
    ),
)
def get_recording_playback(call_id: str, recording_id: RecordingId = None) -> RecordingPlayback:
    """An address of a recording of a call, the last one's if none is chosen. Each play is in the audit list.

    404 if there is none, or none any more; 409 while it is being fetched; 502 if its PBX does not give it.
    """
    caller = routes.caller
    item = _item(call_id, listing.call(caller, call_id))
    found = play(item, recording_id)
    audit.note(caller.tenant_id, caller.name, "recording.played", call_id)
    return RecordingPlayback(
        call_id=call_id,
        recording_id=found.recording_id,
        url=found.url,
        expires_at=found.expires_at,
        media_type=found.media_type,
        size=found.size,
    )


@admin_routes.put(
    "/v1/calls/<call_id>/recordings/<recording_id>/hold",
    operation_id="setRecordingHold",
    tags=["Recordings"],
    summary="Place or release a retention hold",
    description=(
        "Hold a recording that was copied, or let it go: what is held is deleted neither by time nor with its contact."
    ),
)
def set_recording_hold(call_id: str, recording_id: str, hold: SetRecordingHoldRequest) -> Recording:
    """Hold a recording that was copied, or let it go: what is held is deleted neither by time nor with its contact."""
    caller = admin_routes.caller
    item, kept = _kept(call_id, recording_id, listing.call(caller, call_id))
    if kept.state is not KeptState.KEPT:
        raise ConflictError("only a copy can be held, and there is none")
    if kept.held != hold.held:
        action = "recording.held" if hold.held else "recording.released"
        audit.note(caller.tenant_id, caller.name, action, call_id)
        _change(item, recording_id, kept, replace(kept, held=hold.held))
    return _shown(call_id, recording_id)


@admin_routes.post(
    "/v1/calls/<call_id>/recordings/<recording_id>/fetch",
    operation_id="retryRecordingFetch",
    tags=["Recordings"],
    summary="Retry fetching a recording",
    description="Try anew to copy a recording that was given up, or that the rules left at the PBX.",
    status_code=202,
)
def retry_recording_fetch(call_id: str, recording_id: str) -> Recording:
    """Try anew to copy a recording that was given up, or that the rules left at the PBX."""
    caller = admin_routes.caller
    item, kept = _kept(call_id, recording_id, listing.call(caller, call_id))
    if kept.state in (KeptState.KEPT, KeptState.EXPIRED, KeptState.ERASED):
        raise ConflictError("there is a copy, or was until its time was up")
    _change(item, recording_id, kept, RecordingState(state=KeptState.WAITING, due=iso(datetime.now(UTC))))
    ask_for(item.key, recording_id)
    return _shown(call_id, recording_id)


def _item(call_id: str, shown: Call) -> calls.CallItem:
    """The call's item; a click whose PBX has told nothing has none, and no recording. Raises NotFoundError."""
    place = listing.call_key(routes.tenant_id, call_id)
    item = calls.read(place) if place else None
    if item is None:
        raise NotFoundError("this call has no recording" if shown.recording is None else "there is no such call")
    return item


def _kept(call_id: str, recording_id: str, shown: Call) -> tuple[calls.CallItem, RecordingState]:
    item = _item(call_id, shown)
    kept = item.recordings.get(recording_id)
    if kept is None:
        raise NotFoundError("this call has no such recording")
    return item, kept


def _change(item: calls.CallItem, recording_id: str, before: RecordingState, after: RecordingState) -> None:
    if not fetching.note(item.key, recording_id, before, after):
        raise ConflictError("the recording has just changed; look at it again")


def _shown(call_id: str, recording_id: str) -> Recording:
    shown = listing.call(admin_routes.caller, call_id)
    return next(one for one in shown.recordings if one.id == recording_id)
