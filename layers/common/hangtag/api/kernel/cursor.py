"""Cursors: opaque to callers, and checked when they come back. They hold no secret and give no right."""

import base64
import binascii
import json

from hangtag.errors import BadInputError, FieldError, FieldErrorCode

__all__ = ["read_cursor", "write_cursor"]

MAX_PART = 300
# Three parts of characters that take four bytes each, in base64, and what stands around them.
MAX_LENGTH = 5000


def write_cursor(of: str, *parts: str | None) -> str:
    """A cursor of the list `of`."""
    text = json.dumps([of, *parts], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_cursor(of: str, count: int, cursor: str | None) -> tuple[str | None, ...] | None:
    """The parts of a cursor of the list `of`; None if none was given. Raises BadInputError for any other text."""
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_LENGTH or not cursor.isascii():
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        said = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(said, list) or len(said) != count + 1 or said[0] != of:
            raise ValueError
        if not all(part is None or _is_part(part) for part in said[1:]):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError):
        field = FieldError("cursor", FieldErrorCode.INVALID_FORMAT, "it is not a cursor of this list")
        raise BadInputError("the cursor is not one of this list", (field,)) from None
    return tuple(said[1:])


def _is_part(part: object) -> bool:
    if not isinstance(part, str) or not 0 < len(part) <= MAX_PART:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in part)
