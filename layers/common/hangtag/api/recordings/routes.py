"""Routes of recordings."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls import service as calls
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.kernel.service import Routes
from hangtag.api.recordings.models import Recording, RecordingPlayback, SetRecordingHoldRequest
from hangtag.errors import ConflictError, ErrorCode, NotFoundError
from hangtag.services.recordings import fetch as fetching
from hangtag.services.recordings.playback import play
from hangtag.services.recordings.queue import enqueue
from hangtag.store.calls import items
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus
from hangtag.store.db import audit
from hangtag.store.db.clock import iso

__all__ = ["admin_routes", "routes"]

routes = Routes(Role.EMPLOYEE)
admin_routes = Routes(Role.ADMIN)

RecordingId = Annotated[
    str | None,
    Query(
        pattern="^[0-9a-f]{16}$",
        description="Id of the recording; the call's latest by default.",
        examples=["77be4f0c5f0c2a7b"],
    ),
]


@routes.get(
    "/v1/calls/<call_id>/recording",
    operation_id="getRecordingPlayback",
    tags=["Recordings"],
    summary="Get a recording's playback URL",
    description=(
        "Returns a URL of a recording that is valid for some minutes. Each request is written to the audit log as"
        " `recording.played`. A recording in the state `on_demand` is fetched from the PBX, which can take 15 seconds."
        " 404 `recording_expired` past the retention period; 409 `recording_pending` while it is being fetched; 502 if"
        " the PBX does not return it."
    ),
    errors=(
        ErrorCode.RECORDING_EXPIRED,
        ErrorCode.RECORDING_PENDING,
        ErrorCode.PBX_UNREACHABLE,
        ErrorCode.PBX_INVALID_RESPONSE,
    ),
)
def get_recording_playback(call_id: str, recording_id: RecordingId = None) -> RecordingPlayback:
    """Return a playback URL and write an audit entry."""
    caller = routes.caller
    playable = play(_item(caller, call_id), recording_id)
    audit.record(caller.tenant_id, caller.name, "recording.played", call_id)
    return RecordingPlayback(
        call_id=call_id,
        recording_id=playable.recording_id,
        url=playable.url,
        expires_at=playable.expires_at,
        media_type=playable.media_type,
        size=playable.size,
    )


@admin_routes.put(
    "/v1/calls/<call_id>/recordings/<recording_id>/hold",
    operation_id="setRecordingHold",
    tags=["Recordings"],
    summary="Place or release a retention hold",
    description=(
        "Places or releases a retention hold on an archived recording. While it is held, neither the retention period"
        " nor an erasure deletes it. Each change is written to the audit log. 409 `not_archived` without a copy."
    ),
    errors=(ErrorCode.NOT_ARCHIVED, ErrorCode.OPERATION_RUNNING),
    example={"retention_hold": True},
)
def set_recording_hold(call_id: str, recording_id: str, hold: SetRecordingHoldRequest) -> Recording:
    """Place or release a retention hold."""
    caller = admin_routes.caller
    item, stored = _stored(caller, call_id, recording_id)
    if stored.state is not RecordingStatus.KEPT:
        raise ConflictError("Only an archived recording can be held.", code=ErrorCode.NOT_ARCHIVED)
    if stored.held != hold.retention_hold:
        action = "recording.held" if hold.retention_hold else "recording.released"
        audit.record(caller.tenant_id, caller.name, action, call_id)
        _change(item, recording_id, stored, replace(stored, held=hold.retention_hold))
    return _shown(call_id, recording_id)


@admin_routes.post(
    "/v1/calls/<call_id>/recordings/<recording_id>/fetch",
    operation_id="retryRecordingFetch",
    tags=["Recordings"],
    summary="Retry fetching a recording",
    description=(
        "Starts another attempt to copy a recording whose copy failed or that the settings left at the PBX. The copy"
        " runs in the background; the call's `recordings` show its state. 409 `already_archived` if a copy exists, or"
        " existed until it expired or was erased."
    ),
    errors=(ErrorCode.ALREADY_ARCHIVED, ErrorCode.OPERATION_RUNNING),
    status_code=202,
)
def retry_recording_fetch(call_id: str, recording_id: str) -> Recording:
    """Start another attempt to copy a recording."""
    item, stored = _stored(admin_routes.caller, call_id, recording_id)
    if stored.state in (RecordingStatus.KEPT, RecordingStatus.EXPIRED, RecordingStatus.ERASED):
        raise ConflictError(
            "The recording is archived, or was until it expired or was erased.", code=ErrorCode.ALREADY_ARCHIVED
        )
    _change(item, recording_id, stored, RecordingState(state=RecordingStatus.WAITING, due=iso(datetime.now(UTC))))
    enqueue(item.key, recording_id)
    return _shown(call_id, recording_id)


def _item(caller: Caller, call_id: str) -> items.CallItem:
    """Return the item of a call that the caller can see. Raises NotFoundError.

    A click-to-call that its PBX has not reported has no item and no recording.
    """
    calls.load_body(caller, call_id)
    place = calls.call_key(caller.tenant_id, call_id)
    item = items.read(place) if place else None
    if item is None:
        raise NotFoundError("The call has no recording.")
    return item


def _stored(caller: Caller, call_id: str, recording_id: str) -> tuple[items.CallItem, RecordingState]:
    item = _item(caller, call_id)
    stored = item.recordings.get(recording_id)
    if stored is None:
        raise NotFoundError("No such recording.")
    return item, stored


def _change(item: items.CallItem, recording_id: str, before: RecordingState, after: RecordingState) -> None:
    if not fetching.note(item.key, recording_id, before, after):
        raise ConflictError("The recording has just changed. Read it again, then retry.")


def _shown(call_id: str, recording_id: str) -> Recording:
    call = calls.get_call(admin_routes.caller, call_id)
    return next(one for one in call.recordings if one.id == recording_id)
