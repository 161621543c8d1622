"""Findings for the documented call flows, from the requests received. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from hangtag.domain.calls.event import Outcome
from hangtag_client.check.finding import Finding, Section, Weight, expected, note, passed
from hangtag_client.check.received import ReceivedRequest, events_of, extensions_of, same_number

__all__ = ["Flow", "awaits_record", "check_flow", "events_of_flow", "failed", "is_over", "rejections"]


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


def check_flow(
    flow: Flow, requests: Sequence[ReceivedRequest], *, extension: str = "", number: str = ""
) -> list[Finding]:
    """Return the findings for one flow, from all requests received while it ran.

    `extension` and `number` are those of the makeCall of an outgoing flow. Events of other calls are ignored.
    """
    ours = events_of_flow(flow, requests, extension=extension, number=number)
    findings = rejections(requests)
    if not ours:
        first = "OUTGOING" if flow is Flow.OUTGOING else "INCOMING"
        actual = "no event of such a call" if events_of(requests) else "no event at all"
        return [*findings, expected(f"{first} and the events after it", actual, _SECTIONS[flow])]
    findings += _one_call_id(ours, _SECTIONS[flow])
    findings += _direction(ours, "out" if flow is Flow.OUTGOING else "in")
    findings += _outgoing(ours, extension, number) if flow is Flow.OUTGOING else _group(flow, ours)
    for completed in events_of(ours, "COMPLETED"):
        findings += _completed(completed)
    findings += _record(ours, requests)
    left_out = len(events_of(requests)) - len(ours)
    if left_out:
        findings.append(note(f"{left_out} events of other calls were ignored.", Section.CHECK))
    return findings


def failed(findings: Iterable[Finding]) -> bool:
    """Return whether any finding is a failure."""
    return any(finding.weight is Weight.FAIL for finding in findings)


def is_over(flow: Flow, requests: Sequence[ReceivedRequest], *, extension: str = "", number: str = "") -> bool:
    """Return whether the flow's call has ended, so that only late requests can follow."""
    ends = events_of(events_of_flow(flow, requests, extension=extension, number=number), "COMPLETED")
    return any(flow is Flow.OUTGOING or _succeeded(end) for end in ends)


def awaits_record(requests: Sequence[ReceivedRequest]) -> bool:
    """Return whether a recording was announced and its link is still missing."""
    linked = {one.call_id for one in requests if one.event and one.command == "record"}
    return any(_lacks_record(one) and one.call_id not in linked for one in events_of(requests, "COMPLETED"))


def events_of_flow(
    flow: Flow, requests: Sequence[ReceivedRequest], *, extension: str = "", number: str = ""
) -> list[ReceivedRequest]:
    """Return the events of the flow's call, including those that a faulty bridge sends with another call id."""
    events = events_of(requests)
    if flow is Flow.OUTGOING:
        return [one for one in events if one.extension == extension or same_number(one.value("phone"), number)]
    # The tester calls from an unknown phone, so the first incoming call counts.
    incoming = [one for one in events if one.value("type").lower() == "in"] or events
    caller = incoming[0].value("phone") if incoming else ""
    return [one for one in events if same_number(one.value("phone"), caller)]


def rejections(requests: Sequence[ReceivedRequest]) -> list[Finding]:
    """Return a failure for each reason of a rejected request."""
    reasons = dict.fromkeys((one.status, one.rejection) for one in requests if one.rejection)
    return [
        expected("a request that Hangtag accepts", f"one rejected with {status}: {reason}", Section.REQUESTS)
        for status, reason in reasons
    ]


def _one_call_id(ours: Sequence[ReceivedRequest], section: Section) -> list[Finding]:
    ids: dict[str, list[str]] = {}
    for one in ours:
        ids.setdefault(one.call_id, []).append(one.extension or "no extension")
    if len(ids) == 1:
        return [passed("All events of the call have one callid.", section)]
    actual = "; ".join(f"{call_id} for {_list(list(dict.fromkeys(legs)))}" for call_id, legs in ids.items())
    return [expected("one callid for the whole call", f"{len(ids)}: {actual}", section)]


def _direction(ours: Sequence[ReceivedRequest], direction: str) -> list[Finding]:
    wrong = [one for one in ours if one.value("type").lower() != direction]
    return [
        expected(f"type={direction} on {one.name} of {_extension(one)}", f"type={one.value('type')}", Section.EVENT)
        for one in wrong
    ]


def _outgoing(ours: Sequence[ReceivedRequest], extension: str, number: str) -> list[Finding]:
    findings = []
    begun = events_of(ours, "OUTGOING")
    if begun:
        findings.append(passed("OUTGOING was received.", Section.OUTGOING))
    else:
        findings.append(expected("OUTGOING when dialling begins", _names(ours), Section.OUTGOING))
    findings += [
        expected(f"ext={extension} on {one.name}", _parameter("ext", one), Section.OUTGOING)
        for one in ours
        if one.extension != extension
    ]
    findings += [
        expected(f"the dialled number {number} on {one.name}", _parameter("phone", one), Section.OUTGOING)
        for one in ours
        if not same_number(one.value("phone"), number)
    ]
    ends = events_of(ours, "COMPLETED")
    if not ends:
        findings.append(expected("COMPLETED when the call is over", _names(ours), Section.OUTGOING))
    answered = any(_succeeded(end) for end in ends)
    if answered and not events_of(ours, "ACCEPTED"):
        findings.append(expected("ACCEPTED before a COMPLETED of status Success", _names(ours), Section.OUTGOING))
    if ends and not failed(findings):
        findings.append(passed("COMPLETED was received after it.", Section.OUTGOING))
    return findings


def _group(flow: Flow, ours: Sequence[ReceivedRequest]) -> list[Finding]:
    section = _SECTIONS[flow]
    rung = extensions_of(events_of(ours, "INCOMING"))
    if len(rung) < 2:
        return [expected("INCOMING for each of two extensions or more", f"it for {_list(rung)} only", section)]
    findings = [passed(f"INCOMING was received for {_list(rung)}.", section), *_ringing(flow, ours, section)]
    accepted = extensions_of(events_of(ours, "ACCEPTED"))
    if len(accepted) == 1:
        findings.append(passed(f"ACCEPTED was received for {_list(accepted)} only.", section))
    else:
        actual = f"ACCEPTED from {_list(accepted)}" if accepted else "none"
        findings.append(expected("ACCEPTED from the one extension that answered", actual, section))
    winners = [end.extension for end in events_of(ours, "COMPLETED") if _succeeded(end)]
    talker = next(iter(accepted or winners), None)
    if talker is not None:
        findings += _winner(talker, ours, section)
        findings += [fault for one in rung if one != talker for fault in _loser(one, talker, ours, section)]
    return findings


def _ringing(flow: Flow, ours: Sequence[ReceivedRequest], section: Section) -> list[Finding]:
    """Check from the order of events whether the phones rang together or in turn."""
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


def _winner(extension: str, ours: Sequence[ReceivedRequest], section: Section) -> list[Finding]:
    ends = [end for end in events_of(ours, "COMPLETED") if end.extension == extension]
    what = f"COMPLETED with status Success for {extension}, who answered"
    if not ends:
        return [expected(what, "no COMPLETED of that extension", section)]
    if not any(_succeeded(end) for end in ends):
        return [expected(what, _parameter("status", ends[-1]), section)]
    return [passed(f"COMPLETED with Success was received for {extension}, who talked.", section)]


def _loser(extension: str, talker: str, ours: Sequence[ReceivedRequest], section: Section) -> list[Finding]:
    ends = [end for end in events_of(ours, "COMPLETED") if end.extension == extension]
    what = f"COMPLETED with status Cancelled for {extension}, as {talker} answered"
    if not ends:
        return [expected(what, "no COMPLETED of that extension", section)]
    if any(_outcome(end) is not Outcome.CANCELLED for end in ends):
        return [expected(what, _parameter("status", ends[-1]), section)]
    return [passed(f"COMPLETED with Cancelled was received for {extension}.", section)]


def _completed(end: ReceivedRequest) -> list[Finding]:
    """Check the parameters of one COMPLETED."""
    what = f"on COMPLETED of {_extension(end)}"
    findings = []
    if not end.value("status"):
        findings.append(expected(f"a status {what}", "none", Section.STATUSES))
    else:
        findings += _status(end, what)
    if not end.value("duration"):
        findings.append(expected(f"a duration in seconds {what}", "none", Section.EVENT))
    if end.value("is_recorded") not in ("0", "1"):
        findings.append(note(f"is_recorded is missing or neither 0 nor 1 {what}.", Section.EVENT))
    return findings


def _status(end: ReceivedRequest, what: str) -> list[Finding]:
    status, outcome = end.value("status"), _outcome(end)
    if outcome is Outcome.FAILED:
        return [expected(f"a known status {what}", status, Section.STATUSES)]
    if outcome not in _STATUSES.get(end.value("type").lower(), frozenset(Outcome)):
        return [note(f"Status {status} {what} belongs to calls of the other direction.", Section.STATUSES)]
    if status.lower() not in _DOCUMENTED:
        return [note(f"Status {status} {what} is read as {outcome}. Correct its spelling.", Section.STATUSES)]
    return []


def _record(ours: Sequence[ReceivedRequest], requests: Sequence[ReceivedRequest]) -> list[Finding]:
    if not any(_lacks_record(one) for one in events_of(ours, "COMPLETED")):
        return []
    what = "record with the recording's link, as is_recorded was 1 without record_link"
    ids = {one.call_id for one in events_of(ours, "COMPLETED") if _lacks_record(one)}
    records = [one for one in requests if one.event and one.command == "record"]
    if any(one.call_id in ids for one in records):
        return [passed("The recording's link was received in a record.", Section.RECORD)]
    if records:
        return [expected(what, f"one for another call: {records[-1].call_id}", Section.RECORD)]
    return [expected(what, "none", Section.RECORD)]


def _lacks_record(end: ReceivedRequest) -> bool:
    return end.value("is_recorded") == "1" and not end.value("record_link")


def _outcome(end: ReceivedRequest) -> Outcome | None:
    return end.event.outcome if end.event else None


def _succeeded(end: ReceivedRequest) -> bool:
    return _outcome(end) is Outcome.SUCCESS


def _extension(one: ReceivedRequest) -> str:
    return f"extension {one.extension}" if one.extension else "no extension"


def _parameter(name: str, one: ReceivedRequest) -> str:
    return f"{name}={one.value(name)}" if one.value(name) else f"no {name}"


def _names(ours: Sequence[ReceivedRequest]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in ours))


def _list(extensions: Sequence[str]) -> str:
    return ", ".join(extension or "no extension" for extension in extensions) or "no extension"
