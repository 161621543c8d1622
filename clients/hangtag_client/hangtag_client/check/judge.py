"""The judge: what was heard of a flow goes in, findings come out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from hangtag.domain.calls.event import Outcome
from hangtag_client.check.finding import Finding, Section, Weight, expected, note, passed
from hangtag_client.check.heard import Heard, events_of, extensions_of, same_number

__all__ = ["Flow", "awaits_record", "events_of_flow", "failed", "is_over", "judge", "refused"]


class Flow(StrEnum):
    """The documented flows that are checked."""

    OUTGOING = "outgoing"
    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"


_SECTIONS = MappingProxyType(
    {Flow.OUTGOING: Section.OUTGOING, Flow.PARALLEL: Section.PARALLEL, Flow.SEQUENTIAL: Section.SEQUENTIAL}
)
_STATUSES: Mapping[str, frozenset[Outcome]] = MappingProxyType(
    {
        "in": frozenset({Outcome.SUCCESS, Outcome.MISSED, Outcome.CANCELLED}),
        "out": frozenset({Outcome.SUCCESS, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.UNAVAILABLE, Outcome.NOT_ALLOWED}),
    }
)
_DOCUMENTED = {"success", "missed", "cancelled", "busy", "noanswer", "notavailable", "notallowed"}


def judge(flow: Flow, heard: Sequence[Heard], *, extension: str = "", number: str = "") -> list[Finding]:
    """What is to be said of one flow, from everything heard while it was watched.

    `extension` and `number` are those of the makeCall of an outgoing flow. Events of other calls are left out.
    """
    ours = events_of_flow(flow, heard, extension=extension, number=number)
    findings = refused(heard)
    if not ours:
        first = "OUTGOING" if flow is Flow.OUTGOING else "INCOMING"
        came = "no event of such a call" if events_of(heard) else "no event at all"
        return [*findings, expected(f"{first} and the events after it", came, _SECTIONS[flow])]
    findings += _one_call_id(ours, _SECTIONS[flow])
    findings += _direction(ours, "out" if flow is Flow.OUTGOING else "in")
    findings += _outgoing(ours, extension, number) if flow is Flow.OUTGOING else _group(flow, ours)
    for completed in events_of(ours, "COMPLETED"):
        findings += _completed(completed)
    findings += _record(ours, heard)
    left_out = len(events_of(heard)) - len(ours)
    if left_out:
        findings.append(note(f"{left_out} events of other calls were left out.", Section.CHECK))
    return findings


def failed(findings: Iterable[Finding]) -> bool:
    """Whether any finding is a fault."""
    return any(finding.weight is Weight.FAIL for finding in findings)


def is_over(flow: Flow, heard: Sequence[Heard], *, extension: str = "", number: str = "") -> bool:
    """Whether the flow's call has ended, so that only stragglers can follow."""
    ends = events_of(events_of_flow(flow, heard, extension=extension, number=number), "COMPLETED")
    return any(flow is Flow.OUTGOING or _succeeded(end) for end in ends)


def awaits_record(heard: Sequence[Heard]) -> bool:
    """Whether a recording was announced whose link has not come."""
    linked = {one.call_id for one in heard if one.event and one.command == "record"}
    return any(_owes_record(one) and one.call_id not in linked for one in events_of(heard, "COMPLETED"))


def events_of_flow(flow: Flow, heard: Sequence[Heard], *, extension: str = "", number: str = "") -> list[Heard]:
    """The events of the watched call, also those that a faulty bridge files under another call id."""
    events = events_of(heard)
    if flow is Flow.OUTGOING:
        return [one for one in events if one.extension == extension or same_number(one.says("phone"), number)]
    # The person calls from a phone of their own; the first to ring in the time is taken for it.
    incoming = [one for one in events if one.says("type").lower() == "in"] or events
    caller = incoming[0].says("phone") if incoming else ""
    return [one for one in events if same_number(one.says("phone"), caller)]


def refused(heard: Sequence[Heard]) -> list[Finding]:
    """A fault for each reason for which a delivery was refused."""
    reasons = dict.fromkeys((one.status, one.refusal) for one in heard if one.refusal)
    return [
        expected("a delivery that Hangtag takes", f"one refused with {status}: {reason.rstrip('.')}", Section.REQUESTS)
        for status, reason in reasons
    ]


def _one_call_id(ours: Sequence[Heard], section: Section) -> list[Finding]:
    ids: dict[str, list[str]] = {}
    for one in ours:
        ids.setdefault(one.call_id, []).append(one.extension or "no extension")
    if len(ids) == 1:
        return [passed("All events of the call carry one callid.", section)]
    came = "; ".join(f"{call_id} for {_list(list(dict.fromkeys(legs)))}" for call_id, legs in ids.items())
    return [expected("one callid for the whole call", f"{len(ids)}: {came}", section)]


def _direction(ours: Sequence[Heard], direction: str) -> list[Finding]:
    wrong = [one for one in ours if one.says("type").lower() != direction]
    return [
        expected(f"type={direction} on {one.name} of {_who(one)}", f"type={one.says('type')}", Section.EVENT)
        for one in wrong
    ]


def _outgoing(ours: Sequence[Heard], extension: str, number: str) -> list[Finding]:
    findings = []
    begun = events_of(ours, "OUTGOING")
    if begun:
        findings.append(passed("OUTGOING came.", Section.OUTGOING))
    else:
        findings.append(expected("OUTGOING when dialling begins", _names(ours), Section.OUTGOING))
    findings += [
        expected(f"ext={extension} on {one.name}", _said("ext", one), Section.OUTGOING)
        for one in ours
        if one.extension != extension
    ]
    findings += [
        expected(f"the dialled number {number} on {one.name}", _said("phone", one), Section.OUTGOING)
        for one in ours
        if not same_number(one.says("phone"), number)
    ]
    ends = events_of(ours, "COMPLETED")
    if not ends:
        findings.append(expected("COMPLETED when the call is over", _names(ours), Section.OUTGOING))
    answered = any(_succeeded(end) for end in ends)
    if answered and not events_of(ours, "ACCEPTED"):
        findings.append(expected("ACCEPTED before a COMPLETED of status Success", _names(ours), Section.OUTGOING))
    if ends and not failed(findings):
        findings.append(passed("COMPLETED came after it.", Section.OUTGOING))
    return findings


def _group(flow: Flow, ours: Sequence[Heard]) -> list[Finding]:
    section = _SECTIONS[flow]
    rung = extensions_of(events_of(ours, "INCOMING"))
    if len(rung) < 2:
        return [expected("INCOMING for each of two extensions or more", f"it for {_list(rung)} alone", section)]
    findings = [passed(f"INCOMING came for {_list(rung)}.", section), *_ringing(flow, ours, section)]
    accepted = extensions_of(events_of(ours, "ACCEPTED"))
    if len(accepted) == 1:
        findings.append(passed(f"{_list(accepted)} alone was ACCEPTED.", section))
    else:
        came = f"ACCEPTED from {_list(accepted)}" if accepted else "none"
        findings.append(expected("ACCEPTED from the one extension that answered", came, section))
    winners = [end.extension for end in events_of(ours, "COMPLETED") if _succeeded(end)]
    talker = next(iter(accepted or winners), None)
    if talker is not None:
        findings += _winner(talker, ours, section)
        findings += [fault for one in rung if one != talker for fault in _loser(one, talker, ours, section)]
    return findings


def _ringing(flow: Flow, ours: Sequence[Heard], section: Section) -> list[Finding]:
    """Whether the phones rang together or one after the other, by the order in which the events came."""
    at_once = 0
    ringing: set[str] = set()
    for one in ours:
        if one.name == "INCOMING":
            ringing.add(one.extension)
        elif one.name == "COMPLETED":
            ringing.discard(one.extension)
        at_once = max(at_once, len(ringing))
    if flow is Flow.PARALLEL and at_once < 2:
        return [expected("phones that ring together", "one INCOMING after the other's COMPLETED", section)]
    if flow is Flow.SEQUENTIAL and at_once > 1:
        what = "COMPLETED of one extension before INCOMING of the next"
        return [expected(what, f"{at_once} extensions that ring together", section)]
    return []


def _winner(extension: str, ours: Sequence[Heard], section: Section) -> list[Finding]:
    ends = [end for end in events_of(ours, "COMPLETED") if end.extension == extension]
    what = f"COMPLETED with status Success for {extension}, who answered"
    if not ends:
        return [expected(what, "no COMPLETED of that extension", section)]
    if not any(_succeeded(end) for end in ends):
        return [expected(what, _said("status", ends[-1]), section)]
    return [passed(f"COMPLETED with Success came for {extension}, who talked.", section)]


def _loser(extension: str, talker: str, ours: Sequence[Heard], section: Section) -> list[Finding]:
    ends = [end for end in events_of(ours, "COMPLETED") if end.extension == extension]
    what = f"COMPLETED with status Cancelled for {extension}, as {talker} answered"
    if not ends:
        return [expected(what, "no COMPLETED of that extension", section)]
    if any(_outcome(end) is not Outcome.CANCELLED for end in ends):
        return [expected(what, _said("status", ends[-1]), section)]
    return [passed(f"COMPLETED with Cancelled came for {extension}.", section)]


def _completed(end: Heard) -> list[Finding]:
    """The parameters of one COMPLETED."""
    what = f"on COMPLETED of {_who(end)}"
    findings = []
    if not end.says("status"):
        findings.append(expected(f"a status {what}", "none", Section.STATUSES))
    else:
        findings += _status(end, what)
    if not end.says("duration"):
        findings.append(expected(f"a duration in seconds {what}", "none", Section.EVENT))
    if end.says("is_recorded") not in ("0", "1"):
        findings.append(note(f"is_recorded is missing or neither 0 nor 1 {what}.", Section.EVENT))
    return findings


def _status(end: Heard, what: str) -> list[Finding]:
    said, outcome = end.says("status"), _outcome(end)
    if outcome is Outcome.FAILED:
        return [expected(f"a known status {what}", said, Section.STATUSES)]
    if outcome not in _STATUSES.get(end.says("type").lower(), frozenset(Outcome)):
        return [note(f"Status {said} {what} is meant for calls of the other direction.", Section.STATUSES)]
    if said.lower() not in _DOCUMENTED:
        return [note(f"Status {said} {what} is read as {outcome}, and should be spelled right.", Section.STATUSES)]
    return []


def _record(ours: Sequence[Heard], heard: Sequence[Heard]) -> list[Finding]:
    if not any(_owes_record(one) for one in events_of(ours, "COMPLETED")):
        return []
    what = "record with the recording's link, as is_recorded was 1 without record_link"
    ids = {one.call_id for one in events_of(ours, "COMPLETED") if _owes_record(one)}
    records = [one for one in heard if one.event and one.command == "record"]
    if any(one.call_id in ids for one in records):
        return [passed("The recording's link came in a record.", Section.RECORD)]
    if records:
        return [expected(what, f"one for another call: {records[-1].call_id}", Section.RECORD)]
    return [expected(what, "none", Section.RECORD)]


def _owes_record(end: Heard) -> bool:
    return end.says("is_recorded") == "1" and not end.says("record_link")


def _outcome(end: Heard) -> Outcome | None:
    return end.event.outcome if end.event else None


def _succeeded(end: Heard) -> bool:
    return _outcome(end) is Outcome.SUCCESS


def _who(one: Heard) -> str:
    return f"extension {one.extension}" if one.extension else "no extension"


def _said(name: str, one: Heard) -> str:
    return f"{name}={one.says(name)}" if one.says(name) else f"no {name}"


def _names(ours: Sequence[Heard]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in ours))


def _list(extensions: Sequence[str]) -> str:
    return ", ".join(extension or "no extension" for extension in extensions) or "no extension"
