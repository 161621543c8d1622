"""Display formats of phone numbers by phone type, such as `+# (###) ###-##-##`. Pure.

`#` is a digit, any other character is literal; the extension dialled after the answer follows a comma. Formats are for
display and entry only, never for matching, checks or routing. Modelled on the masks of Planfix's directories.
"""

from collections.abc import Iterable

from hangtag.settings import DisplayFormat

__all__ = ["mask_for", "read", "show", "show_any"]

DIGIT = "#"


def show(mask: str, e164: str, extension: str | None = None) -> str:
    """Format a number (E.164); return E.164 if the digit counts differ. The extension is never lost."""
    main, _, tail = mask.partition(",")
    digits = e164.removeprefix("+")
    shown = _fill(main, digits) if main.count(DIGIT) == len(digits) else e164
    if not extension:
        return shown
    suffix = _fill(tail, extension) if tail.count(DIGIT) == len(extension) else extension
    return f"{shown},{suffix}"


def show_any(formats: Iterable[DisplayFormat], e164: str) -> str:
    """Return a number (E.164) in the first display format with its count of digits; in E.164 without such a format."""
    digits = len(e164.removeprefix("+"))
    fitting = (row.mask for row in formats if row.mask.partition(",")[0].count(DIGIT) == digits)
    return show(next(fitting, e164), e164)


def read(typed: str) -> str:
    """Return the digits of a formatted number, with a plus if it has one.

    Digits after a comma become the extension, as `;ext=`, which `phone.normalise` accepts.
    """
    main, _, tail = typed.partition(",")
    digits = "".join(filter(str.isdecimal, main))
    plus = "+" if main.lstrip().startswith("+") else ""
    extension = "".join(filter(str.isdecimal, tail))
    return f"{plus}{digits};ext={extension}" if extension else f"{plus}{digits}"


def mask_for(masks: Iterable[DisplayFormat], phone_type: str | None) -> str | None:
    """Return the display format of a phone type, ignoring case; None if not configured."""
    name = (phone_type or "").casefold()
    return next((row.mask for row in masks if row.type.casefold() == name), None)


def _fill(mask: str, digits: str) -> str:
    left = iter(digits)
    return "".join(next(left) if character == DIGIT else character for character in mask)
