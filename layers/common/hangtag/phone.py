"""Phone numbers: any format in, E.164 out. The library is loaded with the first number."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

__all__ = ["Number", "country_of", "dialled", "is_emergency", "is_premium", "is_short", "mask_number", "normalise"]

MAX_LENGTH = 64
_SCHEME = re.compile(r"(?:sips?|tel):([^@;]*)", re.IGNORECASE)
_NUMBER_PART = re.compile(r"[\d\s()./\-‐-―−+]*")
_SHORT = re.compile(r"\d{2,4}", re.ASCII)
# With this many digits, a valid foreign number is likelier than a national number without its trunk prefix.
_LIKELY_INTERNATIONAL_DIGITS = 11
_MIN_INTERNATIONAL_DIGITS = 9
_MIN_DIGITS_AFTER_810 = 10


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can be called. `raw` is the input, `extension` the digits dialled after the answer."""

    e164: str
    extension: str | None
    raw: str


def is_short(raw: str) -> bool:
    """Return True for an internal number: two to four digits, no plus."""
    return _SHORT.fullmatch(raw.strip()) is not None


def normalise(raw: str, country: str) -> Number | None:
    """Read a number as it is written in a country (ISO 3166, two letters); None if withheld or unreadable.

    A plus or 00 marks an international number. Without a plus, the digits of a full number of any country are
    international too, unless they fit this country better; 810 is the international prefix where 8 is the trunk prefix.
    Never raises.
    """
    text = _strip(raw)
    digits = _digits(text)
    # PBXs send words or zeros for a withheld number (anonymous, unknown, private, -, 0, …).
    if len(digits) < 2 or not digits.strip("0"):
        return None
    number = _read(text, country.upper())
    if number is None:
        return None
    import phonenumbers

    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Number(e164, number.extension or None, raw)


def _strip(raw: str) -> str:
    """Return the user part of a SIP or tel address, or the text itself; "" if it is too long."""
    text = raw.strip()
    scheme = _SCHEME.match(text)
    if scheme:
        text = scheme.group(1).strip()
    if len(text) > MAX_LENGTH:
        return ""
    return text


def _read(text: str, country: str) -> "PhoneNumber | None":
    if text.startswith(("+", "＋")):
        return _parse(text, None, lenient=True)
    head = _NUMBER_PART.match(text)
    main = _digits(head.group() if head else text)
    if main.startswith("00"):
        return _parse(_after(text, 2), None) or _parse(text, country)
    if main.startswith("810") and len(main) >= _MIN_DIGITS_AFTER_810 + 3:
        behind = _parse(_after(text, 3), None)
        if behind is not None:
            return behind
    national = _parse(text, country)
    abroad = _parse("+" + text, None) if len(main) >= _MIN_INTERNATIONAL_DIGITS else None
    if abroad is not None and (national is None or _looks_international(main, country)):
        return abroad
    if national is not None:
        return national
    return _parse(text, country, lenient=True) or _parse_own(text, main, country)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _after(text: str, count: int) -> str:
    """Return the text after its first `count` digits, with a plus in front."""
    digits = 0
    for position, character in enumerate(text):
        digits += character.isdecimal()
        if digits == count:
            return "+" + text[position + 1 :]
    return ""


def _looks_international(digits: str, country: str) -> bool:
    """Return True if digits that are valid in this country and abroad probably begin with a country code."""
    import phonenumbers

    own = str(phonenumbers.country_code_for_region(country))
    trunk = phonenumbers.ndd_prefix_for_region(country, True) or ""
    if trunk and trunk != own and digits.startswith(trunk):
        return False
    return digits.startswith(own) or len(digits) >= _LIKELY_INTERNATIONAL_DIGITS


def _parse_own(text: str, digits: str, country: str) -> "PhoneNumber | None":
    """Parse a number that begins with the country's own code without a plus. Only its length is checked."""
    import phonenumbers

    own = str(phonenumbers.country_code_for_region(country))
    if not digits.startswith(own) or len(digits) < _LIKELY_INTERNATIONAL_DIGITS:
        return None
    return _parse("+" + text, None, lenient=True)


def _parse(text: str, country: str | None, *, lenient: bool = False) -> "PhoneNumber | None":
    """Parse a valid number; with `lenient`, also one that has a valid length only (new ranges, test numbers)."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_valid_number(number):
        return number
    possible = phonenumbers.is_possible_number_with_reason(number)
    fits = possible == phonenumbers.ValidationResult.IS_POSSIBLE
    return number if lenient and fits else None


def is_emergency(raw: str, country: str) -> bool:
    """Return True if a number dialled in a country reaches an emergency service."""
    from phonenumbers import shortnumberinfo

    return bool(shortnumberinfo.connects_to_emergency_number(_strip(raw), country.upper()))


def country_of(e164: str) -> str | None:
    """Return the country (ISO 3166, two letters) of a number; None for satellite and other global numbers."""
    import phonenumbers

    region = phonenumbers.region_code_for_number(phonenumbers.parse(e164, None))
    return None if region is None or region == "001" else str(region)


def is_premium(e164: str) -> bool:
    """Return True for a premium-rate number."""
    import phonenumbers

    kind = phonenumbers.number_type(phonenumbers.parse(e164, None))
    return bool(kind == phonenumbers.PhoneNumberType.PREMIUM_RATE)


def dialled(e164: str, country: str, form: str | None) -> str:
    """Format a number for a PBX in a country: `form` is e164 (or None), international (no plus) or national.

    In the national form, a foreign number begins with the country's international prefix.
    """
    if form == "international":
        return e164.removeprefix("+")
    if form != "national":
        return e164
    import phonenumbers

    number = phonenumbers.parse(e164, None)
    return _digits(phonenumbers.format_out_of_country_calling_number(number, country.upper()))


_SHOWN_HEAD = 5
_SHOWN_TAIL = 4


def mask_number(number: str) -> str:
    """Mask a phone number for a log: "+74951234567" becomes "+7495***4567", a short number "***"."""
    if len(number) < _SHOWN_HEAD + _SHOWN_TAIL + 2:
        return "***"
    return f"{number[:_SHOWN_HEAD]}***{number[-_SHOWN_TAIL:]}"
