"""Concurrent calls of many tenants: the events to post, the messages that each employee must receive, and a judge.

All tenants have the same numbers, extensions, names and provider call ids, so that whatever crosses from one to another
shows. What is expected is written down in KINDS, and does not ask the product.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXTENSIONS = tuple(str(101 + number) for number in range(10))
# Who supervises the contact; no kind rings this one.
SUPERVISOR = EXTENSIONS[-1]
KNOWN, UNKNOWN, EMPLOYEES_OWN = "79035550401", "79035550402", "79100000401"
UNMAPPED = "199"
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of call. In `events` and `told`, 0, 1, 2 stand for the phones that take part, "s" for the supervisor.

    `told` is what each of them may be told, in this order; a later state may come instead of an earlier one, but the
    last one always comes. `missed`: the supervisor is told of a missed call.
    """

    name: str
    phones: int
    events: tuple[tuple[str, int], ...]
    told: Mapping[int | str, tuple[str, ...]]
    number: str = KNOWN
    direction: str = "in"
    missed: bool = False


_TALK = (("INCOMING", 0), ("ACCEPTED", 0), ("SUCCESS", 0))
KINDS = (
    Kind(
        name="answered, known",
        phones=1,
        events=_TALK,
        told={0: ("ringing", "answered", "ended"), "s": ("watching", "ended")},
    ),
    Kind(
        name="answered, unknown",
        phones=1,
        events=_TALK,
        told={0: ("ringing", "answered", "ended")},
        number=UNKNOWN,
    ),
    Kind(
        name="group, the second answers",
        phones=3,
        events=(("INCOMING", 0), ("INCOMING", 1), ("INCOMING", 2), ("ACCEPTED", 1), ("SUCCESS", 1)),
        told={
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
        told={0: ("ringing", "gone", "ended"), 1: ("ringing", "gone", "ended"), "s": ("watching", "ended")},
        missed=True,
    ),
    Kind(
        name="dialled by hand",
        phones=1,
        events=(("OUTGOING", 0), ("ACCEPTED", 0), ("SUCCESS", 0)),
        told={0: ("ringing", "answered", "ended"), "s": ("watching", "ended")},
        direction="out",
    ),
    Kind(name="among employees", phones=1, events=_TALK, told={}, number="102"),
    Kind(name="an employee's own number", phones=1, events=_TALK, told={}, number=EMPLOYEES_OWN),
    Kind(name="nobody's extension", phones=0, events=_TALK, told={}),
)


@dataclass(frozen=True, slots=True)
class Played:
    """One call of one tenant (its number): `call_id` is the PBX's, `phones` the extensions that take part."""

    tenant: int
    kind: Kind
    call_id: str
    phones: tuple[str, ...]

    def deliveries(self) -> Iterator[dict[str, str]]:
        """What the PBX posts, in order."""
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

    def told(self) -> dict[str, tuple[str, ...]]:
        """What each extension's owner may be told, in this order."""
        return {SUPERVISOR if who == "s" else self.phones[int(who)]: states for who, states in self.kind.told.items()}


def plan(tenants: int, each: int, seed: int) -> list[Played]:
    """So many calls for each tenant: of every kind, the same provider call ids in all, other phones in each."""
    chosen = random.Random(seed)  # noqa: S311 - no secret
    calls = []
    for tenant in range(tenants):
        for number in range(each):
            kind = KINDS[number % len(KINDS)]
            # The phone of extension 102 is the other party of a call among employees.
            able = [one for one in EXTENSIONS if one not in (SUPERVISOR, kind.number)]
            calls.append(Played(tenant, kind, f"call-{number}", tuple(chosen.sample(able, kind.phones))))
    chosen.shuffle(calls)
    return calls


@dataclass(slots=True)
class Heard:
    """What one connection was told: of each call, by the PBX's id of it, its states with their `seq`; missed calls."""

    states: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    missed: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def take(self, message: Mapping[str, Any], text: str, named: Mapping[str, str]) -> None:
        """One message; `named` maps calls' ids in the API to the PBX's."""
        self.ids |= set(_ID.findall(text))
        if message["type"] == "call":
            call = message["call"]
            self.states[named.get(call["id"], call["id"])].append((call["seq"], call["window_state"]))
        elif message["type"] == "missed_call":
            call_id = message["missed_call"]["call_id"]
            self.missed.add(named.get(call_id, call_id))


def wanted(calls: Sequence[Played], tenant: int, extension: str) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """What an employee must be told: states by call; and of which missed calls."""
    mine = [call for call in calls if call.tenant == tenant]
    states = {call.call_id: call.told()[extension] for call in mine if extension in call.told()}
    missed = {call.call_id for call in mine if call.kind.missed and extension == SUPERVISOR}
    return states, missed


def is_whole(heard: Heard, states: Mapping[str, tuple[str, ...]], missed: set[str]) -> bool:
    """Whether the last of everything has come."""
    ended = all(heard.states[call][-1:] and heard.states[call][-1][1] == told[-1] for call, told in states.items())
    return ended and heard.missed >= missed


def faults(
    who: str, heard: Heard, states: Mapping[str, tuple[str, ...]], missed: set[str], foreign: set[str]
) -> Iterator[str]:
    """All that is wrong with what somebody heard."""
    for call, said in heard.states.items():
        if said and call not in states:
            yield f"{who}: told of {call}, which is not theirs: {said}"
    for call, told in states.items():
        said = heard.states.get(call, [])
        if [seq for seq, _ in said] != sorted({seq for seq, _ in said}):
            yield f"{who}: {call} does not go on in order: {said}"
        if not said or said[-1][1] != told[-1] or not _in_order([state for _, state in said], told):
            yield f"{who}: {call} was told as {said}, not {told}"
    if heard.missed != missed:
        yield f"{who}: told of the missed calls {sorted(heard.missed)}, not {sorted(missed)}"
    if heard.ids & foreign:
        yield f"{who}: told ids of another tenant: {sorted(heard.ids & foreign)}"


def _in_order(said: Sequence[str], told: Sequence[str]) -> bool:
    """Whether what was said is in the order of what may be, each any number of times."""
    places = [told.index(state) if state in told else -1 for state in said]
    return -1 not in places and places == sorted(places)
