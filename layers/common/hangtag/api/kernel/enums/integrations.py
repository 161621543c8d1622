"""Enums of PBX and CRM integrations."""

from enum import StrEnum

__all__ = [
    "Capability",
    "CrmHealthState",
    "CrmKind",
    "DiagnosticName",
    "EventResult",
    "LogReason",
    "ProviderKey",
    "RecoveredPart",
]


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


class DiagnosticName(StrEnum):
    """Name of a diagnostic check.

    - `credentials`: the credentials are complete.
    - `webhook_requests`: webhook requests arrive.
    - `previous_url`: the previous webhook URL is no longer in use.
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
