"""Enums of calls, tags, click-to-calls and recordings."""

from enum import StrEnum

__all__ = [
    "CallEventKind",
    "CallState",
    "ClickState",
    "Direction",
    "MissedCallFilter",
    "MissedCallState",
    "Outcome",
    "PhoneNumberState",
    "RecordingMode",
    "RecordingState",
    "SkipReason",
    "TagFieldType",
    "TagType",
    "WindowState",
]


class Direction(StrEnum):
    """Direction of a call from the tenant's view.

    - `in`: another party called the tenant.
    - `out`: an employee called.
    - `internal`: between extensions.
    """

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class CallState(StrEnum):
    """State of a call.

    - `open`: the call is in progress.
    - `closed`: the call ended and its facts are final.
    """

    OPEN = "open"
    CLOSED = "closed"


class Outcome(StrEnum):
    """Result of a call or of one ringing phone.

    - `success`: answered.
    - `missed`: an incoming call without an answer.
    - `busy`: the called party was busy.
    - `no_answer`: an outgoing call without an answer.
    - `cancelled`: the caller hung up before an answer.
    - `unavailable`: the called party could not be reached.
    - `not_allowed`: the PBX did not permit the call.
    - `failed`: a technical failure.
    """

    SUCCESS = "success"
    MISSED = "missed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    NOT_ALLOWED = "not_allowed"
    FAILED = "failed"


class CallEventKind(StrEnum):
    """Kind of a call event.

    - `ringing`: a phone rings.
    - `picked_up`: the caller's own phone was picked up.
    - `answered`: the call was answered.
    - `transferred`: the call was transferred.
    - `ended`: the call ended.
    - `recorded`: a recording is available.
    - `summary`: the PBX's summary of the call.
    - `settled`: Hangtag closed the call.
    """

    RINGING = "ringing"
    PICKED_UP = "picked_up"
    ANSWERED = "answered"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    RECORDED = "recorded"
    SUMMARY = "summary"
    SETTLED = "settled"


class ClickState(StrEnum):
    """State of a click-to-call.

    - `waiting`: accepted, not yet sent to the PBX.
    - `placing`: the request to the PBX is in progress.
    - `placed`: the PBX accepted the call.
    - `unknown`: the PBX timed out and can still place the call.
    - `failed`: the PBX did not place the call.
    - `cancelled`: cancelled before it was placed.
    - `matched`: the call appeared in the PBX's webhook requests.
    """

    WAITING = "waiting"
    PLACING = "placing"
    PLACED = "placed"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MATCHED = "matched"


class WindowState(StrEnum):
    """State of a call window in the live channel.

    - `placing`: the call is being placed.
    - `ringing`: the employee's phone is ringing.
    - `answered`: the employee is on the call.
    - `watching`: a colleague's call, shown for information.
    - `taken`: a colleague answered.
    - `gone`: the caller hung up.
    - `ended`: the call ended.
    """

    PLACING = "placing"
    RINGING = "ringing"
    ANSWERED = "answered"
    WATCHING = "watching"
    TAKEN = "taken"
    GONE = "gone"
    ENDED = "ended"


class PhoneNumberState(StrEnum):
    """Availability of the other party's number.

    - `known`: the number is known.
    - `withheld`: the caller withheld it.
    - `unreadable`: the PBX sent a value that is not a phone number.
    """

    KNOWN = "known"
    WITHHELD = "withheld"
    UNREADABLE = "unreadable"


class TagType(StrEnum):
    """Type of a tag.

    - `call`: a call that took place.
    - `missed_call`: an incoming call without an answer.
    """

    CALL = "call"
    MISSED_CALL = "missed_call"


class SkipReason(StrEnum):
    """Reason for a call without a tag.

    - `internal`: both sides are extensions.
    - `unknown_extension`: the extension has no employee.
    - `employee_no_answer`: the employee did not answer the own outgoing call.
    - `employee_number`: the other party is an employee.
    - `forwarded`: the call is one leg of a forwarded call.
    - `incomplete`: the PBX did not report enough.
    """

    INTERNAL = "internal"
    UNKNOWN_EXTENSION = "unknown_extension"
    EMPLOYEE_NO_ANSWER = "employee_no_answer"
    EMPLOYEE_NUMBER = "employee_number"
    FORWARDED = "forwarded"
    INCOMPLETE = "incomplete"


class TagFieldType(StrEnum):
    """Type of a tag field.

    - `date`: a calendar day.
    - `time_period`: a period of time.
    - `date_time`: a point in time.
    - `list`: one of several options.
    - `number`: a number.
    - `employee`: an employee.
    - `contact`: a contact.
    - `string`: text.
    """

    DATE = "date"
    TIME_PERIOD = "time_period"
    DATE_TIME = "date_time"
    LIST = "list"
    NUMBER = "number"
    EMPLOYEE = "employee"
    CONTACT = "contact"
    STRING = "string"


class MissedCallState(StrEnum):
    """State of a missed call.

    - `open`: not returned.
    - `returned`: an employee returned the call.
    - `resolved`: resolved without a call back.
    """

    OPEN = "open"
    RETURNED = "returned"
    RESOLVED = "resolved"


class MissedCallFilter(StrEnum):
    """Filter for the state of missed calls.

    - `open`: not returned.
    - `returned`: returned by a call.
    - `resolved`: resolved without a call back.
    - `all`: every state.
    """

    OPEN = "open"
    RETURNED = "returned"
    RESOLVED = "resolved"
    ALL = "all"


class RecordingState(StrEnum):
    """State of a recording.

    - `waiting`: the copy is pending.
    - `archived`: Hangtag holds a copy.
    - `linked`: only the PBX's link is stored.
    - `on_demand`: fetched from the PBX when it is played.
    - `skipped`: recordings are not stored by the tenant's rules.
    - `failed`: the copy failed.
    - `expired`: deleted after the retention period.
    - `erased`: deleted by an erasure.
    """

    WAITING = "waiting"
    ARCHIVED = "archived"
    LINKED = "linked"
    ON_DEMAND = "on_demand"
    SKIPPED = "skipped"
    FAILED = "failed"
    EXPIRED = "expired"
    ERASED = "erased"


class RecordingMode(StrEnum):
    """Storage of recordings.

    - `copy`: copy each recording.
    - `link`: store the PBX's link.
    - `on_demand`: fetch from the PBX when it is played.
    - `none`: store nothing.
    """

    COPY = "copy"
    LINK = "link"
    ON_DEMAND = "on_demand"
    NONE = "none"
