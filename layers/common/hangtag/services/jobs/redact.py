"""Removal of one phone number from texts, in any notation."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# Separators between the digits of a number.
_BETWEEN = r"[\s()./-]{0,2}"


@dataclass(frozen=True)
class Scrubber:
    """Pattern of one number (E.164): international after +, 00 or 810, national after 0, 8 or without prefix."""

    e164: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        import phonenumbers

        read = phonenumbers.parse(self.e164)
        prefixes = f"(?:(?:\\+|00|810)?{_BETWEEN}{_spread(str(read.country_code))}|0|8)"
        national = _spread(phonenumbers.national_significant_number(read))
        return re.compile(rf"(?<!\d)(?:{prefixes}{_BETWEEN})?{national}(?!\d)|{_escaped(self.e164)}(?!\d)")

    def holds(self, text: str) -> bool:
        """Return True if the text contains the number."""
        return self._pattern.search(text) is not None

    def clean(self, text: str) -> str:
        """Return the text without the number."""
        return re.sub(r"\+(?!\d)", "", self._pattern.sub("", text)) if self.holds(text) else text

    def clean_all(self, value: Any) -> Any:
        """Return a JSON value without the number in its texts; names of fields stay."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_all(one) for one in value]
        if isinstance(value, dict):
            return {name: self.clean_all(one) for name, one in value.items()}
        return value


def _spread(digits: str) -> str:
    return _BETWEEN.join(digits)


def _escaped(e164: str) -> str:
    """Return the pattern of the number in a form or a URL."""
    return re.escape("%2B" + e164.removeprefix("+"))
