"""Step 4: a PBX named a recording; it is copied, or what the tenant's rules say, and looked at until its time is up.

A message of the recordings queue leads here, as often as it takes: each says what is to be done by what the call's item
says of the recording. A copy that was finished by a function that died before it said so is found, not fetched again:
some links work once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain

from hangtag import runtime
from hangtag.domain.calls.fold import Recording
from hangtag.errors import BadInputError, ConflictError, HangtagError, NotFoundError, TooLargeError
from hangtag.observability import logger
from hangtag.outbound import check_host
from hangtag.outbound.download import Download
from hangtag.providers import optional
from hangtag.providers.base import Media
from hangtag.services.calls.view import recordings_view
from hangtag.services.integrations.client import in_words, open_pbx
from hangtag.services.recordings.audio import HEAD_BYTES, media_type
from hangtag.store.calls import items as calls
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallItem, CallKey
from hangtag.store.calls.recording_states import KeptState, RecordingState
from hangtag.store.calls.recordings import Copy, Pointer
from hangtag.store.db.clock import iso
from hangtag.store.integrations.integrations import get_integration
from hangtag.store.office.settings import load_settings

__all__ = ["FailedError", "Fetched", "expires_at", "fetch_once", "media_of", "note", "review", "work"]

# All of a download; the function has twice that.
SECONDS = 120.0
# While a try is under way nobody else begins one; a function that died is not waited for much longer.
LEASE = timedelta(seconds=260)
# Of a PBX that names no time of its own: recordings are written when calls have ended.
DEFAULT_AFTER_SECONDS = 5.0
# After each failed try. The last one is given up two days after the first.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 900, 3600, 10800, 21600, 43200, 86400))
LONGEST_PAUSE = timedelta(days=1)
# Also a copy that is kept for ever is looked at so often: rules change.
REVIEW = timedelta(days=7)
_ROUNDS = 8
_NOT_YET = (202, 204, 404, 409, 425)
_GONE = 410


@dataclass(frozen=True, slots=True)
class Fetched:
    """A copy that was made: its key, size and media type."""

    place: str
    size: int
    media_type: str


class FailedError(Exception):
    """A try came to nothing. `reason` is for people, without addresses; `final`: another one would not help."""

    def __init__(self, reason: str, *, final: bool = False, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.pause = pause


# ------------------------------------------------------------------ one message


def work(call: CallKey, recording_id: str, now: datetime) -> float | None:
    """Do what is to be done about a recording; in how many seconds to look at it again, None if never.

    Raises botocore's errors.
    """
    item = calls.read(call)
    found = _named(item, recording_id)
    if item is None or found is None:
        # Erased meanwhile, or a better address of it came.
        return None
    kept = item.recordings.get(recording_id)
    if kept is None:
        kept = _begun(item, found, now)
        if not note(call, recording_id, None, kept):
            return 1.0
    if kept.state is not KeptState.WAITING:
        return None
    wait = _seconds_till(kept, now)
    if wait > 0:
        return wait
    return _try(item, found, kept, now)


def _named(item: CallItem | None, recording_id: str) -> Recording | None:
    return next((one for one in item.fold().recordings if one.id == recording_id), None) if item else None


def _begun(item: CallItem, recording: Recording, now: datetime) -> RecordingState:
    """What the tenant's rules make of a recording that was just named."""
    mode = load_settings(item.tenant_id).recordings.mode
    if mode == "none":
        return RecordingState(state=KeptState.NOT_KEPT)
    if mode == "copy" or recording.temporary:
        after = 0.0 if recording.temporary else optional(item.provider, "RECORDING_AFTER")
        due = now + timedelta(seconds=DEFAULT_AFTER_SECONDS if after is None else after)
        return RecordingState(state=KeptState.WAITING, due=iso(due))
    # An address that is none can only be asked for.
    linked = mode == "link" and recording.url.startswith(("https://", "http://"))
    return RecordingState(state=KeptState.LINKED if linked else KeptState.ON_REQUEST)


def _seconds_till(kept: RecordingState, now: datetime) -> float:
    return (datetime.fromisoformat(kept.due) - now).total_seconds() if kept.due else 0.0


def _try(item: CallItem, recording: Recording, kept: RecordingState, now: datetime) -> float | None:
    """One try to copy a recording."""
    trying = replace(kept, tries=kept.tries + 1, due=iso(now + LEASE))
    if not note(item.key, recording.id, kept, trying):
        return 1.0
    place = recordings.place_of(item.tenant_id, item.key, recording.id)
    try:
        fetched = _finished(place) or fetch_once(item, recording, place, SECONDS)
    except FailedError as error:
        return _put_off(item, recording.id, trying, error, now)
    recordings.watch(Pointer(item.key, recording.id), _next_review(item, now))
    done = replace(
        trying, state=KeptState.KEPT, due=None, reason=None,
        place=fetched.place, size=fetched.size, media_type=fetched.media_type,
    )  # fmt: skip
    if not note(item.key, recording.id, trying, done):
        # The call was erased, or somebody took it over: whoever has it has the copy too, under the same key.
        if _named(calls.read(item.key), recording.id) is None:
            recordings.delete(place)
        return None
    logger.info("recording kept", extra={"tenant": item.tenant_id, "size": fetched.size, "tries": done.tries})
    return None


def _finished(place: str) -> Fetched | None:
    found = recordings.find(place)
    return Fetched(place, *found) if found else None


def _put_off(
    item: CallItem, recording_id: str, trying: RecordingState, error: FailedError, now: datetime
) -> float | None:
    final = error.final or trying.tries > len(PAUSES)
    pause = timedelta(0) if final else max(PAUSES[trying.tries - 1], min(error.pause or timedelta(0), LONGEST_PAUSE))
    after = (
        replace(trying, state=KeptState.FAILED, due=None, reason=error.reason)
        if final
        else replace(trying, due=iso(now + pause), reason=error.reason)
    )
    logger.info("recording not fetched", extra={"tenant": item.tenant_id, "tries": trying.tries, "final": final})
    note(item.key, recording_id, trying, after)
    return None if final else pause.total_seconds()


def note(call: CallKey, recording_id: str, before: RecordingState | None, after: RecordingState) -> bool:
    """Take a recording from one state to another; False if it is not in the first, or the call is gone.

    Raises botocore's errors.
    """
    for _ in range(_ROUNDS):
        item = calls.read(call)
        if item is None or item.recordings.get(recording_id) != before:
            return False
        record = item.fold()
        shown = replace(item, recordings={**item.recordings, recording_id: after})
        view = {**item.body, **recordings_view(shown, record)} if item.body is not None else None
        if calls.note_recording(item, recording_id, after, view):
            return True
    raise ConflictError("the call changes too often")


# ------------------------------------------------------------------ fetching


def fetch_once(item: CallItem, recording: Recording, place: str, seconds: float) -> Fetched:
    """Copy a recording to a place, or raise FailedError with nothing left there; botocore's errors too."""
    try:
        media = media_of(item, recording)
    except NotFoundError:
        raise FailedError("its PBX is not connected any more", final=True) from None
    except HangtagError as error:
        raise FailedError(in_words(error)) from None
    limit = runtime.settings().recording_max_bytes
    try:
        check_host(media.url, optional(item.provider, "MEDIA_HOSTS") or ())
        # Where nothing secret goes along, many a PBX in an office speaks without encryption.
        with Download(media.url, media.headers, seconds, limit, plain=not media.headers) as download:
            _check_status(download)
            return _copy(download.pieces(), place)
    except TooLargeError:
        raise FailedError(f"it is over {limit // 1_000_000} MB", final=True) from None
    except BadInputError as error:
        raise FailedError(error.message, final=True) from None
    except HangtagError as error:
        raise FailedError(in_words(error)) from None


def media_of(item: CallItem, recording: Recording) -> Media:
    """Where a recording is to be fetched now. Raises what the PBX's door raises, and NotFoundError."""
    if optional(item.provider, "recording") is None:
        return Media(recording.url)
    return open_pbx(item.tenant_id, get_integration(item.tenant_id, item.integration_id)).recording(recording.url)


def _check_status(download: Download) -> None:
    status = download.status
    if status == _GONE:
        raise FailedError("the PBX has deleted it", final=True)
    if status in _NOT_YET:
        raise FailedError(f"the PBX does not have it (it answered {status})")
    if status not in (200, 206):
        raise FailedError(f"the PBX answered {status}", pause=_retry_after(download))


def _retry_after(download: Download) -> timedelta | None:
    """How long a service wants to be left alone, in seconds or until a date."""
    said = download.answered.get("retry-after", "")
    if said.isascii() and said.isdigit() and len(said) < 7:
        return timedelta(seconds=int(said))
    try:
        until = parsedate_to_datetime(said)
        return until - datetime.now(until.tzinfo)
    except (ValueError, TypeError):
        return None


def _copy(pieces: Iterator[bytes], place: str) -> Fetched:
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    kind = media_type(bytes(head[:HEAD_BYTES]))
    if kind is None:
        raise FailedError("what the PBX serves is no audio")
    copy = Copy(place, kind)
    try:
        for piece in chain((bytes(head),), pieces):
            copy.write(piece)
        copy.finish()
    except BaseException:
        copy.abort()
        raise
    return Fetched(place, copy.size, kind)


# ------------------------------------------------------------------ the end of its time


def expires_at(item: CallItem, days: int | None) -> datetime | None:
    """When a call's recordings may not be heard any more; None for never."""
    record = item.fold()
    begun = record.started_at or (item.events[0].at if item.events else None)
    return begun + timedelta(days=days) if begun is not None and days is not None else None


def _next_review(item: CallItem, now: datetime) -> datetime:
    end = expires_at(item, load_settings(item.tenant_id).recordings.retention_days)
    return min(now + REVIEW, end) if end is not None and end > now else now + REVIEW


def review(pointer: Pointer, now: datetime) -> bool:
    """Look at a copy: whether its time was up. If so it is deleted, else looked at again. Raises botocore's errors."""
    item = calls.read(pointer.call)
    kept = item.recordings.get(pointer.recording_id) if item else None
    if item is None or kept is None or kept.state is not KeptState.KEPT or kept.place is None:
        recordings.unwatch(pointer)
        return False
    end = expires_at(item, load_settings(item.tenant_id).recordings.retention_days)
    if kept.held or end is None or end > now:
        recordings.watch(pointer, _next_review(item, now))
        return False
    after = replace(kept, state=KeptState.EXPIRED, place=None)
    if not note(pointer.call, pointer.recording_id, kept, after):
        # It was held, or erased, at this very moment.
        return False
    recordings.delete(kept.place)
    recordings.unwatch(pointer)
    logger.info("recording expired", extra={"tenant": item.tenant_id})
    return True
