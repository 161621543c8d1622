"""Page cursors: opaque to callers, validated on return. A cursor contains no secret and grants no access."""

import base64
import binascii
import json

from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode

__all__ = ["cursor_error", "read_cursor", "write_cursor"]

MAX_PART = 300
# Three parts of four-byte characters in base64, with the JSON around them.
MAX_LENGTH = 5000


def write_cursor(of: str, *parts: str | None) -> str:
    """Return a cursor of the list `of`."""
    text = json.dumps([of, *parts], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_cursor(of: str, count: int, cursor: str | None) -> tuple[str | None, ...] | None:
    """Return the parts of a cursor of the list `of`, or None without a cursor. Raises BadInputError for other text."""
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_LENGTH or not cursor.isascii():
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        cursor_parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(cursor_parts, list) or len(cursor_parts) != count + 1 or cursor_parts[0] != of:
            raise ValueError
        if not all(part is None or _is_part(part) for part in cursor_parts[1:]):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError):
        raise cursor_error() from None
    return tuple(cursor_parts[1:])


def cursor_error() -> BadInputError:
    """Return the error for a cursor of another list."""
    sentence = "Not a cursor of this list. Use next_cursor of the previous page."
    fields = (FieldError("cursor", FieldErrorCode.INVALID_FORMAT, sentence),)
    return BadInputError("The cursor is not valid.", fields, code=ErrorCode.CURSOR_INVALID)


def _is_part(part: object) -> bool:
    if not isinstance(part, str) or not 0 < len(part) <= MAX_PART:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in part)
