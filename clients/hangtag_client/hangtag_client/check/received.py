"""Requests received from a bridge during a check. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hangtag.domain.calls.event import CallEvent

__all__ = ["ReceivedRequest", "calls_of", "events_of", "extensions_of", "same_number"]

# Numbers come with and without trunk prefix, country code and plus sign; the last digits identify them well enough.
_COMPARED_DIGITS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request. `fields` are its parameters without the token, `status` is the status of the response.

    `event` is the parsed event, if the request was about a call. `rejection` is the reason, if it was rejected.
    """

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    event: CallEvent | None = None
    rejection: str | None = None

    @property
    def command(self) -> str:
        """`event`, `record`, `contact` or `ping`; "" if the request is unreadable."""
        return self.fields.get("cmd", "").strip()

    @property
    def name(self) -> str:
        """INCOMING, OUTGOING, ACCEPTED, COMPLETED or TRANSFERRED; "" for other commands."""
        return self.fields.get("event", "").strip().upper() if self.command == "event" else ""

    @property
    def extension(self) -> str:
        """The employee's short number; "" if there is none."""
        return self.fields.get("ext", "").strip()

    @property
    def call_id(self) -> str:
        """The PBX's id of the call."""
        return self.fields.get("callid", "").strip()

    def value(self, name: str) -> str:
        """Return a parameter without surrounding blanks; "" if it is absent."""
        return self.fields.get(name, "").strip()

    def line(self) -> str:
        """Return a short description for the terminal. Not masked."""
        words = [self.command or "unreadable request", self.name]
        words += [f"{name}={self.value(name)}" for name in ("type", "ext", "callid", "status") if self.value(name)]
        if self.rejection:
            words.append(f"→ {self.status}: {self.rejection}")
        return " ".join(word for word in words if word)


def events_of(requests: Iterable[ReceivedRequest], *names: str) -> list[ReceivedRequest]:
    """Return the accepted events with one of these names, or all, in the order of arrival."""
    events = (request for request in requests if request.event and request.command == "event")
    return [event for event in events if not names or event.name in names]


def extensions_of(requests: Iterable[ReceivedRequest]) -> list[str]:
    """Return each extension once, in the order of arrival."""
    return list(dict.fromkeys(request.extension for request in requests))


def calls_of(requests: Iterable[ReceivedRequest]) -> Mapping[str, Sequence[CallEvent]]:
    """Return the parsed events by call id."""
    calls: dict[str, list[CallEvent]] = {}
    for request in requests:
        if request.event:
            calls.setdefault(request.event.call_id, []).append(request.event)
    return calls


def same_number(first: str, second: str) -> bool:
    """Return whether two spellings can be one number: their last seven digits are equal."""
    return _tail(first) == _tail(second)


def _tail(number: str) -> str:
    return "".join(character for character in number if character.isdecimal())[-_COMPARED_DIGITS:]
