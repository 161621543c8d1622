"""The judge of check-provider, from data alone."""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from calls_helpers import NOON
from hangtag.auth import secret_hash
from hangtag.providers.base import ParseResult, WebhookRequest
from hangtag_client.check.bridge import Answer, judge_refusal
from hangtag_client.check.finding import Finding, Mask, Section, Weight
from hangtag_client.check.heard import Heard, calls_of
from hangtag_client.check.judge import Flow, awaits_record, failed, is_over, judge
from hangtag_client.check.verdict import tag_lines
from telephony import receive

TOKEN = "secret"
PAGE = Path(__file__).parents[2] / "docs" / "telephony-api.md"


def heard(second: int, text: str) -> Heard:
    """A delivery so many seconds after noon, from `name=value` words, understood by the product's own parser."""
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
        return Heard(status=200, fields=fields, event=result.events[0] if result.events else None)
    return Heard(status=result.reply.status, fields=fields, refusal=result.reason)


def story(table: str, **common: str) -> list[Heard]:
    """One event a line: seconds, name, extension, further parameters."""
    told = []
    for line in filter(str.strip, table.splitlines()):
        second, name, extension, *more = line.split()
        words = [f"{key}={value}" for key, value in common.items()]
        if name == "RECORD":
            told.append(heard(int(second), " ".join(["cmd=record", *more])))
        else:
            told.append(heard(int(second), " ".join(["cmd=event", *words, f"event={name}", f"ext={extension}", *more])))
    return told


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


def faults(findings: list[Finding]) -> list[str]:
    return [finding.sentence for finding in findings if finding.weight is Weight.FAIL]


def judged(flow: Flow, table: str, **common: str) -> list[str]:
    direction = "out" if flow is Flow.OUTGOING else "in"
    told = story(table, **{"type": direction, **common})
    return faults(judge(flow, told, extension="101", number="+79101234567"))


@pytest.mark.parametrize(
    ("flow", "table"), [(Flow.OUTGOING, OUTGOING), (Flow.PARALLEL, PARALLEL), (Flow.SEQUENTIAL, SEQUENTIAL)]
)
def test_the_documented_flow_has_no_fault(flow: Flow, table: str) -> None:
    assert judged(flow, table) == []


def test_an_outgoing_call_that_nobody_answers_needs_no_accepted() -> None:
    assert judged(Flow.OUTGOING, "0 OUTGOING 101\n9 COMPLETED 101 status=Busy duration=0 is_recorded=0") == []


@pytest.mark.parametrize(
    ("flow", "table", "old", "new", "told"),
    [
        (Flow.OUTGOING, OUTGOING, "0  OUTGOING  101", "", "Expected OUTGOING when dialling begins"),
        (Flow.OUTGOING, OUTGOING, "5  ACCEPTED  101", "", "Expected ACCEPTED before a COMPLETED of status Success"),
        (Flow.OUTGOING, OUTGOING, "duration=25", "", "Expected a duration in seconds"),
        (Flow.OUTGOING, OUTGOING, "status=Success", "status=Fine", "Expected a known status .*came Fine"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  102", "Expected ext=101 on ACCEPTED; came ext=102"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  101 type=in", "Expected type=out on ACCEPTED"),
        (Flow.OUTGOING, OUTGOING, "ACCEPTED  101", "ACCEPTED  101 phone=1", "Expected the dialled number"),
        (Flow.OUTGOING, OUTGOING, "is_recorded=0", "is_recorded=1", "Expected record with the recording's link"),
        (Flow.PARALLEL, PARALLEL, "INCOMING  102", "INCOMING  101", "Expected INCOMING for each of two extensions"),
        (Flow.PARALLEL, PARALLEL, "4  ACCEPTED  102", "", "Expected ACCEPTED from the one extension"),
        (Flow.PARALLEL, PARALLEL, "status=Cancelled", "status=Missed", "Cancelled for 101.*came status=Missed"),
        (
            Flow.PARALLEL,
            PARALLEL,
            "INCOMING  101",
            "INCOMING  101 callid=c2",
            "Expected one callid.*came 2: c2 for 101",
        ),
        (Flow.PARALLEL, SEQUENTIAL, "", "", "Expected phones that ring together"),
        (Flow.SEQUENTIAL, PARALLEL, "", "", "Expected COMPLETED of one extension before INCOMING of the next"),
        (Flow.SEQUENTIAL, SEQUENTIAL, "ACCEPTED  102", "FOUND 102", "refused with 400: Field event is not one of"),
    ],
)
def test_each_fault_is_named(flow: Flow, table: str, old: str, new: str, told: str) -> None:
    sentences = judged(flow, table.replace(old, new) if old else table)
    assert any(re.search(told, sentence) for sentence in sentences), sentences


def test_a_misspelled_status_is_understood_and_noted() -> None:
    table = "0 OUTGOING 101\n9 COMPLETED 101 status=NotAvaliable duration=0 is_recorded=0"
    findings = judge(Flow.OUTGOING, story(table, type="out"), extension="101", number="79101234567")
    assert not failed(findings)
    assert any("NotAvaliable" in finding.sentence and finding.weight is Weight.NOTE for finding in findings)


def test_a_recording_is_awaited_until_its_link_comes_for_the_same_call() -> None:
    told = story(OUTGOING.replace("is_recorded=0", "is_recorded=1"), type="out")
    linked = "cmd=record record_link=https://pbx.example/1.mp3"
    assert awaits_record(told)
    assert awaits_record([*told, heard(40, f"{linked} callid=other")])
    assert not awaits_record([*told, heard(40, linked)])


def test_other_calls_at_the_same_time_are_left_out() -> None:
    other = story("1 INCOMING 104 phone=79990001122 callid=c9", type="in")
    assert faults(judge(Flow.PARALLEL, [*story(PARALLEL, type="in"), *other])) == []
    assert faults(judge(Flow.OUTGOING, other, extension="101", number="79101234567")) == [
        "Expected OUTGOING and the events after it; came no event of such a call."
    ]


def test_a_group_call_is_over_only_when_somebody_talked() -> None:
    told = story(SEQUENTIAL, type="in")
    assert not is_over(Flow.SEQUENTIAL, told[:2])
    assert is_over(Flow.SEQUENTIAL, told)


def test_the_tag_is_the_one_that_the_product_would_write() -> None:
    [events] = calls_of(story(PARALLEL, type="in", diversion="74951230001")).values()
    lines = tag_lines(events)
    assert lines[0] == "Hangtag would write the tag Call:"
    assert {"  Type: incoming", "  Duration: 56", "  Employee: extension 102"} <= set(lines)


def test_a_call_that_nobody_answered_is_settled_before_its_tag_is_shown() -> None:
    [events] = calls_of(story("0 INCOMING 101\n9 COMPLETED 101 status=Missed duration=0", type="in")).values()
    assert tag_lines(events)[0] == "Hangtag would write the tag Missed Call:"


def test_a_call_without_an_end_and_one_between_extensions_have_no_tag_yet() -> None:
    [live] = calls_of(story("0 INCOMING 101", type="in")).values()
    [inside] = calls_of(story(PARALLEL, type="in", phone="104")).values()
    assert "still wait" in tag_lines(live)[0]
    assert tag_lines(inside) == ["Hangtag would write no tag for this call: internal."]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (Answer(401, '{"error":"Invalid token"}'), True),
        (Answer(401, '{"error": "Invalid token", "hint": "x"}'), True),
        (Answer(401, "Invalid token"), False),
        (Answer(401, '["Invalid token"]'), False),
        (Answer(403, '{"error":"Invalid token"}'), False),
        (Answer(200, ""), False),
        (Answer(None, "timed out"), False),
    ],
)
def test_a_refusal_is_right_only_with_its_status_and_its_body(answer: Answer, right: bool) -> None:
    assert failed([judge_refusal("makeCall with a wrong token", answer, 401, "Invalid token")]) is not right


def test_the_mask_hides_secrets_and_numbers_and_spares_extensions_and_call_ids() -> None:
    mask = Mask(("s3cret", "k", "a-long-secret"), ("79101234567",))
    assert mask("key token=k xa-long-secretx") == "key token=*** x***x"
    assert mask("token=s3cret phone=79101234567") == "token=*** phone=***4567"
    assert mask("+7 (910) 123-45-67 rang on 2026-03-01") == "***4567 rang on 2026-03-01"
    assert mask("extensions 101, 102 of call 1700000000.12") == "extensions 101, 102 of call 1700000000.12"
    assert mask("two\nlines\x1b[31m") == "two lines [31m"
    assert len(mask("x" * 1000)) < 400


def test_every_section_that_findings_point_to_is_a_heading_of_the_page() -> None:
    headings = {line.lstrip("# ").strip().strip("`") for line in PAGE.read_text().splitlines() if line.startswith("#")}
    assert {str(section) for section in Section} <= headings


def test_the_documented_requests_are_read_without_a_fault() -> None:
    """Two events, record, contact and ping: each of the page's commands to $URL."""
    page = PAGE.read_text().replace("\\\n", " ")
    commands = re.findall(r'^curl .*"\$URL".*$', page, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        pairs = re.findall(r"(?:-d|--data-urlencode) [\"']?([^\"'\s]+)[\"']?", command.replace("$TOKEN", TOKEN))
        body = urlencode(dict(parse_qsl("&".join(pairs), keep_blank_values=True))).encode()
        request = WebhookRequest(method="POST", path="/", query="", headers={}, body=body, arrived_at=NOON)
        assert isinstance(receive(request, {"planfix_token": (secret_hash(TOKEN),)}), ParseResult), command
