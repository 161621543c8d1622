"""What the check found, in sentences, and the mask that keeps tokens and numbers out of them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PAGE", "Finding", "Mask", "Section", "Weight", "expected", "note", "passed"]

PAGE = "docs/telephony-api.md"
MAX_SHOWN = 300
SHORT_SECRET = 8


class Weight(StrEnum):
    """How much a finding matters: only `fail` makes the check fail."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


class Section(StrEnum):
    """The headings of the page that findings point to; a test keeps them and the page together."""

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
    """One sentence, and the section of the page that tells about it. Not masked yet: see `Mask`."""

    weight: Weight
    sentence: str
    section: Section

    def line(self, mask: "Mask") -> str:
        """The finding as it is printed."""
        return f"{self.weight:<4}  {mask(self.sentence)} ({PAGE}, “{self.section}”)"


def expected(what: str, came: str, section: Section) -> Finding:
    """A fault: what should have come, and what came instead."""
    return Finding(Weight.FAIL, f"Expected {what}; came {came}.", section)


def passed(sentence: str, section: Section) -> Finding:
    """Something that is as it should be."""
    return Finding(Weight.OK, sentence, section)


def note(sentence: str, section: Section) -> Finding:
    """Something that Hangtag copes with, and that the maker should know."""
    return Finding(Weight.NOTE, sentence, section)


# Seven digits and more, with what people put between them. Dates stay readable, and call ids with dots or letters.
_NUMBER = re.compile(r"(?<![\w.\-])(?!\d{4}-\d\d-\d\d)\+?\d(?:[ ()\-]{0,2}\d){6,}(?![\w.\-])", re.ASCII)


class Mask:
    """Makes text fit to be shown: no secrets, of a phone number the last four digits, nothing unprintable."""

    def __init__(self, secrets: Iterable[str] = (), numbers: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._numbers = sorted({number for number in numbers if len(number) > 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text, masked and cut to 300 characters or so."""
        for secret in self._secrets:
            # A short one could be a part of any word.
            whole = rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < SHORT_SECRET else re.escape(secret)
            text = re.sub(whole, "***", text)
        for number in self._numbers:
            text = text.replace(number, "***" + number[-4:])
        text = _NUMBER.sub(lambda found: "***" + re.sub(r"\D", "", found.group())[-4:], text)
        text = "".join(character if character.isprintable() else " " for character in text)
        return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
