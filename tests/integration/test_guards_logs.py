"""Logs contain no secrets or whole phone numbers, and the guard reports planted ones."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from api_client import open_office
from local.place import ROOT, Place
from local.stack import Stack, running
from log_guard import in_logs, leaks
from pbx_line import Line

PORT = 4645
PHONE = "79105556688"
CREDENTIAL = "Zx9-seeded-credential-of-a-pbx"


def groups_of(stack: Stack) -> str:
    """Return all lines of the log groups of the runtime."""
    logs = stack.client("logs")
    events: list[Any] = []
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            page = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True)
            events += page["events"]
    return "\n".join(event["message"] for event in events)


@pytest.mark.stack
def test_logs_of_the_stack_have_no_secret_or_whole_number(tmp_path: Path) -> None:
    since = time.time() - 1
    with running(port=PORT) as stack:
        office = open_office(stack.api, stack.operator_token)
        owner, line = office.owner, Line(office)
        owner.create(
            "/v1/integrations",
            {"provider": "telephony_api", "name": "Second", "credentials": {"pbx_token": CREDENTIAL}},
        )
        tag = line.talk("logs-talk", PHONE)
        line.missed("logs-missed", PHONE)
        owner.post("/v1/contacts", {"name": "Twice", "phones": [f"+{PHONE}"]})
        owner.post("/v1/contacts", {"name": "No number", "phones": [f"{PHONE}{PHONE}"]})
        owner.get("/v1/contacts", phone=f"+{PHONE}")
        owner.get(f"/v1/contacts/+{PHONE}")
        owner.create("/v1/tasks", {"title": f"Call +{PHONE}", "contact_ids": [tag["contact_id"]]})
        owner.post("/v1/erasures", {"number": PHONE})
        secret = office.integration["secrets"]["planfix_token"]
        url = office.integration["webhook_url"]
        for form in (
            {"cmd": "event", "event": "INCOMING", "phone": PHONE, "planfix_token": "0" * 32},
            {"cmd": "contact", "phone": PHONE, "planfix_token": secret},
            {"cmd": PHONE, "phone": PHONE, "planfix_token": secret},
        ):
            requests.post(url, data=form, timeout=30)
        requests.post(f"{url}x", data={"phone": PHONE}, timeout=30)
        owner.with_token(f"{owner.token}x").get("/v1/me")
        owner.send(
            "POST", "/v1/contacts", data=f'{{"phones": ["+{PHONE}"', headers={"content-type": "application/json"}
        )
        tokens = [office.owner.token, office.employee.token, stack.operator_token, url.rsplit("/", 1)[1]]
        seeded = [PHONE[1:], CREDENTIAL, secret, "pbx-key-of-the-tenant", *(token for token in tokens if token)]
        groups_text = groups_of(stack)
        assert list(leaks(groups_text, "log groups", seeded)) == []
        assert in_logs(Place(PORT).directory, since, seeded) == []
        assert "api.request_handled" in Place(PORT).functions_log.read_text() + groups_text


PLANTED = {
    "a number in E.164": '{"message":"called","number":"+79105556688"}',
    "a PBX's digits": '{"message":"called","number":"79105556688"}',
    "national digits": "calling 89105556688 now",
    "a number in an address": "GET /v1/contacts?phone=%2B79105556688 200",
    "a bearer token": "authorization: Bearer abcdefghijklmnop.qrstuvwxyz",
    "a CRM's secret": '{"secret":"whsec_c2VjcmV0c2VjcmV0"}',
    "a JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyIn0.",
    "a token in a form": "planfix_token=0123456789abcdef&phone=",
}


@pytest.mark.parametrize("name", PLANTED)
def test_guard_reports_a_planted_number_or_secret(tmp_path: Path, name: str) -> None:
    place = tmp_path / "4637"
    place.mkdir()
    (place / "functions.log").write_text(json.dumps({"message": "answered"}) + "\n" + PLANTED[name] + "\n")
    (leak, *_) = in_logs(place, 0)
    assert (leak.file, leak.line) == ("4637/functions.log", 2)
    assert "9105556688" not in repr(leak)


def test_guard_fails_the_test_that_ends_a_leaking_stack(pytester: pytest.Pytester) -> None:
    # The guard of this process would report the planted number, so pytest runs in another process.
    pytester.makeini(f"[pytest]\npythonpath = {ROOT} {Path(__file__).parent}\naddopts = -p log_guard")
    pytester.makepyfile(
        f"""
        from local import process
        from local.place import Place

        def end(tmp_path, monkeypatch, line):
            monkeypatch.setattr(Place, "directory", tmp_path)
            (tmp_path / "functions.log").write_text(line)
            process.stop(Place(1))

        def test_harmless(tmp_path, monkeypatch):
            end(tmp_path, monkeypatch, "answered")

        def test_leaks(tmp_path, monkeypatch):
            end(tmp_path, monkeypatch, "from +{PHONE}")

        def test_goes_on(tmp_path, monkeypatch):
            end(tmp_path, monkeypatch, "answered")
        """
    )
    ended = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider")
    ended.assert_outcomes(passed=3, errors=1)
    ended.stdout.fnmatch_lines(["*ERROR at teardown of test_leaks*", "*functions.log:1: a phone number after …from *"])
    ended.stdout.no_fnmatch_line(f"*secrets or phone numbers*{PHONE}*")


def test_guard_reports_a_seeded_text_of_any_format(tmp_path: Path) -> None:
    (tmp_path / "runtime.log").write_text(f"x={CREDENTIAL}")
    assert [leak.what for leak in in_logs(tmp_path, 0, [CREDENTIAL])] == ["a seeded text"]


HARMLESS = (
    '{"timestamp":"2026-11-23 06:30:22,103+0000","message":"answered","status":200}',
    '{"tenant":"79105556688abcde","execution":"0179105556688aa-0"}',
    "took 1769105556688 ns",
    "arn:aws:lambda:us-east-1:000000000000:function:hangtag",
)


@pytest.mark.parametrize("line", HARMLESS)
def test_guard_ignores_text_that_resembles_a_number(line: str) -> None:
    assert list(leaks(line, "functions.log")) == []
