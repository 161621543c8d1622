"""The JSON of a request, read strictly: what a caller may get wrong ends here with a 400, 413 or 415."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from hangtag.errors import BadInputError, TooLargeError, UnsupportedMediaError

__all__ = ["read_object"]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53


def read_object(event: Mapping[str, Any], headers: Mapping[str, str], *, may_be_empty: bool = False) -> dict[str, Any]:
    """The JSON object in the body of an HTTP API request (payload 2.0).

    `may_be_empty`: an empty body is an empty object, for requests that need not say anything.

    Raises BadInputError for anything else, TooLargeError over 64 KB, UnsupportedMediaError for another media type.
    """
    media = headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMediaError("the body must be application/json")
    raw = _raw(event)
    if len(raw) > MAX_BYTES:
        raise TooLargeError("the body is over 64 KB")
    if not raw.strip():
        if may_be_empty:
            return {}
        raise BadInputError("a JSON object is expected in the body")
    try:
        parsed = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise BadInputError("the body is not UTF-8") from None
    except (ValueError, RecursionError):
        # ValueError also stands for an integer of thousands of digits.
        raise BadInputError("the body is not JSON") from None
    if not isinstance(parsed, dict):
        raise BadInputError("a JSON object is expected in the body")
    _check(parsed)
    return parsed


def _raw(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInputError("the body's base64 is broken") from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadInputError("the body names a field twice")
    return made


def _check(parsed: Any) -> None:
    """Refuse what no field can hold: NUL, half a character, endless numbers, deep nesting."""
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
    raise BadInputError("the body is nested too deeply")


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadInputError("a text holds a NUL or half a character")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadInputError("a number is too large")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise BadInputError("a number is too large")
