"""Masks: how phone numbers of a type are shown and typed, such as `+# (###) ###-##-##`. Pure.

`#` is a digit, anything else stands for itself; what is dialled after the answer follows a comma. They are for display
and entry only: nothing is matched, checked or routed by them. After the masks of Planfix's directories.
"""

from collections.abc import Iterable

from hangtag.settings import DisplayFormat

__all__ = ["mask_for", "read", "show", "show_any"]

DIGIT = "#"


def show(mask: str, e164: str, extension: str | None = None) -> str:
    """A number (E.164) as a mask has it; in E.164 if it has another count of digits. The extension is never lost."""
    main, _, tail = mask.partition(",")
    digits = e164.removeprefix("+")
    shown = _fill(main, digits) if main.count(DIGIT) == len(digits) else e164
    if not extension:
        return shown
    told = _fill(tail, extension) if tail.count(DIGIT) == len(extension) else extension
    return f"{shown},{told}"


def show_any(formats: Iterable[DisplayFormat], e164: str) -> str:
    """Return a number (E.164) in the first display format with its count of digits; in E.164 without such a format."""
    digits = len(e164.removeprefix("+"))
    fitting = (row.mask for row in formats if row.mask.partition(",")[0].count(DIGIT) == digits)
    return show(next(fitting, e164), e164)


def read(typed: str) -> str:
    """What was typed into a mask, without what the mask put between the digits: digits, with a plus if there is one.

    What follows a comma is kept as the extension, in the form that numbers are taken in.
    """
    main, _, tail = typed.partition(",")
    digits = "".join(filter(str.isdecimal, main))
    plus = "+" if main.lstrip().startswith("+") else ""
    extension = "".join(filter(str.isdecimal, tail))
    return f"{plus}{digits};ext={extension}" if extension else f"{plus}{digits}"


def mask_for(masks: Iterable[DisplayFormat], phone_type: str | None) -> str | None:
    """The mask of a phone type, without regard to case; None if there is none."""
    wanted = (phone_type or "").casefold()
    return next((row.mask for row in masks if row.type.casefold() == wanted), None)


def _fill(mask: str, digits: str) -> str:
    left = iter(digits)
    return "".join(next(left) if character == DIGIT else character for character in mask)
