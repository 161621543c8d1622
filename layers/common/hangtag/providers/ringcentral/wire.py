"""RingCentral's field formats, shared by webhook, API and history."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hangtag.providers.base import PayloadError

__all__ = ["CALLER_LEG", "FEATURE_CODE", "OUT_LEG", "caller_number", "extension_numbers", "inner", "line_number"]

# Legs are named by extension, not by party: the call log need not name parties. Both parties of an outgoing call
# report the same leg; the caller of an incoming call has a leg of its own.
OUT_LEG, CALLER_LEG = "out", "caller"
# Codes dialled to control the PBX, such as *801 to fetch a parked call. A number after such a code is longer.
FEATURE_CODE = re.compile(r"\*[0-9]{1,7}")


def inner(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object within another; {} if it is absent. Raises PayloadError if the value is not an object."""
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise PayloadError(f"Field {name} is not an object.")
    return value or {}


def extension_numbers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return numbers by internal id, from the setting `extensions`: "400144455008=101, 400144456008="."""
    return _parse(str(settings.get("extensions") or ""))


@lru_cache(maxsize=64)
def _parse(setting: str) -> Mapping[str, str]:
    pairs = (pair.partition("=") for pair in setting.split(","))
    return {extension_id.strip(): number.strip() for extension_id, _, number in pairs if extension_id.strip()}


def caller_number(value: str) -> str:
    """Return a caller's number; "" if it is withheld (a word, or empty)."""
    return value if any(character in "123456789" for character in value) else ""


def line_number(value: str) -> str | None:
    """Return an own external number; None for a short one, which is an extension's."""
    return value if len(value) > 6 and caller_number(value) else None
