"""Recordings of calls: copying them by the tenant's rules, with retries, and deletion after the retention period.

Runs for each message of the recordings queue; the recording's state on the call's item determines the work. A finished
copy of a function that died before it stored the state is reused, not fetched again: some links work once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain

from hangtag import runtime
from hangtag.domain.calls.fold import Recording
from hangtag.errors import BadInputError, ConflictError, HangtagError, NotFoundError, TooLargeError
from hangtag.outbound import check_host
from hangtag.outbound.download import Download
from hangtag.providers import load
from hangtag.providers.base import Media
from hangtag.runtime import logger
from hangtag.services.calls.view import recordings_view
from hangtag.services.integrations.client import in_words, open_pbx
from hangtag.services.recordings.audio import HEAD_BYTES, media_type
from hangtag.store.calls import items as calls
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallItem, CallKey
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus
from hangtag.store.calls.recordings import Copy, Pointer
from hangtag.store.db.clock import iso
from hangtag.store.integrations.integrations import get_integration
from hangtag.store.office.settings import load_settings

__all__ = ["FailedError", "Fetched", "expires_at", "fetch_once", "media_of", "note", "review", "work"]

# Time limit of a download; the function's timeout is twice that.
SECONDS = 120.0
# Lock of one attempt, slightly longer than the function timeout: a function that died does not block for long.
LEASE = timedelta(seconds=260)
# Pause after each failed attempt. The last attempt is two days after the first.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 900, 3600, 10800, 21600, 43200, 86400))
LONGEST_PAUSE = timedelta(days=1)
# Copies without an end of retention are checked too, because rules change.
REVIEW = timedelta(days=7)
_ROUNDS = 8
_NOT_YET = (202, 204, 404, 409, 425)
_GONE = 410


@dataclass(frozen=True, slots=True)
class Fetched:
    """A finished copy: its key, size in bytes and media type."""

    place: str
    size: int
    media_type: str


class FailedError(Exception):
    """A failed attempt. `reason` is shown to people and contains no URL; `final`: a retry would not help."""

    def __init__(self, reason: str, *, final: bool = False, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.pause = pause


# ------------------------------------------------------------------ one message


def work(call: CallKey, recording_id: str, now: datetime) -> float | None:
    """Process a recording. Return the seconds until the next attempt, None if it is done. Raises botocore's errors."""
    item = calls.read(call)
    recording = _recording(item, recording_id)
    if item is None or recording is None:
        # The call was erased, or a later event replaced the recording's URL.
        return None
    state = item.recordings.get(recording_id)
    if state is None:
        state = _first_state(item, recording, now)
        if not note(call, recording_id, None, state):
            return 1.0
    if state.state is not RecordingStatus.WAITING:
        return None
    wait = _seconds_until_due(state, now)
    if wait > 0:
        return wait
    return _attempt(item, recording, state, now)


def _recording(item: CallItem | None, recording_id: str) -> Recording | None:
    return next((one for one in item.fold().recordings if one.id == recording_id), None) if item else None


def _first_state(item: CallItem, recording: Recording, now: datetime) -> RecordingState:
    """Return the state of a new recording by the tenant's rules."""
    mode = load_settings(item.tenant_id).recordings.mode
    if mode == "none":
        return RecordingState(state=RecordingStatus.NOT_KEPT)
    if mode == "copy" or recording.temporary:
        due = now if recording.temporary else now + load(item.provider).recording_delay
        return RecordingState(state=RecordingStatus.WAITING, due=iso(due))
    # A value that is not a URL is a reference: only the PBX can resolve it.
    linked = mode == "link" and recording.url.startswith(("https://", "http://"))
    return RecordingState(state=RecordingStatus.LINKED if linked else RecordingStatus.ON_REQUEST)


def _seconds_until_due(state: RecordingState, now: datetime) -> float:
    return (datetime.fromisoformat(state.due) - now).total_seconds() if state.due else 0.0


def _attempt(item: CallItem, recording: Recording, state: RecordingState, now: datetime) -> float | None:
    """Attempt to copy a recording. Return the seconds until the next attempt, None if it is done."""
    trying = replace(state, tries=state.tries + 1, due=iso(now + LEASE))
    if not note(item.key, recording.id, state, trying):
        return 1.0
    place = recordings.place_of(item.tenant_id, item.key, recording.id)
    try:
        fetched = _finished(place) or fetch_once(item, recording, place, SECONDS)
    except FailedError as error:
        return _schedule_retry(item, recording.id, trying, error, now)
    recordings.watch(Pointer(item.key, recording.id), _next_review(item, now))
    done = replace(
        trying, state=RecordingStatus.KEPT, due=None, reason=None,
        place=fetched.place, size=fetched.size, media_type=fetched.media_type,
    )  # fmt: skip
    if not note(item.key, recording.id, trying, done):
        # The call was erased, or another process continued the work: it then uses the copy too, under the same key.
        if _recording(calls.read(item.key), recording.id) is None:
            recordings.delete(place)
        return None
    logger.info(
        "recording.archived",
        extra={"tenant": item.tenant_id, "size": fetched.size, "attempts": done.tries},
    )
    return None


def _finished(place: str) -> Fetched | None:
    copy = recordings.find(place)
    return Fetched(place, *copy) if copy else None


def _schedule_retry(
    item: CallItem, recording_id: str, trying: RecordingState, error: FailedError, now: datetime
) -> float | None:
    """Store the failure and the time of the next attempt, or the final failure."""
    final = error.final or trying.tries > len(PAUSES)
    pause = timedelta(0) if final else max(PAUSES[trying.tries - 1], min(error.pause or timedelta(0), LONGEST_PAUSE))
    after = (
        replace(trying, state=RecordingStatus.FAILED, due=None, reason=error.reason)
        if final
        else replace(trying, due=iso(now + pause), reason=error.reason)
    )
    logger.info(
        "recording.fetch_failed",
        extra={"tenant": item.tenant_id, "attempts": trying.tries, "final": final},
    )
    note(item.key, recording_id, trying, after)
    return None if final else pause.total_seconds()


def note(call: CallKey, recording_id: str, before: RecordingState | None, after: RecordingState) -> bool:
    """Change a recording's state from `before` to `after`. Return False if it is not in `before`, or the call is gone.

    Raises ConflictError after 8 concurrent changes, and botocore's errors.
    """
    for _ in range(_ROUNDS):
        item = calls.read(call)
        if item is None or item.recordings.get(recording_id) != before:
            return False
        record = item.fold()
        shown = replace(item, recordings={**item.recordings, recording_id: after})
        view = {**item.body, **recordings_view(shown, record)} if item.body is not None else None
        if calls.set_recording_state(item, recording_id, after, view):
            return True
    raise ConflictError("The call changed too often. Try again.")


# ------------------------------------------------------------------ fetching


def fetch_once(item: CallItem, recording: Recording, place: str, seconds: float) -> Fetched:
    """Copy a recording to a key. Raises FailedError, which leaves no object behind, and botocore's errors."""
    try:
        media = media_of(item, recording)
    except NotFoundError:
        raise FailedError("The PBX is not connected any more.", final=True) from None
    except HangtagError as error:
        raise FailedError(in_words(error)) from None
    limit = runtime.settings().recording_max_bytes
    try:
        check_host(media.url, load(item.provider).media_hosts)
        # Unencrypted only without credentials: many on-premises PBXs serve recordings over plain HTTP.
        with Download(media.url, media.headers, seconds, limit, plain=not media.headers) as download:
            _check_status(download)
            return _copy(download.pieces(), place)
    except TooLargeError:
        raise FailedError(f"The recording is over {limit // 1_000_000} MB.", final=True) from None
    except BadInputError as error:
        raise FailedError(error.message, final=True) from None
    except HangtagError as error:
        raise FailedError(in_words(error)) from None


def media_of(item: CallItem, recording: Recording) -> Media:
    """Return the URL and headers to fetch a recording with. Raises the PBX client's errors, and NotFoundError."""
    if not load(item.provider).supports("recording"):
        return Media(recording.url)
    return open_pbx(item.tenant_id, get_integration(item.tenant_id, item.integration_id)).recording(recording.url)


def _check_status(download: Download) -> None:
    status = download.status
    if status == _GONE:
        raise FailedError("The PBX has deleted the recording.", final=True)
    if status in _NOT_YET:
        raise FailedError(f"The PBX does not have the recording (HTTP {status}).")
    if status not in (200, 206):
        raise FailedError(f"The PBX returned HTTP {status}.", pause=_retry_after(download))


def _retry_after(download: Download) -> timedelta | None:
    """Return the pause in the Retry-After header, which contains seconds or a date; None if absent."""
    text = download.answered.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 7:
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
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
        raise FailedError("The file from the PBX is not audio.")
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
    """Return the time after which a call's recordings cannot be played; None for never."""
    record = item.fold()
    start = record.started_at or (item.events[0].at if item.events else None)
    return start + timedelta(days=days) if start is not None and days is not None else None


def _next_review(item: CallItem, now: datetime) -> datetime:
    end = expires_at(item, load_settings(item.tenant_id).recordings.retention_days)
    return min(now + REVIEW, end) if end is not None and end > now else now + REVIEW


def review(pointer: Pointer, now: datetime) -> bool:
    """Delete a copy whose retention period is over, or schedule its next check. Return True if it was deleted.

    Raises botocore's errors.
    """
    item = calls.read(pointer.call)
    state = item.recordings.get(pointer.recording_id) if item else None
    if item is None or state is None or state.state is not RecordingStatus.KEPT or state.place is None:
        recordings.unwatch(pointer)
        return False
    end = expires_at(item, load_settings(item.tenant_id).recordings.retention_days)
    if state.held or end is None or end > now:
        recordings.watch(pointer, _next_review(item, now))
        return False
    after = replace(state, state=RecordingStatus.EXPIRED, place=None)
    if not note(pointer.call, pointer.recording_id, state, after):
        # A hold or an erasure won the race.
        return False
    recordings.delete(state.place)
    recordings.unwatch(pointer)
    logger.info("recording.expired", extra={"tenant": item.tenant_id})
    return True
