"""What a bridge sent, as the judge sees it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hangtag.domain.calls.event import CallEvent

__all__ = ["Heard", "calls_of", "events_of", "extensions_of", "same_number"]

# Numbers come with and without trunk prefix, country code and plus; these last digits tell them apart well enough.
_TELLING_DIGITS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One delivery. `fields` are its parameters without the token, `status` is what it was answered with.

    `event` is what Hangtag understood, if the delivery spoke of a call. `refusal` says why it was refused, if it was.
    """

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    event: CallEvent | None = None
    refusal: str | None = None

    @property
    def command(self) -> str:
        """`event`, `record`, `contact` or `ping`; "" for what can't be read."""
        return self.fields.get("cmd", "").strip()

    @property
    def name(self) -> str:
        """INCOMING, OUTGOING, ACCEPTED, COMPLETED or TRANSFERRED; "" for other commands."""
        return self.fields.get("event", "").strip().upper() if self.command == "event" else ""

    @property
    def extension(self) -> str:
        """The employee's short number; "" where there is none."""
        return self.fields.get("ext", "").strip()

    @property
    def call_id(self) -> str:
        """The PBX's id of the call."""
        return self.fields.get("callid", "").strip()

    def says(self, name: str) -> str:
        """A parameter's value without blanks around it; "" where there is none."""
        return self.fields.get(name, "").strip()

    def line(self) -> str:
        """The delivery in a few words, for whoever watches. Not masked."""
        told = [self.command or "something unreadable", self.name]
        told += [f"{name}={self.says(name)}" for name in ("type", "ext", "callid", "status") if self.says(name)]
        if self.refusal:
            told.append(f"→ {self.status}: {self.refusal}")
        return " ".join(word for word in told if word)


def events_of(heard: Iterable[Heard], *names: str) -> list[Heard]:
    """The accepted events of these names, or all, in the order in which they came."""
    return [one for one in heard if one.event and one.command == "event" and (not names or one.name in names)]


def extensions_of(heard: Iterable[Heard]) -> list[str]:
    """The extensions, each once, in the order in which they were heard of."""
    return list(dict.fromkeys(one.extension for one in heard))


def calls_of(heard: Iterable[Heard]) -> Mapping[str, Sequence[CallEvent]]:
    """What Hangtag understood, by call id."""
    calls: dict[str, list[CallEvent]] = {}
    for one in heard:
        if one.event:
            calls.setdefault(one.event.call_id, []).append(one.event)
    return calls


def same_number(one: str, other: str) -> bool:
    """Whether two spellings can be one number: their last seven digits agree."""
    return _tail(one) == _tail(other)


def _tail(number: str) -> str:
    return "".join(character for character in number if character.isdecimal())[-_TELLING_DIGITS:]
