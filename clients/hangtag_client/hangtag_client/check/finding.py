"""Findings of a check, and the mask that hides tokens and numbers in them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PAGE", "Finding", "Mask", "Section", "Weight", "expected", "note", "passed"]

PAGE = "docs/telephony-api.md"
MAX_SHOWN = 300
SHORT_SECRET = 8


class Weight(StrEnum):
    """Severity of a finding. Only FAIL makes the check fail."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


class Section(StrEnum):
    """Headings of the page that findings refer to. A test compares them with the page."""

    REQUESTS = "Requests and replies"
    SETUP = "setup"
    MAKE_CALL = "makeCall"
    EVENT = "event"
    RECORD = "record"
    CONTACT = "contact"
    PING = "ping"
    STATUSES = "Statuses"
    INCOMING = "Incoming call"
    PARALLEL = "Parallel group"
    SEQUENTIAL = "Sequential group"
    OUTGOING = "Outgoing call"
    CHECK = "Check your bridge"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence and the section of the page that explains it. Not masked, see `Mask`."""

    weight: Weight
    sentence: str
    section: Section

    def line(self, mask: "Mask") -> str:
        """Return the finding as a masked line."""
        return f"{self.weight:<4}  {mask(self.sentence)} ({PAGE}, “{self.section}”)"


def expected(what: str, actual: str, section: Section) -> Finding:
    """Return a failure: the expected request or value, and the actual one."""
    return Finding(Weight.FAIL, f"Expected {what}; received {actual}.", section)


def passed(sentence: str, section: Section) -> Finding:
    """Return a success."""
    return Finding(Weight.OK, sentence, section)


def note(sentence: str, section: Section) -> Finding:
    """Return a remark: Hangtag accepts this, but the maker of the bridge should know."""
    return Finding(Weight.NOTE, sentence, section)


# Seven digits or more, with common separators. Dates, and call ids with dots or letters, do not match.
_NUMBER = re.compile(r"(?<![\w.\-])(?!\d{4}-\d\d-\d\d)\+?\d(?:[ ()\-]{0,2}\d){6,}(?![\w.\-])", re.ASCII)


class Mask:
    """Masks secrets, all but the last four digits of phone numbers, and unprintable characters."""

    def __init__(self, secrets: Iterable[str] = (), numbers: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._numbers = sorted({number for number in numbers if len(number) > 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the masked text, cut to about 300 characters."""
        for secret in self._secrets:
            # A short secret is masked as a whole word only, since it can be part of any word.
            whole = rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < SHORT_SECRET else re.escape(secret)
            text = re.sub(whole, "***", text)
        for number in self._numbers:
            text = text.replace(number, "***" + number[-4:])
        text = _NUMBER.sub(lambda match: "***" + re.sub(r"\D", "", match.group())[-4:], text)
        text = "".join(character if character.isprintable() else " " for character in text)
        return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
