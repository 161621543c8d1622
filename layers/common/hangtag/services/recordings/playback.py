"""Playing a recording: an address that works for some minutes, for who may hear it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hangtag.domain.calls.fold import Recording
from hangtag.errors import BadInputError, ConflictError, NotFoundError, UnreachableError
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
    """Where a recording is heard, until when (None: the PBX decides), and what it is, as far as that is known."""

    recording_id: str
    url: str
    expires_at: datetime | None
    media_type: str | None = None
    size: int | None = None


def play(item: CallItem, recording_id: str | None) -> Playable:
    """An address of a recording of the call; the last one's, if none is chosen.

    Raises NotFoundError (there is none, or none any more), ConflictError (it is still being fetched), UnreachableError
    (its PBX does not give it), and botocore's errors.
    """
    found = _chosen(item, recording_id)
    kept = item.recordings.get(found.id) or RecordingState(state=RecordingStatus.WAITING)
    _check_time(item, kept)
    if kept.state is RecordingStatus.KEPT and kept.place and kept.media_type:
        return _from_bucket(found, kept.place, kept.media_type, kept.size)
    if kept.state is RecordingStatus.LINKED:
        return _elsewhere(item.provider, found, found.url)
    if kept.state is RecordingStatus.ON_REQUEST:
        return _asked_for(item, found)
    raise _not_there(kept)


def _chosen(item: CallItem, recording_id: str | None) -> Recording:
    named = item.fold().recordings
    found = next((one for one in reversed(named) if recording_id in (None, one.id)), None)
    if found is None:
        raise NotFoundError("this call has no such recording" if recording_id else "this call has no recording")
    return found


def _check_time(item: CallItem, kept: RecordingState) -> None:
    """Also while the copy is still there: rules hold from the moment they are made."""
    days = load_settings(item.tenant_id).recordings.retention_days
    end = fetching.expires_at(item, days)
    if end is not None and end <= now() and not kept.held:
        raise NotFoundError(f"recordings are kept for {days} days here; this one is older")


def _not_there(kept: RecordingState) -> Exception:
    if kept.state is RecordingStatus.WAITING:
        why = f" (so far: {kept.reason})" if kept.reason else ""
        return ConflictError(f"the recording is still being fetched from the PBX{why}")
    words = {
        RecordingStatus.NOT_KEPT: "the rules say that recordings are not kept",
        RecordingStatus.FAILED: f"the recording could not be fetched from the PBX: {kept.reason}",
        RecordingStatus.EXPIRED: "the recording was deleted when its time was up",
        RecordingStatus.ERASED: "the recording was erased",
    }
    return NotFoundError(words.get(kept.state, "this call has no recording"))


def _from_bucket(recording: Recording, place: str, media_type: str, size: int | None) -> Playable:
    until = datetime.now(UTC) + timedelta(seconds=recordings.LINK_SECONDS)
    return Playable(recording.id, recordings.link(place, media_type), until, media_type, size)


def _elsewhere(provider: str, recording: Recording, url: str) -> Playable:
    try:
        # It goes to a browser: nothing but an address of the web may, and only where the PBX keeps its recordings.
        check_url(url, plain=True)
        check_host(url, load(provider).media_hosts)
    except BadInputError as error:
        raise UnreachableError(f"the PBX named no address that can be opened: {error.message}") from None
    return Playable(recording.id, url, None)


def _asked_for(item: CallItem, recording: Recording) -> Playable:
    try:
        media = fetching.media_of(item, recording)
        if not media.headers:
            return _elsewhere(item.provider, recording, media.url)
        # The address works with our credentials only, which no browser gets: a copy for this play.
        place = recordings.place_of(item.tenant_id, item.key, recording.id, temporary=True)
        fetched = fetching.fetch_once(item, recording, place, SECONDS)
    except (BadInputError, fetching.FailedError) as error:
        reason = error.reason if isinstance(error, fetching.FailedError) else error.message
        raise UnreachableError(f"the PBX does not give the recording: {reason}") from None
    return _from_bucket(recording, fetched.place, fetched.media_type, fetched.size)
