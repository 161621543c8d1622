"""Findings of check-provider for recorded flows."""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from calls_helpers import NOON
from hangtag.auth import secret_hash
from hangtag.providers.base import ParseResult, WebhookRequest
from hangtag_client.check.bridge import BridgeResponse, check_rejection
from hangtag_client.check.finding import Finding, Mask, Section, Weight
from hangtag_client.check.flows import Flow, awaits_record, check_flow, failed, is_over
from hangtag_client.check.received import ReceivedRequest, calls_of
from hangtag_client.check.tags import tag_lines
from telephony import receive

TOKEN = "secret"
PAGE = Path(__file__).parents[2] / "docs" / "telephony-api.md"


def received(second: int, text: str) -> ReceivedRequest:
    """Return a request received `second` seconds after noon, from `name=value` words, parsed by the product."""
    fields = dict(word.split("=", 1) for word in text.split())
    fields = {"phone": "79101234567", "callid": "c1", **fields}
    request = WebhookRequest(
        method="POST",
        path="/",
        query="",
        headers={},
        body=urlencode({**fields, "planfix_token": TOKEN}).encode(),
        arrived_at=NOON + timedelta(seconds=second),
    )
    result = receive(request, {"planfix_token": (secret_hash(TOKEN),)})
    if isinstance(result, ParseResult):
        return ReceivedRequest(status=200, fields=fields, event=result.events[0] if result.events else None)
    return ReceivedRequest(status=result.reply.status, fields=fields, rejection=result.reason)


def story(table: str, **common: str) -> list[ReceivedRequest]:
    """Return the requests of a table: one line with seconds, name, extension and further parameters per event."""
    requests = []
    for line in filter(str.strip, table.splitlines()):
        second, name, extension, *more = line.split()
        words = [f"{key}={value}" for key, value in common.items()]
        if name == "RECORD":
            requests.append(received(int(second), " ".join(["cmd=record", *more])))
        else:
            requests.append(
                received(int(second), " ".join(["cmd=event", *words, f"event={name}", f"ext={extension}", *more]))
            )
    return requests


OUTGOING = """
0  OUTGOING  101
5  ACCEPTED  101
30 COMPLETED 101 status=Success duration=25 is_recorded=0
"""
PARALLEL = """
0  INCOMING  101
0  INCOMING  102
4  ACCEPTED  102
4  COMPLETED 101 status=Cancelled duration=0 is_recorded=0
60 COMPLETED 102 status=Success duration=56 is_recorded=0
"""
SEQUENTIAL = """
0  INCOMING  101
9  COMPLETED 101 status=Cancelled duration=0 is_recorded=0
9  INCOMING  102
12 ACCEPTED  102
60 COMPLETED 102 status=Success duration=48 is_recorded=0
"""


def failed_sentences(findings: list[Finding]) -> list[str]:
    return [finding.sentence for finding in findings if finding.weight is Weight.FAIL]


def failures(flow: Flow, table: str, **common: str) -> list[str]:
    direction = "out" if flow is Flow.OUTGOING else "in"
    requests = story(table, **{"type": direction, **common})
    return failed_sentences(check_flow(flow, requests, extension="101", number="+79101234567"))


@pytest.mark.parametrize(
    ("flow", "table"), [(Flow.OUTGOING, OUTGOING), (Flow.PARALLEL, PARALLEL), (Flow.SEQUENTIAL, SEQUENTIAL)]
)
def test_documented_flow_has_no_failure(flow: Flow, table: str) -> None:
    assert failures(flow, table) == []


def test_unanswered_outgoing_call_needs_no_accepted() -> None:
    assert failures(Flow.OUTGOING, "0 OUTGOING 101\n9 COMPLETED 101 status=Busy duration=0 is_recorded=0") == []


@pytest.mark.parametrize(
    ("flow", "table", "old", "new", "finding"),
    [
        (Flow.OUTGOING, OUTGOING, "0  OUTGOING  101", "", "Expected OUTGOING when dialling begins"),
        (Flow.OUTGOING, OUTGOING, "5  ACCEPTED  101", "", "Expected ACCEPTED before a COMPLETED of status Success"),
        (Flow.OUTGOING, OUTGOING, "duration=25", "", "Expected a duration in seconds"),
        (Flow.OUTGOING, OUTGOING, "status=Success", "status=Fine", "Expected a known status .*received Fine"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  102", "Expected ext=101 on ACCEPTED; received ext=102"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  101 type=in", "Expected type=out on ACCEPTED"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  101 phone=1", "Expected the dialled number"),
        (Flow.OUTGOING, OUTGOING, "is_recorded=0", "is_recorded=1", "Expected record with the recording's link"),
        (Flow.PARALLEL, PARALLEL, "INCOMING  102", "INCOMING  101", "Expected INCOMING for each of two extensions"),
        (Flow.PARALLEL, PARALLEL, "4  ACCEPTED  102", "", "Expected ACCEPTED from the one extension"),
        (Flow.PARALLEL, PARALLEL, "status=Cancelled", "status=Missed", "Cancelled for 101.*received status=Missed"),
        (
            Flow.PARALLEL,
            PARALLEL,
            "INCOMING  101",
            "INCOMING  101 callid=c2",
            "Expected one callid.*received 2: c2 for 101",
        ),
        (Flow.PARALLEL, SEQUENTIAL, "", "", "Expected phones that ring together"),
        (Flow.SEQUENTIAL, PARALLEL, "", "", "Expected COMPLETED of one extension before INCOMING of the next"),
        (Flow.SEQUENTIAL, SEQUENTIAL, "ACCEPTED  102", "FOUND 102", "rejected with 400: .*INCOMING"),
    ],
)
def test_each_fault_gets_its_own_finding(flow: Flow, table: str, old: str, new: str, finding: str) -> None:
    sentences = failures(flow, table.replace(old, new) if old else table)
    assert any(re.search(finding, sentence) for sentence in sentences), sentences


def test_misspelled_status_is_reported_as_a_note() -> None:
    table = "0 OUTGOING 101\n9 COMPLETED 101 status=NotAvaliable duration=0 is_recorded=0"
    findings = check_flow(Flow.OUTGOING, story(table, type="out"), extension="101", number="79101234567")
    assert not failed(findings)
    assert any("NotAvaliable" in finding.sentence and finding.weight is Weight.NOTE for finding in findings)


def test_recording_is_expected_until_its_link_arrives() -> None:
    requests = story(OUTGOING.replace("is_recorded=0", "is_recorded=1"), type="out")
    linked = "cmd=record record_link=https://pbx.example/1.mp3"
    assert awaits_record(requests)
    assert awaits_record([*requests, received(40, f"{linked} callid=other")])
    assert not awaits_record([*requests, received(40, linked)])


def test_events_of_other_calls_are_ignored() -> None:
    other = story("1 INCOMING 104 phone=79990001122 callid=c9", type="in")
    assert failed_sentences(check_flow(Flow.PARALLEL, [*story(PARALLEL, type="in"), *other])) == []
    assert failed_sentences(check_flow(Flow.OUTGOING, other, extension="101", number="79101234567")) == [
        "Expected OUTGOING and the events after it; received no event of such a call."
    ]


def test_group_call_is_over_once_an_employee_talked() -> None:
    requests = story(SEQUENTIAL, type="in")
    assert not is_over(Flow.SEQUENTIAL, requests[:2])
    assert is_over(Flow.SEQUENTIAL, requests)


def test_tag_equals_the_tag_of_the_product() -> None:
    [events] = calls_of(story(PARALLEL, type="in", diversion="74951230001")).values()
    lines = tag_lines(events)
    assert lines[0] == "Hangtag would write the tag Call:"
    assert {"  Type: incoming", "  Duration: 56", "  Employee: extension 102"} <= set(lines)


def test_unanswered_call_is_settled_before_its_tag() -> None:
    [events] = calls_of(story("0 INCOMING 101\n9 COMPLETED 101 status=Missed duration=0", type="in")).values()
    assert tag_lines(events)[0] == "Hangtag would write the tag Missed Call:"


def test_unfinished_or_internal_call_has_no_tag() -> None:
    [live] = calls_of(story("0 INCOMING 101", type="in")).values()
    [inside] = calls_of(story(PARALLEL, type="in", phone="104")).values()
    assert "would wait" in tag_lines(live)[0]
    assert tag_lines(inside) == ["Hangtag would write no tag for this call: internal."]


@pytest.mark.parametrize(
    ("response", "is_correct"),
    [
        (BridgeResponse(401, '{"error":"Invalid token"}'), True),
        (BridgeResponse(401, '{"error": "Invalid token", "hint": "x"}'), True),
        (BridgeResponse(401, "Invalid token"), False),
        (BridgeResponse(401, '["Invalid token"]'), False),
        (BridgeResponse(403, '{"error":"Invalid token"}'), False),
        (BridgeResponse(200, ""), False),
        (BridgeResponse(None, "timed out"), False),
    ],
)
def test_rejection_requires_the_documented_response(response: BridgeResponse, is_correct: bool) -> None:
    assert failed([check_rejection("makeCall with a wrong token", response, 401, "Invalid token")]) is not is_correct


def test_mask_hides_secrets_but_keeps_call_ids() -> None:
    mask = Mask(("s3cret", "k", "a-long-secret"), ("79101234567",))
    assert mask("key token=k xa-long-secretx") == "key token=*** x***x"
    assert mask("token=s3cret phone=79101234567") == "token=*** phone=***4567"
    assert mask("+7 (910) 123-45-67 rang on 2026-03-01") == "***4567 rang on 2026-03-01"
    assert mask("extensions 101, 102 of call 1700000000.12") == "extensions 101, 102 of call 1700000000.12"
    assert mask("two\nlines\x1b[31m") == "two lines [31m"
    assert len(mask("x" * 1000)) < 400


def test_sections_of_findings_are_headings_of_the_page() -> None:
    headings = {line.lstrip("# ").strip().strip("`") for line in PAGE.read_text().splitlines() if line.startswith("#")}
    assert {str(section) for section in Section} <= headings


def test_documented_requests_are_accepted() -> None:
    """The page contains five commands to $URL: two events, record, contact and ping."""
    page = PAGE.read_text().replace("\\\n", " ")
    commands = re.findall(r'^curl .*"\$URL".*$', page, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        pairs = re.findall(r"(?:-d|--data-urlencode) [\"']?([^\"'\s]+)[\"']?", command.replace("$TOKEN", TOKEN))
        body = urlencode(dict(parse_qsl("&".join(pairs), keep_blank_values=True))).encode()
        request = WebhookRequest(method="POST", path="/", query="", headers={}, body=body, arrived_at=NOON)
        assert isinstance(receive(request, {"planfix_token": (secret_hash(TOKEN),)}), ParseResult), command
