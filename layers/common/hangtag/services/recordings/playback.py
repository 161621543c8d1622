"""Playback of a recording: a URL that works for some minutes. The API checks permissions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hangtag.domain.calls.fold import Recording
from hangtag.errors import BadInputError, ConflictError, NotFoundError, UnreachableError
from hangtag.outbound import check_host, check_url
from hangtag.providers import load
from hangtag.services.recordings import fetch as fetching
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallItem
from hangtag.store.calls.recording_states import KeptState, RecordingState
from hangtag.store.db.clock import now
from hangtag.store.office.settings import load_settings

__all__ = ["Playable", "play"]

# Half of the API's time limit of 30 seconds.
SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Playable:
    """URL of a recording. `expires_at` is None if the PBX decides; `media_type` and `size` are None if unknown."""

    recording_id: str
    url: str
    expires_at: datetime | None
    media_type: str | None = None
    size: int | None = None


def play(item: CallItem, recording_id: str | None) -> Playable:
    """Return a URL of a recording of the call; of the last recording if no id is passed.

    Raises NotFoundError (it does not exist, or not any more), ConflictError (it is still being fetched),
    UnreachableError (the PBX does not provide it), and botocore's errors.
    """
    recording = _choose(item, recording_id)
    state = item.recordings.get(recording.id) or RecordingState(state=KeptState.WAITING)
    _check_retention(item, state)
    if state.state is KeptState.KEPT and state.place and state.media_type:
        return _from_bucket(recording, state.place, state.media_type, state.size)
    if state.state is KeptState.LINKED:
        return _from_pbx(item.provider, recording, recording.url)
    if state.state is KeptState.ON_REQUEST:
        return _on_request(item, recording)
    raise _unavailable(state)


def _choose(item: CallItem, recording_id: str | None) -> Recording:
    all_recordings = item.fold().recordings
    recording = next((one for one in reversed(all_recordings) if recording_id in (None, one.id)), None)
    if recording is None:
        raise NotFoundError("The call has no such recording." if recording_id else "The call has no recording.")
    return recording


def _check_retention(item: CallItem, state: RecordingState) -> None:
    """Raise NotFoundError after the retention period, even while the copy exists: a new rule applies at once."""
    days = load_settings(item.tenant_id).recordings.retention_days
    end = fetching.expires_at(item, days)
    if end is not None and end <= now() and not state.held:
        raise NotFoundError(f"The recording is older than {days} days and is not available any more.")


def _unavailable(state: RecordingState) -> Exception:
    if state.state is KeptState.WAITING:
        reason = f" Last error: {state.reason}" if state.reason else ""
        return ConflictError(f"The recording is still being fetched from the PBX.{reason}")
    messages = {
        KeptState.NOT_KEPT: "The tenant's rules do not keep recordings.",
        KeptState.FAILED: f"The recording could not be fetched from the PBX. {state.reason}",
        KeptState.EXPIRED: "The recording was deleted after its retention period.",
        KeptState.ERASED: "The recording was erased.",
    }
    return NotFoundError(messages.get(state.state, "The call has no recording."))


def _from_bucket(recording: Recording, place: str, media_type: str, size: int | None) -> Playable:
    until = datetime.now(UTC) + timedelta(seconds=recordings.LINK_SECONDS)
    return Playable(recording.id, recordings.link(place, media_type), until, media_type, size)


def _from_pbx(provider: str, recording: Recording, url: str) -> Playable:
    try:
        # The URL goes to a browser: only web URLs on the PBX's own media hosts are safe.
        check_url(url, plain=True)
        check_host(url, load(provider).media_hosts)
    except BadInputError as error:
        raise UnreachableError(f"The PBX returned a URL that cannot be opened. {error.message}") from None
    return Playable(recording.id, url, None)


def _on_request(item: CallItem, recording: Recording) -> Playable:
    try:
        media = fetching.media_of(item, recording)
        if not media.headers:
            return _from_pbx(item.provider, recording, media.url)
        # The URL works with the tenant's credentials only, and browsers must not receive them: copy it for this play.
        place = recordings.place_of(item.tenant_id, item.key, recording.id, once=True)
        fetched = fetching.fetch_once(item, recording, place, SECONDS)
    except (BadInputError, fetching.FailedError) as error:
        reason = error.reason if isinstance(error, fetching.FailedError) else error.message
        raise UnreachableError(f"The PBX did not provide the recording. {reason}") from None
    return _from_bucket(recording, fetched.place, fetched.media_type, fetched.size)
