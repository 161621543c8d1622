"""Check of a played story: the comparison, and polling until the result of a call exists."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from http_fake import Request, Response, serving
from local import demo
from local.simulator import Judge, Office, Player, Run, Verdict, load_story
from local.simulator.compare import People, compare
from local.simulator.lines import Line
from local.simulator.story import Expectation

STORY = load_story("answered_incoming")
IDS = {"call": "PBX-1"}
PEOPLE = People(employees={"Anna Petrova": "e1"}, contacts={"Olga Smirnova": "c1"})
CALL: dict[str, Any] = {
    "id": "call-1",
    "state": "closed",
    "direction": "in",
    "external_number": "+79101234567",
    "outcome": "success",
    "skip_reason": None,
    "tag_id": "tag-1",
    "linked_call_id": None,
    "recordings": [],
}
VALUES: dict[str, tuple[str, Any]] = {
    "Date": ("date", "2026-03-01"),
    "Time": ("time_period", {"start": "s", "end": "e"}),
    "Type": ("list", "incoming"),
    "Duration": ("number", 62),
    "Employee": ("employee", {"id": "e1", "name": "Anna Petrova"}),
    "Contact": ("contact", {"id": "c1", "name": "Olga Smirnova"}),
    "External line": ("string", "74951230001"),
    "Contact's number": ("string", "+79101234567"),
    "External line name": ("string", "Main office"),
}


def tag(values: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the tag that the story expects, with some values changed."""
    fields = [
        {"name": name, "type": kind, "value": (values or {}).get(name, value)} for name, (kind, value) in VALUES.items()
    ]
    return {
        "id": "tag-1",
        "type": "call",
        "direction": "in",
        "call_id": "call-1",
        "contact_id": "c1",
        "task_id": None,
        "hidden": False,
        "end_unknown": False,
        "fields": fields,
        **changes,
    }


def mismatches(call: dict[str, Any], *tags: dict[str, Any]) -> tuple[str, ...]:
    return compare(STORY.expect[0], IDS, PEOPLE, [call], tags)


def test_expected_call_with_its_tag_has_no_mismatch() -> None:
    assert mismatches(CALL, tag()) == ()


@pytest.mark.parametrize(
    ("call", "tags", "words"),
    [
        ({"state": "open"}, [tag()], "state: expected 'closed', found 'open'"),
        ({"outcome": "missed"}, [tag()], "outcome"),
        ({"skip_reason": "internal"}, [tag()], "skip_reason"),
        ({"recordings": [{"id": "x", "temporary": False}]}, [tag()], "recording: expected None"),
        ({"tag_id": None}, [], "expected one tag, there are 0"),
        ({}, [tag(), tag()], "expected one tag, there are 2"),
        ({}, [tag(call_id="another")], "call_id of the tag"),
        ({}, [tag(type="missed_call")], "type of tag"),
        ({}, [tag(direction="out")], "direction"),
        ({}, [tag(end_unknown=True)], "end_unknown"),
        ({}, [tag({"Type": "outgoing"})], "Type"),
        ({}, [tag({"Duration": 63})], "Duration: expected 62, found 63"),
        ({}, [tag({"Employee": None})], "Employee: expected 'Anna Petrova', found None"),
        ({}, [tag({"Employee": {"id": "e9", "name": "Anna Petrova"}})], "Employee's id"),
        ({}, [tag({"Contact": None}, contact_id=None)], "Contact: expected 'Olga Smirnova'"),
        ({}, [tag(contact_id="c9")], "contact_id of the tag"),
        ({}, [tag({"External line": ""})], "External line"),
        ({}, [tag({"Contact's number": "79101234567"})], "Contact's number"),
        ({}, [tag({"External line name": ""})], "External line name"),
        ({}, [tag(fields=tag()["fields"][::-1])], "fields: expected"),
        (
            {},
            [tag(fields=[*tag()["fields"], {"name": "utm", "type": "string", "value": "x"}])],
            "extra",
        ),
    ],
)
def test_each_difference_is_named(call: dict[str, Any], tags: list[dict[str, Any]], words: str) -> None:
    assert any(mismatch.startswith(words) for mismatch in mismatches(CALL | call, *tags))


def test_new_contact_is_not_one_of_the_office() -> None:
    expected = load_story("unknown_contact").expect[0]
    ids = {"Olga Smirnova": "c1"}

    def is_mismatch(value: dict[str, str] | None) -> bool:
        changed = tag({"Contact": value}, contact_id=value["id"] if value else None)
        words = compare(expected, IDS, People(employees={}, contacts=ids), [CALL], [changed])
        return any(word.startswith("Contact: expected a new one") for word in words)

    assert is_mismatch(None)
    assert is_mismatch({"id": "c1", "name": "Olga Smirnova"})
    assert not is_mismatch({"id": "c2", "name": "+79035550199"})


OFFICE = Office(
    name="main",
    tenant_id="t1",
    owner_token="owner",
    lines={
        "telephony_api": Line(
            provider="telephony_api", integration_id="i1", webhook_url="https://hook", secrets={"planfix_token": "pt"}
        )
    },
    employees=PEOPLE.employees,
    contacts=PEOPLE.contacts,
    tasks=PEOPLE.tasks,
)
RUN = Run(story=STORY, ids=IDS, requests=(), complete=True)


def forbidden(request: Request) -> Response:
    return Response(403, {"title": "Forbidden"})


def expecting(duration: int) -> Expectation:
    """Return the story's expectation with another duration."""
    (expected,) = STORY.expect
    assert expected.tag is not None
    changed = expected.tag.model_copy(update={"duration": duration})
    return expected.model_copy(update={"tag": changed})


def landing(after: int) -> Callable[[Request], Response]:
    """Return an API where the call is open for `after` requests, and then has its tag."""
    polls = iter(range(1000))

    def respond(request: Request) -> Response:
        if request.path == "/v1/calls":
            assert request.parameters["integration_id"] == "i1"
            is_final = next(polls) >= after
            return Response(200, {"items": [CALL if is_final else CALL | {"tag_id": None}]})
        if request.path == "/hook":
            return Response()
        return Response(200, tag() if request.path == "/v1/tags/tag-1" else {"items": [tag()]})

    return respond


def test_judge_polls_until_the_call_has_its_tag() -> None:
    verdicts: list[Verdict] = []
    with serving(landing(after=3)) as server:
        judge = Judge(server.url, {"main": OFFICE})
        (verdict,) = judge.judge(RUN, every_seconds=0.001, landed=verdicts.append)
    assert verdict.ok
    assert verdicts == [verdict]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer owner"}
    assert server.requests[0].parameters == {"integration_id": "i1", "pbx_call_id": "PBX-1"}
    assert "Anna Petrova, contact Olga Smirnova, 62 s" in demo.describe(verdict)
    assert "+79101234567" not in demo.describe(verdict)


def test_judge_reports_mismatches_after_the_time_limit() -> None:
    with serving(landing(after=1000)) as server:
        judge = Judge(server.url, {"main": OFFICE})
        (verdict,) = judge.judge(RUN, within_seconds=0, every_seconds=0.001)
    assert verdict.mismatches == ("expected one tag, there are 0",)
    assert "no tag: nothing landed" in demo.describe(verdict)


@pytest.mark.parametrize("duration", [62, 63])
def test_demo_fails_if_a_tag_is_not_as_expected(duration: int, capsys: pytest.CaptureFixture[str]) -> None:
    story = STORY.model_copy(update={"expect": (expecting(duration),)})
    with serving(landing(after=0)) as server:
        here = replace(OFFICE.lines["telephony_api"], webhook_url=f"{server.url}/hook")
        offices = {"main": replace(OFFICE, lines={"telephony_api": here})}
        stop = threading.Event()
        show = demo.Show(
            stories=[story],
            offices=offices,
            player=Player(stop=stop),
            judge=Judge(server.url, offices, stop=stop),
            stop=stop,
            pool=ThreadPoolExecutor(1),
            lands_within=0,
        )
        show.play_all()
        show.look_again()
        show.close()
    assert show.ok == (duration == 62)
    output = capsys.readouterr().out
    assert ("Duration: expected 63, found 62" in output) == (duration == 63)
    assert (STORY.name in show.summary()) == (duration == 63)


def test_api_error_is_reported_as_a_mismatch() -> None:
    with serving(forbidden) as server:
        verdict = Judge(server.url, {"main": OFFICE}).look(RUN, STORY.expect[0])
    assert verdict.mismatches == ("GET /v1/calls: 403 Forbidden",)
