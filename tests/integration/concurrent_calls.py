"""Calls for many listening employees of many tenants, with the messages that each must receive, and a checker.

All tenants have the same numbers, extensions, names and provider call ids, so a message that reaches another tenant is
detected. The expectations are written in KINDS and do not use the product.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXTENSIONS = tuple(str(101 + number) for number in range(10))
# Supervisor of the contact; no kind of call rings this extension.
SUPERVISOR = EXTENSIONS[-1]
KNOWN, UNKNOWN, EMPLOYEES_OWN = "79035550401", "79035550402", "79100000401"
UNMAPPED = "199"
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of call. In `events` and `states`, 0, 1, 2 are the phones that take part, "s" is the supervisor.

    `states` are the states that each of them can receive, in this order. A state can be skipped, but the last one is
    always sent. `missed`: the supervisor receives a missed call.
    """

    name: str
    phones: int
    events: tuple[tuple[str, int], ...]
    states: Mapping[int | str, tuple[str, ...]]
    number: str = KNOWN
    direction: str = "in"
    missed: bool = False


_TALK = (("INCOMING", 0), ("ACCEPTED", 0), ("SUCCESS", 0))
KINDS = (
    Kind(
        name="answered, known",
        phones=1,
        events=_TALK,
        states={0: ("ringing", "answered", "ended"), "s": ("watching", "ended")},
    ),
    Kind(
        name="answered, unknown",
        phones=1,
        events=_TALK,
        states={0: ("ringing", "answered", "ended")},
        number=UNKNOWN,
    ),
    Kind(
        name="group, the second answers",
        phones=3,
        events=(("INCOMING", 0), ("INCOMING", 1), ("INCOMING", 2), ("ACCEPTED", 1), ("SUCCESS", 1)),
        states={
            0: ("ringing", "taken"),
            1: ("ringing", "answered", "ended"),
            2: ("ringing", "taken"),
            "s": ("watching", "ended"),
        },
    ),
    Kind(
        name="missed by two",
        phones=2,
        events=(("INCOMING", 0), ("INCOMING", 1), ("MISSED", 0), ("MISSED", 1)),
        states={0: ("ringing", "gone", "ended"), 1: ("ringing", "gone", "ended"), "s": ("watching", "ended")},
        missed=True,
    ),
    Kind(
        name="dialled by hand",
        phones=1,
        events=(("OUTGOING", 0), ("ACCEPTED", 0), ("SUCCESS", 0)),
        states={0: ("ringing", "answered", "ended"), "s": ("watching", "ended")},
        direction="out",
    ),
    Kind(name="among employees", phones=1, events=_TALK, states={}, number="102"),
    Kind(name="an employee's own number", phones=1, events=_TALK, states={}, number=EMPLOYEES_OWN),
    Kind(name="unmapped extension", phones=0, events=_TALK, states={}),
)


@dataclass(frozen=True, slots=True)
class PlayedCall:
    """One call of one tenant (its number): `call_id` is the PBX's, `phones` the extensions that take part."""

    tenant: int
    kind: Kind
    call_id: str
    phones: tuple[str, ...]

    def webhook_requests(self) -> Iterator[dict[str, str]]:
        """Yield the forms that the PBX posts, in order."""
        last = len(self.kind.events) - 1
        for place, (event, phone) in enumerate(self.kind.events):
            form = {
                "cmd": "event",
                "type": self.kind.direction,
                "callid": self.call_id,
                "phone": self.kind.number,
                "ext": self.phones[phone] if self.phones else UNMAPPED,
            }
            if event in ("SUCCESS", "MISSED"):
                status = {"status": event.title(), "duration": "3" if event == "SUCCESS" else "0"}
                form |= {"event": "COMPLETED", **status, **({"final": "1"} if place == last else {})}
            else:
                form["event"] = event
            yield form

    def expected_states(self) -> dict[str, tuple[str, ...]]:
        """Return the states that each extension's owner can receive, in this order."""
        return {SUPERVISOR if who == "s" else self.phones[int(who)]: states for who, states in self.kind.states.items()}


def plan(tenants: int, each: int, seed: int) -> list[PlayedCall]:
    """Return `each` calls for each tenant: all kinds, with equal provider call ids and different phones."""
    chosen = random.Random(seed)  # noqa: S311 - no secret
    calls = []
    for tenant in range(tenants):
        for number in range(each):
            kind = KINDS[number % len(KINDS)]
            # The phone of extension 102 is the other party of a call among employees.
            able = [one for one in EXTENSIONS if one not in (SUPERVISOR, kind.number)]
            calls.append(PlayedCall(tenant, kind, f"call-{number}", tuple(chosen.sample(able, kind.phones))))
    chosen.shuffle(calls)
    return calls


@dataclass(slots=True)
class Received:
    """Messages of one connection: by PBX call id, the states with their `seq`; and missed calls."""

    states: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    missed: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def take(self, message: Mapping[str, Any], text: str, named: Mapping[str, str]) -> None:
        """Record one message. `named` maps the API's call ids to the PBX's."""
        self.ids |= set(_ID.findall(text))
        if message["type"] == "call":
            call = message["call"]
            self.states[named.get(call["id"], call["id"])].append((call["seq"], call["window_state"]))
        elif message["type"] == "missed_call":
            call_id = message["missed_call"]["call_id"]
            self.missed.add(named.get(call_id, call_id))


def expectations(
    calls: Sequence[PlayedCall], tenant: int, extension: str
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return the messages that an employee must receive: states by call, and missed calls."""
    mine = [call for call in calls if call.tenant == tenant]
    states = {call.call_id: call.expected_states()[extension] for call in mine if extension in call.expected_states()}
    missed = {call.call_id for call in mine if call.kind.missed and extension == SUPERVISOR}
    return states, missed


def is_whole(received: Received, states: Mapping[str, tuple[str, ...]], missed: set[str]) -> bool:
    """Return True once the last state of every call has arrived."""
    ended = all(
        received.states[call][-1:] and received.states[call][-1][1] == expected[-1] for call, expected in states.items()
    )
    return ended and received.missed >= missed


def faults(
    who: str, received: Received, states: Mapping[str, tuple[str, ...]], missed: set[str], foreign: set[str]
) -> Iterator[str]:
    """Yield the faults in the messages of one connection."""
    for call, actual in received.states.items():
        if actual and call not in states:
            yield f"{who}: received {call}, which is not theirs: {actual}"
    for call, expected in states.items():
        actual = received.states.get(call, [])
        if [seq for seq, _ in actual] != sorted({seq for seq, _ in actual}):
            yield f"{who}: {call} is out of order: {actual}"
        if not actual or actual[-1][1] != expected[-1] or not _in_order([state for _, state in actual], expected):
            yield f"{who}: {call} had the states {actual}, not {expected}"
    if received.missed != missed:
        yield f"{who}: received the missed calls {sorted(received.missed)}, not {sorted(missed)}"
    if received.ids & foreign:
        yield f"{who}: received ids of another tenant: {sorted(received.ids & foreign)}"


def _in_order(actual: Sequence[str], expected: Sequence[str]) -> bool:
    """Return True if the received states are in the expected order, each any number of times."""
    places = [expected.index(state) if state in expected else -1 for state in actual]
    return -1 not in places and places == sorted(places)
