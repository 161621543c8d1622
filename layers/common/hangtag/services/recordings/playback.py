"""Playback of recordings: short-lived URLs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hangtag.domain.calls.fold import Recording
from hangtag.errors import BadInputError, ConflictError, ErrorCode, NotFoundError, UnreachableError
from hangtag.outbound import check_host, check_url
from hangtag.providers import load
from hangtag.services.recordings import fetch as fetching
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallItem
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus
from hangtag.store.db.clock import now
from hangtag.store.office.settings import load_settings

__all__ = ["Playable", "play"]

# A request has 30 seconds.
SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Playable:
    """URL of a recording; `expires_at` is None for the PBX's own URL. `size` is in bytes."""

    recording_id: str
    url: str
    expires_at: datetime | None
    media_type: str | None = None
    size: int | None = None


def play(item: CallItem, recording_id: str | None) -> Playable:
    """Return a URL of a recording of the call; of the latest without a `recording_id`.

    Raises NotFoundError (no such recording, or expired), ConflictError (still being fetched), UnreachableError (the PBX
    does not return it), and botocore's errors.
    """
    recording = _chosen(item, recording_id)
    stored = item.recordings.get(recording.id) or RecordingState(state=RecordingStatus.WAITING)
    _check_time(item, stored)
    if stored.state is RecordingStatus.KEPT and stored.place and stored.media_type:
        return _from_bucket(recording, stored.place, stored.media_type, stored.size)
    if stored.state is RecordingStatus.LINKED:
        return _elsewhere(item.provider, recording, recording.url)
    if stored.state is RecordingStatus.ON_REQUEST:
        return _on_demand(item, recording)
    raise _unavailable(stored)


def _chosen(item: CallItem, recording_id: str | None) -> Recording:
    recordings_of_call = item.fold().recordings
    match = next((one for one in reversed(recordings_of_call) if recording_id in (None, one.id)), None)
    if match is None:
        raise NotFoundError("No such recording." if recording_id else "The call has no recording.")
    return match


def _check_time(item: CallItem, stored: RecordingState) -> None:
    """Raise NotFoundError past the retention period, even if the copy still exists: new settings apply at once."""
    days = load_settings(item.tenant_id).recordings.retention_days
    end = fetching.expires_at(item, days)
    if end is not None and end <= now() and not stored.held:
        raise NotFoundError(
            f"The recording has expired: recordings are kept for {days} days.", code=ErrorCode.RECORDING_EXPIRED
        )


def _unavailable(stored: RecordingState) -> Exception:
    if stored.state is RecordingStatus.WAITING:
        reason = f" (last attempt: {stored.reason})" if stored.reason else ""
        return ConflictError(
            f"The recording is still being fetched from the PBX{reason}. Try again later.",
            code=ErrorCode.RECORDING_PENDING,
        )
    if stored.state in (RecordingStatus.EXPIRED, RecordingStatus.ERASED):
        how = "has expired" if stored.state is RecordingStatus.EXPIRED else "was erased"
        return NotFoundError(f"The recording {how}.", code=ErrorCode.RECORDING_EXPIRED)
    sentences = {
        RecordingStatus.NOT_KEPT: "The recording is not stored: the tenant's settings exclude recordings.",
        RecordingStatus.FAILED: f"The recording could not be fetched from the PBX: {stored.reason}",
    }
    return NotFoundError(sentences.get(stored.state, "The call has no recording."))


def _from_bucket(recording: Recording, place: str, media_type: str, size: int | None) -> Playable:
    until = datetime.now(UTC) + timedelta(seconds=recordings.LINK_SECONDS)
    return Playable(recording.id, recordings.link(place, media_type), until, media_type, size)


def _elsewhere(provider: str, recording: Recording, url: str) -> Playable:
    try:
        # The URL is opened by a browser: only web URLs on the PBX's recording hosts are safe.
        check_url(url, plain=True)
        check_host(url, load(provider).media_hosts)
    except BadInputError as error:
        raise UnreachableError(
            f"The PBX returned a URL that cannot be opened: {error.message}", code=ErrorCode.PBX_INVALID_RESPONSE
        ) from None
    return Playable(recording.id, url, None)


def _on_demand(item: CallItem, recording: Recording) -> Playable:
    try:
        media = fetching.media_of(item, recording)
        if not media.headers:
            return _elsewhere(item.provider, recording, media.url)
        # The URL requires the PBX credentials, which a browser must not receive: copy the audio.
        place = recordings.place_of(item.tenant_id, item.key, recording.id, temporary=True)
        fetched = fetching.fetch_once(item, recording, place, SECONDS)
    except (BadInputError, fetching.FailedError) as error:
        reason = error.reason if isinstance(error, fetching.FailedError) else error.message
        raise UnreachableError(f"The PBX did not return the recording: {reason}") from None
    return _from_bucket(recording, fetched.place, fetched.media_type, fetched.size)
