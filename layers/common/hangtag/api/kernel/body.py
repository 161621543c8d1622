"""Strict parsing of request bodies: every malformed body ends here with a 400, 413 or 415."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from hangtag.errors import BadInputError, ErrorCode, TooLargeError, UnsupportedMediaError

__all__ = ["read_object"]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53


def read_object(event: Mapping[str, Any], headers: Mapping[str, str], *, may_be_empty: bool = False) -> dict[str, Any]:
    """Return the JSON object in the body of an HTTP API request (payload 2.0).

    With `may_be_empty` an empty body is an empty object.

    Raises BadInputError for other content, TooLargeError over 64 KB, UnsupportedMediaError for another media type.
    """
    media = headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMediaError("The body must be application/json.")
    raw = _raw(event)
    if len(raw) > MAX_BYTES:
        raise TooLargeError("The body is over 64 KB.", params={"max_bytes": MAX_BYTES})
    if not raw.strip():
        if may_be_empty:
            return {}
        raise _wrong("The body must be a JSON object.", ErrorCode.INVALID_BODY)
    try:
        parsed = json.loads(raw.decode("utf-8-sig"), parse_constant=_reject, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise _wrong("The body is not UTF-8.", ErrorCode.INVALID_ENCODING) from None
    except (ValueError, RecursionError):
        # json raises ValueError also for an integer of thousands of digits.
        raise _wrong("The body is not JSON.", ErrorCode.INVALID_JSON) from None
    if not isinstance(parsed, dict):
        raise _wrong("The body must be a JSON object.", ErrorCode.INVALID_BODY)
    _check(parsed)
    return parsed


def _wrong(sentence: str, code: ErrorCode) -> BadInputError:
    return BadInputError(sentence, code=code)


def _raw(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong("The base64 of the body is not valid.", ErrorCode.INVALID_ENCODING) from None


def _reject(constant: str) -> Any:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _wrong("The body contains a field twice.", ErrorCode.DUPLICATE_FIELD)
    return fields


def _check(parsed: Any) -> None:
    """Reject values that no field can have: NUL, an unpaired surrogate, infinite numbers, deep nesting."""
    level: list[Any] = [parsed]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
            else:
                _check_scalar(value)
        if not below:
            return
        level = below
    raise _wrong("The body is nested too deeply.", ErrorCode.BODY_TOO_DEEP)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise _wrong("A text contains a NUL or an unpaired surrogate.", ErrorCode.INVALID_ENCODING)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _wrong("A number is too large.", ErrorCode.INVALID_BODY)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise _wrong("A number is too large.", ErrorCode.INVALID_BODY)
