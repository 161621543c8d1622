"""What the providers' modules share: forms, JSON, times and numbers as PBXs write them, each with clear bounds.

Everything raises UnreadableError and nothing else; its reason names a field, and never repeats a value.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
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
    "believed",
    "flag",
    "form",
    "is_json",
    "is_one_of",
    "json_object",
    "json_of",
    "moment",
    "need",
    "outcome",
    "query",
    "same",
    "text",
    "whole",
    "words",
    "zone",
]

MAX_FIELDS = 200
# What parts the values of a parameter that is a list, as PHP writes one: its name ends with [], and is given again.
LIST_SEPARATOR = "\n"
# A provider's clock that is off by more is not believed.
MAX_CLOCK_SKEW = timedelta(days=2)
# No number, name or id that a PBX means to send is longer.
MAX_TEXT = 512
# So much is told of what a PBX says in words.
MAX_WORDS = 200
_CHARSETS = {"windows-1251": "cp1251", "cp1251": "cp1251"}


# ------------------------------------------------------------------ bodies


def is_json(request: WebhookRequest) -> bool:
    """Whether the body is declared as JSON."""
    return "json" in request.headers.get("content-type", "").lower()


def form(request: WebhookRequest, limits: Mapping[str, int] | None = None, most: int = MAX_FIELDS) -> dict[str, str]:
    """The body's fields, each at most once; a list's values are one field.

    `limits` are the most characters of a field, `most` the most fields.
    """
    if is_json(request):
        raise PayloadError("the body must be form-encoded, not JSON")
    return _pairs(_decoded(request), "the body is no form in UTF-8", limits or {}, most)


def query(request: WebhookRequest, limits: Mapping[str, int] | None = None) -> dict[str, str]:
    """The fields of the address, each at most once."""
    return _pairs(request.query, "the address's query can't be read", limits or {}, MAX_FIELDS)


def json_object(request: WebhookRequest) -> dict[str, Any]:
    """The body as one JSON object; no name in it is given twice, and no number is infinite."""
    try:
        said = json.loads(_decoded(request), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise PayloadError("the body is no JSON") from None
    if not isinstance(said, dict):
        raise PayloadError("the body is no JSON object")
    return said


def json_of(body: bytes | str) -> Any:
    """What a PBX's answer says as JSON; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _decoded(request: WebhookRequest) -> str:
    declared = request.headers.get("content-type", "").lower().partition("charset=")[2].strip(' "')
    try:
        return request.body.decode(_CHARSETS.get(declared, "utf-8-sig"))
    except ValueError:
        raise PayloadError("the body is not in UTF-8") from None


def _pairs(encoded: str, otherwise: str, limits: Mapping[str, int], most: int) -> dict[str, str]:
    if _has_broken_escape(encoded):
        raise PayloadError("the form encoding is broken")
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise PayloadError(otherwise) from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif name.endswith("[]"):
            fields[name] += LIST_SEPARATOR + value
        else:
            raise PayloadError("a parameter is given twice")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise PayloadError("a parameter holds a NUL")
    for name, limit in limits.items():
        if len(fields.get(name, "")) > limit:
            raise PayloadError(f"{name} is longer than {limit} characters")
    return fields


def _has_broken_escape(encoded: str) -> bool:
    """A percent sign that two hexadecimal digits do not follow; the parser would let it pass."""
    for piece in encoded.split("%")[1:]:
        if len(piece) < 2 or any(c not in "0123456789abcdefABCDEF" for c in piece[:2]):
            return True
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _no_constant(_: str) -> None:
    raise ValueError


# ------------------------------------------------------------------ fields


def text(fields: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    """A field as text without spaces around it: "" if it is absent or null; a whole number counts as its digits."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PayloadError(f"{name} is no text")
    try:
        said = str(value).strip()
    except ValueError:
        raise PayloadError(f"{name} is too long a number") from None
    if len(said) > limit or "\0" in said:
        raise PayloadError(f"{name} is longer than {limit} characters, or holds a NUL")
    return said


def need(fields: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    """The same of a field that must be there, and not empty."""
    said = text(fields, name, limit)
    if not said:
        raise PayloadError(f"{name} is missing")
    return said


def whole(fields: Mapping[str, Any], name: str) -> int | None:
    """A whole number of at most ten digits; None if it is absent or empty."""
    said = text(fields, name)
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) <= 10):
        raise PayloadError(f"{name} is no whole number")
    return int(said)


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """A yes in one of the ways in which PBXs say it."""
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    return text(fields, name).lower() in ("1", "true", "yes")


# Statuses are compared in lower case and without separators. "notavaliable" is sent by a client in the field.
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
    """A status in words, read leniently: no status says nothing, and an unknown one is a failure.

    An incoming call that nobody answered is missed, whichever word the PBX has for it.
    """
    word = "".join(character for character in status.lower() if character.isalpha())
    if not word:
        return None
    found = _OUTCOMES.get(word, Outcome.FAILED)
    return Outcome.MISSED if found is Outcome.NO_ANSWER and direction is Direction.IN else found


def words(said: object, secret: str = "") -> str:
    """A PBX's own words for an admin, on one line: without the secret, and without digits, which may be a number."""
    known = str(said or "")
    known = known.replace(secret, "***") if secret else known
    kept = "".join("" if c.isdigit() else c if c.isprintable() else " " for c in known)
    return " ".join(kept.split())[:MAX_WORDS]


# ------------------------------------------------------------------ times


def moment(said: str, zone_of_clock: "ZoneInfo | None" = None) -> datetime | None:
    """A time as PBXs write it, in UTC; None if it can't be read, or has no zone and none is given.

    ISO 8601, YYYYmmddTHHMMSSZ, "YYYY-MM-DD HH:MM:SS", RFC 2822, seconds or milliseconds since 1970.
    """
    try:
        if said.isascii() and said.isdigit() and len(said) in (9, 10, 12, 13):
            return datetime.fromtimestamp(int(said) / (1000 if len(said) > 10 else 1), UTC)
        read = parsedate_to_datetime(said) if "," in said else datetime.fromisoformat(said)
        if read.tzinfo is None:
            if zone_of_clock is None:
                return None
            read = read.replace(tzinfo=zone_of_clock)
        return read.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def believed(said: datetime | None, arrived_at: datetime) -> datetime | None:
    """A provider's time, unless its clock is off by more than two days."""
    return said if said is not None and abs(arrived_at - said) <= MAX_CLOCK_SKEW else None


@lru_cache(maxsize=256)
def zone(name: str) -> "ZoneInfo | None":
    """The time zone of that IANA name; None if there is none."""
    # Few PBXs need it, and all would pay for it at the start.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# ------------------------------------------------------------------ secrets


def is_one_of(given: str, hashes: Iterable[str]) -> bool:
    """Whether a secret has one of these hashes; the time does not tell which."""
    found = False
    for expected in hashes:
        found |= secrets_match(given, expected)
    return found


def same(given: str, expected: Iterable[str]) -> bool:
    """Whether a text, a signature say, is one of the expected ones; the time does not tell which."""
    raw = given.encode("utf-8", "surrogatepass")
    found = False
    for one in expected:
        found |= hmac.compare_digest(raw, one.encode("utf-8", "surrogatepass"))
    return found
