"""Readers that the providers share: forms, JSON, times and numbers as PBXs write them, each with an upper bound.

Every function raises PayloadError only. Its reason names a field and never repeats a value.
"""

import hmac
import json
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hangtag.auth import secrets_match
from hangtag.domain.calls.event import Direction, Outcome
from hangtag.providers.base import PayloadError, WebhookRequest

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = [
    "LIST_SEPARATOR",
    "MAX_CLOCK_SKEW",
    "UNANSWERED",
    "flag",
    "form",
    "is_json",
    "is_one_of",
    "json_object",
    "json_of",
    "moment",
    "need",
    "outcome",
    "outcome_of",
    "plausible",
    "query",
    "same",
    "text",
    "whole",
    "words",
    "zone",
]

MAX_FIELDS = 200
# Joins the values of a list parameter in PHP style: its name ends with [] and is repeated.
LIST_SEPARATOR = "\n"
# Times of a PBX are ignored if its clock is off by more.
MAX_CLOCK_SKEW = timedelta(days=2)
# Longer than any number, name or id that a PBX sends.
MAX_TEXT = 512
# Upper bound for a PBX's own message in an error shown to an admin.
MAX_WORDS = 200
# Every outcome but success.
UNANSWERED = frozenset(Outcome) - {Outcome.SUCCESS}
_CHARSETS = {"windows-1251": "cp1251", "cp1251": "cp1251"}


# ------------------------------------------------------------------ bodies


def is_json(request: WebhookRequest) -> bool:
    """Return whether the content type is JSON."""
    return "json" in request.headers.get("content-type", "").lower()


def form(request: WebhookRequest, limits: Mapping[str, int] | None = None, most: int = MAX_FIELDS) -> dict[str, str]:
    """Return the form's fields. A repeated field is an error, except in a list (`name[]`), whose values are joined.

    `limits` are the maximum characters per field, `most` the maximum number of fields.
    """
    if is_json(request):
        raise PayloadError("The body must be a form, not JSON.")
    return _pairs(_decoded(request), "The body is not a form in UTF-8.", limits or {}, most)


def query(request: WebhookRequest, limits: Mapping[str, int] | None = None) -> dict[str, str]:
    """Return the fields of the query string. A repeated field is an error."""
    return _pairs(request.query, "The query string is not readable.", limits or {}, MAX_FIELDS)


def json_object(request: WebhookRequest) -> dict[str, Any]:
    """Return the body as a JSON object. A repeated name, NaN or an infinite number is an error."""
    try:
        payload = json.loads(_decoded(request), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise PayloadError("The body is not JSON.") from None
    if not isinstance(payload, dict):
        raise PayloadError("The body is not a JSON object.")
    return payload


def json_of(body: bytes | str) -> Any:
    """Return a response's body as JSON, or None if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _decoded(request: WebhookRequest) -> str:
    declared = request.headers.get("content-type", "").lower().partition("charset=")[2].strip(' "')
    try:
        return request.body.decode(_CHARSETS.get(declared, "utf-8-sig"))
    except ValueError:
        raise PayloadError("The body is not in UTF-8.") from None


def _pairs(encoded: str, message: str, limits: Mapping[str, int], most: int) -> dict[str, str]:
    if _has_broken_escape(encoded):
        raise PayloadError("The form encoding is broken.")
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise PayloadError(message) from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif name.endswith("[]"):
            fields[name] += LIST_SEPARATOR + value
        else:
            raise PayloadError("A parameter is given twice.")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise PayloadError("A parameter holds a NUL.")
    for name, limit in limits.items():
        if len(fields.get(name, "")) > limit:
            raise PayloadError(f"Field {name} is longer than {limit} characters.")
    return fields


def _has_broken_escape(encoded: str) -> bool:
    """Return whether a percent sign lacks its two hexadecimal digits, which `parse_qsl` accepts."""
    for piece in encoded.split("%")[1:]:
        if len(piece) < 2 or any(c not in "0123456789abcdefABCDEF" for c in piece[:2]):
            return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _no_constant(_: str) -> None:
    raise ValueError


# ------------------------------------------------------------------ fields


def text(fields: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    """Return a field as stripped text: "" if it is missing or null; an integer becomes its digits."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PayloadError(f"Field {name} is not text.")
    try:
        stripped = str(value).strip()
    except ValueError:
        raise PayloadError(f"Field {name} is too long a number.") from None
    if len(stripped) > limit or "\0" in stripped:
        raise PayloadError(f"Field {name} is longer than {limit} characters, or holds a NUL.")
    return stripped


def need(fields: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    """Return a field as `text` does. Raises PayloadError if it is missing or empty."""
    value = text(fields, name, limit)
    if not value:
        raise PayloadError(f"Field {name} is missing.")
    return value


def whole(fields: Mapping[str, Any], name: str) -> int | None:
    """Return an integer of at most ten digits, or None if the field is missing or empty."""
    value = text(fields, name)
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise PayloadError(f"Field {name} is not a whole number.")
    return int(value)


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """Return whether a field is true, 1, "true" or "yes"."""
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    return text(fields, name).lower() in ("1", "true", "yes")


# Keys are lower case without separators. One client in use sends "notavaliable".
_OUTCOMES = {
    "success": Outcome.SUCCESS,
    "answer": Outcome.SUCCESS,
    "answered": Outcome.SUCCESS,
    "missed": Outcome.MISSED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
    "cancel": Outcome.CANCELLED,
    "busy": Outcome.BUSY,
    "noanswer": Outcome.NO_ANSWER,
    "notavailable": Outcome.UNAVAILABLE,
    "notavaliable": Outcome.UNAVAILABLE,
    "unavailable": Outcome.UNAVAILABLE,
    "notfound": Outcome.UNAVAILABLE,
    "notallowed": Outcome.NOT_ALLOWED,
}


def outcome(status: str, direction: Direction | None = None) -> Outcome | None:
    """Return the outcome of a status in words: None if it is empty, FAILED if it is unknown.

    An incoming call without an answer is missed.
    """
    word = "".join(character for character in status.lower() if character.isalpha())
    return outcome_of(_OUTCOMES, word, direction, missed=(Outcome.NO_ANSWER,))


def outcome_of(
    table: Mapping[str, Outcome],
    word: str,
    direction: Direction | None,
    *,
    unknown: Outcome = Outcome.FAILED,
    missed: Container[Outcome] = UNANSWERED,
) -> Outcome | None:
    """Return the outcome of a PBX's word: None if it is empty, `unknown` if the table lacks it.

    An unanswered incoming call is missed: an outcome in `missed` becomes MISSED if the call is incoming.
    """
    if not word:
        return None
    result = table.get(word, unknown)
    return Outcome.MISSED if direction is Direction.IN and result in missed else result


def words(message: object, secret: str = "") -> str:
    """Return a PBX's own message for an admin: one line, without the secret, and without digits (a phone number)."""
    line = str(message or "")
    line = line.replace(secret, "***") if secret else line
    line = "".join("" if c.isdigit() else c if c.isprintable() else " " for c in line)
    return " ".join(line.split())[:MAX_WORDS]


# ------------------------------------------------------------------ times


def moment(value: str, clock: "ZoneInfo | None" = None) -> datetime | None:
    """Return a time in UTC; None if it is unreadable, or has no zone and `clock`, the PBX's zone, is None.

    Reads ISO 8601, YYYYmmddTHHMMSSZ, "YYYY-MM-DD HH:MM:SS", RFC 2822, and seconds or milliseconds since 1970.
    """
    try:
        if value.isascii() and value.isdigit() and len(value) in (9, 10, 12, 13):
            return datetime.fromtimestamp(int(value) / (1000 if len(value) > 10 else 1), UTC)
        result = parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)
        if result.tzinfo is None:
            if clock is None:
                return None
            result = result.replace(tzinfo=clock)
        return result.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def plausible(at: datetime | None, arrived_at: datetime) -> datetime | None:
    """Return a PBX's time, or None if its clock is off by more than two days."""
    return at if at is not None and abs(arrived_at - at) <= MAX_CLOCK_SKEW else None


@lru_cache(maxsize=256)
def zone(name: str) -> "ZoneInfo | None":
    """Return the time zone of an IANA name, or None if it is unknown."""
    # Few PBXs need it, and its import is slow.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# ------------------------------------------------------------------ secrets


def is_one_of(secret: str, hashes: Iterable[str]) -> bool:
    """Return whether a secret has one of these hashes, in constant time."""
    match = False
    for expected in hashes:
        match |= secrets_match(secret, expected)
    return match


def same(value: str, candidates: Iterable[str]) -> bool:
    """Return whether a text, such as a signature, equals one of the candidates, in constant time."""
    raw = value.encode("utf-8", "surrogatepass")
    match = False
    for candidate in candidates:
        match |= hmac.compare_digest(raw, candidate.encode("utf-8", "surrogatepass"))
    return match
