"""Telnyx's webhooks: one for each step of each leg, signed with Ed25519.

Signature and payloads are those of the vendor's own library (telnyx 4.189.0: lib/webhook_verification, types/call_*).
Only the first webhook of a leg contains its direction. So the role of a leg follows from its two addresses, from the
account's own numbers (settings `caller_id` and `lines`), and from `client_state`, which Telnyx returns in every webhook
of a leg: see `_CLIENT_STATE`.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.providers import call_control
from hangtag.providers.base import NextStep, ParseResult, PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.call_control import Leg, by_word
from hangtag.providers.reading import json_object, moment, need, plausible, text
from hangtag.providers.telnyx.legs import leg_events, outcome_of, own_numbers, read_digits

# The tolerance of the vendor's library, in both directions.
TOLERANCE_SECONDS = 300


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify Telnyx-Signature-Ed25519: base64 of a signature of Telnyx-Timestamp, a bar, and the raw body."""
    stamp = request.headers.get("telnyx-timestamp", "")
    signature = decode_base64(request.headers.get("telnyx-signature-ed25519", ""), 64)
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or signature is None:
        raise SignatureError("telnyx-timestamp or telnyx-signature-ed25519 is missing or unreadable.")
    if abs(request.arrived_at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureError(
            f"The webhook was signed more than {TOLERANCE_SECONDS} seconds before or after it arrived."
        )
    message = stamp.encode() + b"|" + request.body
    if not any(_is_signed(message, signature, entry) for entry in keys.credentials.get("public_key", ())):
        raise SignatureError("telnyx-signature-ed25519 is wrong. Check that public_key is the account's.")


def _is_signed(message: bytes, signature: bytes, public_key: str) -> bool:
    """Return whether the key signed the message. Public keys need no constant-time comparison."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(decode_base64(public_key, 32) or b"").verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def decode_base64(encoded: str, length: int) -> bytes | None:
    """Return that many bytes from base64; None if the text is anything other than their canonical encoding."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == length and base64.b64encode(raw).decode() == encoded else None


# ------------------------------------------------------------------ payloads

# A leg that is bridged was answered: call.bridged replaces a call.answered that was lost.
KINDS = by_word(Kind, ringing="call.initiated", answered="call.answered call.bridged", ended="call.hangup")
# Other events of calls that the library lists. They change nothing.
_IGNORED = re.compile(
    r"call\.(ai_gather\.\w+|analyzed|conversation\.\w+|conversation_insights\.\w+|cost|deepfake_detection\.\w+|"
    r"dequeued|dtmf\.\w+|enqueued|fork\.\w+|gather\.\w+|hold|unhold|machine\.[\w.]+|payment\.\w+|playback\.\w+|"
    r"recording\.(error|transcription\.saved)|refer\.\w+|siprec\.\w+|speak\.\w+|streaming\.\w+|transcription)|"
    r"(conference|siprec|streaming|transcript)\.[\w.]+",
    re.ASCII,
)
# `client_state` is base64 of a JSON object of text. Its names, and those of the hints of `call_control`; `control_id`
# is the call_control_id of the employee's leg.
_CLIENT_STATE = {
    "d": "direction",
    "leg": "leg",
    "ext": "extension",
    "n": "number",
    "l": "line",
    "t": "transferred_from",
    "c": "control_id",
}
_MAX_STATE = 4096


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events of one webhook. `settings` contain the account's own numbers. Raises PayloadError."""
    data = json_object(request).get("data")
    if not isinstance(data, dict):
        raise PayloadError("data is missing.")
    name = need(data, "event_type")
    if name == "call.recording.saved":
        return ParseResult(_recorded_events(data, request.arrived_at))
    if name in KINDS:
        return ParseResult(leg_events(name, read_leg(data, request.arrived_at), own_numbers(settings)))
    return ParseResult(unknown=not _IGNORED.fullmatch(name))


def payload_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the payload of a webhook. Raises PayloadError."""
    payload = data.get("payload")
    if not isinstance(payload, dict):
        raise PayloadError("payload is missing.")
    return payload


def read_leg(data: Mapping[str, Any], arrived_at: datetime) -> Leg:
    """Return the leg of a webhook."""
    payload = payload_of(data)
    at, at_is_arrival = call_control.reported_time(data, "occurred_at", arrived_at)
    return Leg(
        id=need(payload, "call_leg_id"),
        call_id=need(payload, "call_session_id"),
        kind=KINDS[need(data, "event_type")],
        at=at,
        at_is_arrival=at_is_arrival,
        way=text(payload, "direction"),
        caller=text(payload, "from"),
        called=text(payload, "to"),
        outcome=outcome_of(text(payload, "hangup_cause").lower(), text(payload, "sip_hangup_cause")),
        begun=plausible(moment(text(payload, "start_time")), arrived_at),
        event_id=text(data, "id") or None,
        hints=_hints(payload.get("client_state")),
    )


def _hints(state: object) -> Mapping[str, str]:
    """Return the hints of a client state; {} if the state is another application's."""
    if not isinstance(state, str) or len(state) > _MAX_STATE:
        return {}
    try:
        content = json.loads(base64.b64decode(state, validate=True))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("d") not in ("in", "out"):
        return {}
    values = ((hint, content.get(name)) for name, hint in _CLIENT_STATE.items())
    return {
        hint: value
        for hint, value in values
        if isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()
    }


def pack_state(hints: Mapping[str, str]) -> str:
    """Return the client state of hints."""
    content = {name: hints[hint] for name, hint in _CLIENT_STATE.items() if hint in hints}
    return base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()


def _recorded_events(data: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    """Return the event of a recording, named by its id or a public address; other addresses expire in ten minutes."""
    payload = payload_of(data)
    lasting = text(payload, "recording_id") or media_address(payload, "public_recording_urls")
    recording = lasting or media_address(payload, "recording_urls")
    if not recording:
        return ()
    at, at_is_arrival = call_control.reported_time(data, "occurred_at", arrived_at)
    call_id, fields = need(payload, "call_session_id"), {"recording_is_temporary": not lasting}
    event_id = text(data, "id") or None
    return (call_control.recorded_event(call_id, at, at_is_arrival, recording, event_id=event_id, **fields),)


def media_address(fields: Mapping[str, Any], name: str) -> str:
    """Return the first web address of a field, by format, or "": an account can have its own storage."""
    addresses = fields.get(name)
    formats = [text(addresses, form, 4096) for form in ("mp3", "wav")] if isinstance(addresses, dict) else []
    return next((address for address in formats if address.startswith("http")), "")


def next_step(request: WebhookRequest) -> NextStep | None:
    """Return the step of a click that a verified webhook triggers. Raises PayloadError.

    `do` is `dial` if the employee picked up, and the contact should be called, or `hang_up` if the contact's leg has
    ended, and the employee would keep a silent phone. `control_id` is the employee's leg. Only for new webhooks, never
    for a replay. Duplicates are harmless: `connect` sends the same command_id for the same leg, and once Telnyx can
    have forgotten it, the contact is not called any more.
    """
    data = json_object(request).get("data")
    if not isinstance(data, dict) or data.get("event_type") not in ("call.answered", "call.hangup"):
        return None
    leg = read_leg(data, request.arrived_at)
    hints, control_id = leg.hints, text(payload_of(data), "call_control_id")
    if leg.direction_hint is not Direction.OUT:
        return None
    step = {"call_id": leg.call_id, "control_id": control_id, "extension": hints.get("extension", "")}
    numbers = {name: f"+{number}" for name in ("number", "line") if (number := read_digits(hints.get(name, "")))}
    # Telnyx recognises a repeated command_id for a minute.
    is_new = request.arrived_at - leg.at < timedelta(seconds=50)
    if (leg.kind, hints.get("leg")) == (Kind.ANSWERED, "employee") and is_new and control_id and len(numbers) == 2:
        return {"do": "dial", **step, **numbers}
    if (leg.kind, hints.get("leg")) == (Kind.ENDED, "contact") and hints.get("control_id"):
        return {"do": "hang_up", "call_id": leg.call_id, "control_id": hints["control_id"]}
    return None
