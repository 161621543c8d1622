"""Enums of the API, each one named schema in the OpenAPI document.

A docstring lists the meaning of each value: it becomes the schema's description.
"""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BeforeValidator

__all__ = [
    "ActorType",
    "CallEventKind",
    "CallState",
    "Capability",
    "ClickState",
    "CrmHealthState",
    "CrmKind",
    "DiagnosticName",
    "Direction",
    "EmployeeRole",
    "EventResult",
    "ImportState",
    "JobState",
    "LogReason",
    "MissedCallFilter",
    "MissedCallState",
    "Outcome",
    "PhoneNumberState",
    "PlacementFallback",
    "PlacementTarget",
    "ProviderKey",
    "RecordingMode",
    "RecordingState",
    "RecoveredPart",
    "ReportStep",
    "Role",
    "RoutingMode",
    "SkipReason",
    "SupervisorType",
    "TagFieldType",
    "TagType",
    "TaskFieldType",
    "TaskStatus",
    "TimelineEntryType",
    "UnknownCallerPolicy",
    "VisibilityScope",
    "Weekday",
    "WindowState",
    "renamed",
]


def renamed(spellings: Mapping[str, str]) -> BeforeValidator:
    """Return a validator that replaces old spellings of a request's value: `{"ask": "on_demand"}`.

    Old spellings are accepted for one release and are not in the document.
    """

    def current(value: object) -> object:
        return spellings.get(value, value) if isinstance(value, str) else value

    return BeforeValidator(current)


class ProviderKey(StrEnum):
    """Key of a PBX provider. `GET /v1/providers` lists their names and fields."""

    BEELINE = "beeline"
    BINOTEL = "binotel"
    BIRLINK = "birlink"
    DOMRU = "domru"
    FREEDOM = "freedom"
    FREEPBX = "freepbx"
    GENERIC = "generic"
    GRAVITEL = "gravitel"
    ITOOLABS = "itoolabs"
    KCELL = "kcell"
    MANGO = "mango"
    MEGAFON = "megafon"
    MOLDCELL = "moldcell"
    NOVOFON = "novofon"
    PLIVO = "plivo"
    RINGCENTRAL = "ringcentral"
    RINGOSTAT = "ringostat"
    SARKOR = "sarkor"
    SIPGATE = "sipgate"
    TELEPHONY_API = "telephony_api"
    TELNYX = "telnyx"
    TRANSTELECOM = "transtelecom"
    TWILIO = "twilio"
    VECTORTEL = "vectortel"
    VIVA = "viva"
    VONAGE = "vonage"
    ZADARMA = "zadarma"


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


class TaskStatus(StrEnum):
    """Status of a task.

    - `open`: work remains.
    - `completed`: the work is done.
    - `cancelled`: the task is dropped.
    """

    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


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


class ImportState(StrEnum):
    """State of a contact import.

    - `waiting`: created, not yet started.
    - `running`: rows are being imported.
    - `stopped`: stopped on request, can be resumed.
    - `done`: all rows are processed.
    - `failed`: the import cannot continue.
    """

    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class JobState(StrEnum):
    """State of a background job.

    - `running`: in progress.
    - `done`: finished.
    - `failed`: ended with an error.
    """

    RUNNING = "running"
    DONE = "done"
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


class EventResult(StrEnum):
    """Result of storing a call event.

    - `stored`: added to the call.
    - `duplicate`: known already.
    - `event_limit_reached`: the call has too many events.
    - `skipped`: not stored.
    """

    STORED = "stored"
    DUPLICATE = "duplicate"
    EVENT_LIMIT_REACHED = "event_limit_reached"
    SKIPPED = "skipped"


class LogReason(StrEnum):
    """Reason for logging a webhook request.

    - `setup`: the integration is new.
    - `watch`: an admin watches the webhook requests.
    - `error`: the request failed.
    - `unknown`: the provider does not know this kind of request.
    """

    SETUP = "setup"
    WATCH = "watch"
    ERROR = "error"
    UNKNOWN = "unknown"


class DiagnosticName(StrEnum):
    """Name of a diagnostic check.

    - `credentials`: the credentials are complete.
    - `webhook_requests`: webhook requests arrive.
    - `previous_url`: the PBX uses the new webhook URL.
    - `extensions`: all ringing extensions are mapped.
    - `pbx`: the PBX accepts API requests.
    - `setup`: the webhook is set up at the PBX.
    - `subscription`: the PBX's event subscription is active.
    """

    CREDENTIALS = "credentials"
    WEBHOOK_REQUESTS = "webhook_requests"
    PREVIOUS_URL = "previous_url"
    EXTENSIONS = "extensions"
    PBX = "pbx"
    SETUP = "setup"
    SUBSCRIPTION = "subscription"


class Capability(StrEnum):
    """Ability of a provider.

    - `originate`: place calls.
    - `recording`: fetch recordings.
    - `history`: read the call log.
    - `extensions`: list extensions.
    - `ping`: test the connection.
    - `setup`: set up the webhook by API.
    - `renew_subscription`: renew the event subscription.
    """

    ORIGINATE = "originate"
    RECORDING = "recording"
    HISTORY = "history"
    EXTENSIONS = "extensions"
    PING = "ping"
    SETUP = "setup"
    RENEW_SUBSCRIPTION = "renew_subscription"


class RecoveredPart(StrEnum):
    """Part of a call that reconciliation recovered.

    - `call`: the whole call.
    - `end`: the end.
    - `answer`: the answer.
    - `recording`: the recording.
    - `details`: other details.
    """

    CALL = "call"
    END = "end"
    ANSWER = "answer"
    RECORDING = "recording"
    DETAILS = "details"


class Role(StrEnum):
    """Role of a token.

    - `employee`: an employee.
    - `admin`: an administrator.
    - `owner`: the tenant's owner.
    - `operator`: the operator of the installation.
    """

    EMPLOYEE = "employee"
    ADMIN = "admin"
    OWNER = "owner"
    OPERATOR = "operator"


class EmployeeRole(StrEnum):
    """Role of an employee.

    - `employee`: an employee.
    - `admin`: an administrator.
    """

    EMPLOYEE = "employee"
    ADMIN = "admin"


class CrmKind(StrEnum):
    """Kind of CRM.

    - `builtin`: the built-in contacts and tasks.
    - `webhook`: an outside CRM that receives messages.
    """

    BUILTIN = "builtin"
    WEBHOOK = "webhook"


class CrmHealthState(StrEnum):
    """Health of the outside CRM.

    - `ok`: messages are delivered.
    - `failing`: the latest messages failed.
    - `paused`: delivery is paused after repeated failures.
    """

    OK = "ok"
    FAILING = "failing"
    PAUSED = "paused"


class PlacementTarget(StrEnum):
    """Place of a tag.

    - `contact`: the contact.
    - `last_active_task`: the contact's latest open task.
    - `last_task_matching`: the latest task that meets the conditions.
    - `new_task`: a new task.
    """

    CONTACT = "contact"
    LAST_ACTIVE_TASK = "last_active_task"
    LAST_TASK_MATCHING = "last_task_matching"
    NEW_TASK = "new_task"


class PlacementFallback(StrEnum):
    """Place of a tag without a matching task.

    - `contact`: the contact.
    - `create_task`: a new task.
    """

    CONTACT = "contact"
    CREATE_TASK = "create_task"


class UnknownCallerPolicy(StrEnum):
    """Creation of contacts for unknown numbers.

    - `always`: for every call.
    - `answered_only`: for answered calls.
    - `never`: contacts are not created.
    """

    ALWAYS = "always"
    ANSWERED_ONLY = "answered_only"
    NEVER = "never"


class RoutingMode(StrEnum):
    """Routing of unknown or missed callers.

    - `off`: no routing.
    - `on`: always.
    - `working_hours`: during working hours only.
    """

    OFF = "off"
    ON = "on"
    WORKING_HOURS = "working_hours"


class VisibilityScope(StrEnum):
    """Calls that employees can see.

    - `all`: every call.
    - `own`: own calls, supervised contacts and own tasks.
    """

    ALL = "all"
    OWN = "own"


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


class TaskFieldType(StrEnum):
    """Type of a task field.

    - `string`: text.
    - `number`: a number.
    - `boolean`: true or false.
    - `date`: a calendar day.
    """

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


class Weekday(StrEnum):
    """Day of the week.

    - `mon`: Monday.
    - `tue`: Tuesday.
    - `wed`: Wednesday.
    - `thu`: Thursday.
    - `fri`: Friday.
    - `sat`: Saturday.
    - `sun`: Sunday.
    """

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class ReportStep(StrEnum):
    """Interval of a report.

    - `day`: one day.
    - `week`: one week.
    """

    DAY = "day"
    WEEK = "week"


class ActorType(StrEnum):
    """Type of an actor.

    - `employee`: an employee.
    - `owner`: the owner token.
    - `operator`: the operator.
    - `oidc`: a user of the operator's identity provider.
    """

    EMPLOYEE = "employee"
    OWNER = "owner"
    OPERATOR = "operator"
    OIDC = "oidc"


class SupervisorType(StrEnum):
    """Type of a supervisor.

    - `employee`: one employee.
    - `group`: a group of employees.
    """

    EMPLOYEE = "employee"
    GROUP = "group"


class TimelineEntryType(StrEnum):
    """Type of a timeline entry.

    - `tag`: a tag.
    - `comment`: a comment.
    """

    TAG = "tag"
    COMMENT = "comment"
