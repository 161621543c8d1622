"""Integrations on a stack: changes, rotation, diagnostics, deletion, and the log of webhook requests."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
import requests

from api_client import Caller, Office, Response, open_office
from fault_proxy import FaultPlan, Run, Side, Signature, fault_proxy
from hangtag.api.kernel.cursor import write_cursor
from hangtag.auth import token_hash
from hangtag.store.db.keys import key
from http_fake import Response as ApiResponse
from http_fake import serving
from local.stack import Stack, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4632
PROXY_PORT = 4642
WARM_UP = 12
TO_COUNT = 20


@dataclass(frozen=True, slots=True)
class ProxiedStack:
    """A stack behind a proxy that records its AWS calls and can fail one."""

    stack: Stack
    plan: FaultPlan

    def office(self) -> Office:
        return open_office(self.stack.api, self.stack.operator_token)

    def items(self) -> list[dict[str, Any]]:
        """Return all items of the table."""
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=self.stack.table)
        return [item for page in pages for item in page["Items"]]

    def endpoints(self, integration_id: str) -> list[dict[str, Any]]:
        """Return the webhook endpoints of an integration."""
        return [i for i in self.items() if i["sk"]["S"] == "HOOK" and i["integration_id"]["S"] == integration_id]

    def audit_entries(self, integration_id: str) -> list[tuple[str, str, list[str]]]:
        """Return actor, action and changed fields of the integration's audit entries, in order."""
        entries = [i for i in self.items() if i.get("kind") == {"S": "audit"} and i["target"]["S"] == integration_id]
        entries.sort(key=lambda item: item["sk"]["S"])
        return [(i["who"]["S"], i["action"]["S"], json.loads(i["changed"]["S"])) for i in entries]

    def set_endpoint_times(self, url: str, **times: float) -> None:
        """Change times of a webhook endpoint before a process caches it."""
        self.stack.client("dynamodb").update_item(
            TableName=self.stack.table,
            Key={"pk": {"S": key("TOKEN", token_hash(token_of(url)))}, "sk": {"S": "HOOK"}},
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in times),
            ExpressionAttributeValues={f":{name}": {"N": str(int(at))} for name, at in times.items()},
        )


@pytest.fixture(scope="module")
def proxied() -> Iterator[ProxiedStack]:
    plan = FaultPlan()
    with (
        fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint,
        running(port=PORT, fault_endpoint=endpoint) as stack,
    ):
        yield ProxiedStack(stack, plan)


@pytest.fixture(scope="module")
def shared(proxied: ProxiedStack) -> Office:
    """An office for all tests; Anna has an extension at its first PBX."""
    return proxied.office()


@pytest.fixture
def office(shared: Office) -> Office:
    """The shared office with a new PBX that has no mapped extensions."""
    body = {"provider": "telephony_api", "name": "PBX", "credentials": {"pbx_token": "pbx-key-of-the-tenant"}}
    return replace(shared, integration=shared.owner.create("/v1/integrations", body))


def token_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def at(office: Office, rest: str = "") -> str:
    return f"/v1/integrations/{office.integration['id']}{rest}"


def post(office: Office, url: str | None = None, **form: str) -> requests.Response:
    form = {"planfix_token": office.integration["secrets"]["planfix_token"], **form}
    return requests.post(url or office.integration["webhook_url"], data=form, timeout=60)


def ring(office: Office, call_id: str, url: str | None = None, **more: str) -> requests.Response:
    event = {"cmd": "event", "type": "in", "event": "INCOMING", "phone": "79990000001", "ext": "101", "callid": call_id}
    return post(office, url, **(event | more))


def log_entries(office: Office, **params: Any) -> list[dict[str, Any]]:
    """Return the logged webhook requests, newest first."""
    items: list[dict[str, Any]] = office.owner.get(at(office, "/deliveries"), **params).json["items"]
    return items


def assert_problem(response: Response, status: int) -> None:
    assert (response.status, response.media) == (status, "application/problem+json"), response


# ------------------------------------------------------------------ changing and deleting


def test_changed_credentials_are_merged_by_name(proxied: ProxiedStack, office: Office) -> None:
    typed = {"pbx_url": "https://pbx.example/api"}
    response = office.owner.patch(at(office), {"name": "Renamed", "credentials": typed})
    assert response.status == 200, response
    assert (response.json["name"], response.json["settings"]) == ("Renamed", {})
    assert "pbx" not in json.dumps(response.json)
    assert post(office, cmd="ping").json() == {"pbxToken": "pbx-key-of-the-tenant", "pbxUrl": typed["pbx_url"]}
    assert office.owner.patch(at(office), {"credentials": {"pbx_token": None}}).status == 200
    assert post(office, cmd="ping").json() == {"pbxToken": "", "pbxUrl": typed["pbx_url"]}
    listed = office.owner.get("/v1/integrations", limit=200).json["items"]
    assert [one["name"] for one in listed if one["id"] == office.integration["id"]] == ["Renamed"]
    # A request without changes is not audited.
    assert office.owner.patch(at(office), {"name": "Renamed", "credentials": typed}).status == 200
    assert proxied.audit_entries(office.integration["id"])[1:] == [
        ("owner", "integration.changed", ["name", "credentials.pbx_url"]),
        ("owner", "integration.changed", ["credentials.pbx_token"]),
    ]
    strange = ({"credentials": {"unknown": "hunter2"}}, {"settings": {"unknown": "hunter2"}}, {"overlap_hours": 200})
    for body in (*strange, {"provider": "zadarma"}, {"name": None}, {"name": ""}):
        response = office.owner.patch(at(office), body)
        assert_problem(response, 400)
        assert "hunter2" not in json.dumps(response.json)


def test_integration_with_extensions_cannot_be_deleted(shared: Office) -> None:
    response = shared.owner.send("DELETE", at(shared))
    assert_problem(response, 409)
    assert "Anna" in response.json["detail"]
    assert ring(shared, "still").status_code == 200


def test_deleted_integration_leaves_no_endpoints(proxied: ProxiedStack, shared: Office) -> None:
    office = shared
    second = office.owner.create("/v1/integrations", {"provider": "telephony_api", "name": "Second"})
    place = f"/v1/integrations/{second['id']}"
    rotated = office.owner.post(f"{place}/rotate", {"overlap_hours": 1}).json
    assert requests.post(rotated["webhook_url"], data={"cmd": "nothing"}, timeout=60).status_code == 401
    assert office.owner.send("DELETE", place).status == 204
    # No process caches the previous address, because it was not used.
    assert requests.post(second["webhook_url"], data={"cmd": "ping"}, timeout=60).status_code == 404
    assert_problem(office.owner.get(place), 404)
    assert_problem(office.owner.send("DELETE", place), 404)
    assert [item for item in proxied.items() if second["id"] in item["pk"]["S"] + item["sk"]["S"]] == []
    assert proxied.endpoints(second["id"]) == []
    assert proxied.audit_entries(second["id"]) == [
        ("owner", "integration.created", []),
        ("owner", "integration.rotated", ["webhook_url"]),
        ("owner", "integration.deleted", []),
    ]


# ------------------------------------------------------------------ rotating


def test_rotation_keeps_at_most_two_webhook_urls(proxied: ProxiedStack, office: Office) -> None:
    first = office.integration["webhook_url"]
    second = office.owner.post(at(office, "/rotate"), {"overlap_hours": 2}).json
    assert second["secrets"] == {}
    assert second["webhook_url"] in " ".join(second["instructions"])
    ahead = datetime.fromisoformat(second["previous_url_until"]).timestamp() - time.time()
    assert 7100 < ahead <= 7200
    assert office.owner.get(at(office)).json["previous_url_until"][:19] == second["previous_url_until"][:19]
    third = office.owner.post(at(office, "/rotate"), {"overlap_hours": 168}).json
    assert len(proxied.endpoints(office.integration["id"])) == 2
    statuses = [ring(office, "r", url).status_code for url in (first, second["webhook_url"], third["webhook_url"])]
    assert statuses == [404, 200, 200]


def test_rotation_without_overlap_ends_the_old_url(proxied: ProxiedStack, office: Office) -> None:
    new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 0}).json
    assert new["previous_url_until"] is None
    assert ring(office, "r").status_code == 404
    assert ring(office, "r", new["webhook_url"]).status_code == 200
    assert len(proxied.endpoints(office.integration["id"])) == 1


def test_old_secrets_are_valid_until_the_overlap_ends(proxied: ProxiedStack, office: Office) -> None:
    old_url, old = office.integration["webhook_url"], office.integration["secrets"]["planfix_token"]
    rotated = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1, "secrets": True}).json
    new_url, new = rotated["webhook_url"], rotated["secrets"]["planfix_token"]
    for url in (old_url, new_url):
        assert [ring(office, "s", url, planfix_token=one).status_code for one in (old, new, "0" * 32)] == [
            200,
            200,
            401,
        ]
    again = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
    proxied.set_endpoint_times(again, old_secrets_until=time.time() - 1)
    assert [ring(office, "s", again, planfix_token=one).status_code for one in (old, new)] == [401, 200]
    at_once = office.owner.post(at(office, "/rotate"), {"overlap_hours": 0, "secrets": True}).json
    newest = at_once["secrets"]["planfix_token"]
    codes = [ring(office, "s", at_once["webhook_url"], planfix_token=one).status_code for one in (new, newest)]
    assert codes == [401, 200]


def test_repeated_rotation_with_its_key_runs_once(proxied: ProxiedStack, office: Office) -> None:
    body = {"overlap_hours": 1, "secrets": True}
    first = office.owner.post(at(office, "/rotate"), body, idempotency_key="k").json
    assert office.owner.post(at(office, "/rotate"), body, idempotency_key="k").json == first
    assert len(proxied.endpoints(office.integration["id"])) == 2
    other = office.owner.create("/v1/integrations", {"provider": "telephony_api", "name": "Second"})
    elsewhere = office.owner.post(f"/v1/integrations/{other['id']}/rotate", body, idempotency_key="k").json
    assert elsewhere["id"] == other["id"]


def test_invalid_rotation_or_watch_is_rejected(shared: Office) -> None:
    for rotation in ({"overlap_hours": 169}, {"overlap_hours": -1}, {"overlap_hours": "x"}, {"hours": 1}):
        assert_problem(shared.owner.post(at(shared, "/rotate"), rotation), 400)
    for minutes in (0, 1441, None):
        assert_problem(shared.owner.post(at(shared, "/watch"), {"minutes": minutes}), 400)


# ------------------------------------------------------------------ request log


def test_log_entry_contains_request_with_event_results(office: Office) -> None:
    assert ring(office, "c-1", event_id="e-1").status_code == 200
    assert ring(office, "c-1", event_id="e-1").status_code == 200
    assert post(office, cmd="contact", phone="79990000001").status_code == 200
    lookup, duplicate, first = log_entries(office)
    (call,) = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="c-1").json["items"]
    event = {"event": "ringing", "extension": "101", "call_id": call["id"]}
    assert first["events"] == [event | {"result": "stored"}]
    assert duplicate["events"] == [event | {"result": "duplicate"}]
    assert lookup["events"] == []
    assert [one["result"] for one in (first, duplicate, lookup)] == [
        "Parsed and stored.",
        "Duplicate of earlier events. Nothing changed.",
        "Parsed. The request contains no call event.",
    ]
    assert {one["log_reason"] for one in (first, duplicate, lookup)} == {"setup"}
    assert (first["http_status"], first["method"], first["truncated"]) == (200, "POST", False)
    assert first["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert "phone=79990000001" in first["body"]
    text = json.dumps(log_entries(office))
    assert office.integration["secrets"]["planfix_token"] not in text
    assert token_of(office.integration["webhook_url"]) not in text
    assert office.owner.get(at(office, f"/deliveries/{first['id']}")).json == first
    last = office.owner.get(at(office)).json["last_webhook_at"]
    assert datetime.fromisoformat(last) == datetime.fromisoformat(lookup["received_at"])
    for path in ("/deliveries", f"/deliveries/{first['id']}"):
        assert_problem(office.employee.get(at(office, path)), 403)


def test_request_log_rejects_a_forged_cursor(office: Office) -> None:
    for number in range(3):
        ring(office, f"c-{number}")
    first = office.owner.get(at(office, "/deliveries"), limit=2).json
    second = office.owner.get(at(office, "/deliveries"), limit=2, cursor=first["next_cursor"]).json
    assert first["items"] + second["items"] == log_entries(office)
    for forged in (
        write_cursor("deliveries", "x"),
        write_cursor("deliveries", None),
        write_cursor("integrations", "0" * 32),
    ):
        assert_problem(office.owner.get(at(office, "/deliveries"), cursor=forged), 400)


def test_first_twenty_requests_of_a_new_url_are_logged(office: Office) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ring(office, f"set-up-{number}"), range(TO_COUNT + 8)))
    assert len(log_entries(office, limit=100)) == TO_COUNT
    assert post(office, cmd="dance").status_code == 400
    newest, *others = log_entries(office, limit=100)
    assert (newest["log_reason"], newest["http_status"]) == ("error", 400)
    assert len(others) == TO_COUNT


def test_all_requests_are_logged_while_an_admin_watches(proxied: ProxiedStack, office: Office) -> None:
    proxied.set_endpoint_times(office.integration["webhook_url"], set_up_until=0)
    new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
    proxied.set_endpoint_times(new, set_up_until=0)
    assert ring(office, "before").status_code == 200
    assert log_entries(office) == []
    watched = office.owner.post(at(office, "/watch"), {"minutes": 5})
    assert watched.status == 200, watched
    ahead = datetime.fromisoformat(watched.json["watched_until"]).timestamp() - time.time()
    assert 290 < ahead <= 300
    # No process caches the new address as not watched.
    assert ring(office, "during", new).status_code == 200
    assert [one["log_reason"] for one in log_entries(office)] == ["watch"]


def test_webhook_request_costs_one_write_without_reads(proxied: ProxiedStack, office: Office) -> None:
    proxied.set_endpoint_times(office.integration["webhook_url"], set_up_until=0)
    with ThreadPoolExecutor(WARM_UP) as pool:
        list(pool.map(lambda _: ring(office, "warm"), range(WARM_UP * 2)))
    marks = (office.tenant_id, token_hash(token_of(office.integration["webhook_url"])))
    with proxied.plan.watch(Run(marks)) as run:
        assert ring(office, "warm").status_code == 200
    # The live channel reads its listeners at any time, for earlier calls as well.
    calls = [one.what.split(" set")[0] for one in run.calls if one.what != "GetItem LIVE"]
    assert calls == ["UpdateItem CALL"]


@pytest.mark.parametrize(
    ("failing", "side"), [("UpdateItem TOKEN add set_up_kept :one", Side.BEFORE), ("PutItem DELIVERY", Side.AFTER)]
)
def test_request_is_ingested_if_its_log_entry_fails(
    proxied: ProxiedStack, office: Office, failing: str, side: Side
) -> None:
    marks = (office.tenant_id, token_hash(token_of(office.integration["webhook_url"])))
    with proxied.plan.watch(Run(marks, Signature(failing, 1), side)) as run:
        assert ring(office, "not-kept").status_code == 200
    assert run.fired, run.calls
    page = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="not-kept")
    assert len(page.json["items"]) == 1


# ------------------------------------------------------------------ replaying


def call_item(proxied: ProxiedStack, office: Office, call_id: str) -> dict[str, Any]:
    """Return the stored events of a call."""
    ours = [
        item
        for item in proxied.items()
        if item.get("call_id", {}).get("S") == call_id and item["pk"]["S"].startswith(f"T#{office.tenant_id}#CALL")
    ]
    (item,) = ours
    return {name: value for name, value in item.items() if name.startswith("e#") or name == "n"}


def replay(office: Office, entry: dict[str, Any]) -> dict[str, Any]:
    response = office.owner.post(at(office, f"/deliveries/{entry['id']}/replay"), {})
    assert response.status == 200, response
    assert response.json["webhook_request_id"] == entry["id"]
    done: dict[str, Any] = response.json
    return done


def test_replay_of_stored_events_changes_nothing(proxied: ProxiedStack, office: Office) -> None:
    assert ring(office, "twice").status_code == 200
    before = call_item(proxied, office, "twice")
    (entry,) = log_entries(office)
    for _ in range(2):
        done = replay(office, entry)
        assert (done["parsed"], done["reason"]) == (True, "Duplicate of earlier events. Nothing changed.")
        assert [one["result"] for one in done["events"]] == ["duplicate"]
    assert call_item(proxied, office, "twice") == before
    assert log_entries(office) == [entry]


def test_replay_ingests_a_rejected_request_as_of_its_arrival(proxied: ProxiedStack, office: Office) -> None:
    """A wrong secret at the PBX does not lose the calls of the day."""
    assert ring(office, "late", planfix_token="typed wrongly").status_code == 401
    (entry,) = log_entries(office)
    assert (entry["http_status"], entry["events"]) == (401, [])
    done = replay(office, entry)
    assert [(one["event"], one["result"]) for one in done["events"]] == [("ringing", "stored")]
    (call,) = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="late").json["items"]
    assert done["events"][0]["call_id"] == call["id"]
    assert datetime.fromisoformat(call["started_at"]) == datetime.fromisoformat(entry["received_at"])
    before = call_item(proxied, office, "late")
    assert [one["result"] for one in replay(office, entry)["events"]] == ["duplicate"]
    assert call_item(proxied, office, "late") == before
    assert [action for _, action, _ in proxied.audit_entries(office.integration["id"])][1:] == ["integration.replayed"]


def test_log_entries_are_isolated_by_integration(proxied: ProxiedStack, office: Office) -> None:
    assert ring(office, "mine").status_code == 200
    (entry,) = log_entries(office)
    other = proxied.office()
    second = office.owner.create("/v1/integrations", {"provider": "telephony_api", "name": "Second"})["id"]
    for caller, integration_id in (
        (other.owner, office.integration["id"]),
        (other.owner, other.integration["id"]),
        (office.owner, second),
    ):
        place = f"/v1/integrations/{integration_id}/deliveries/{entry['id']}"
        assert_problem(caller.get(place), 404)
        assert_problem(caller.post(f"{place}/replay", {}), 404)
    for path in ("", "/test", "/rotate", "/watch"):
        method = "POST" if path else "PATCH"
        body = {"minutes": 1} if path == "/watch" else {}
        assert_problem(other.owner.send(method, at(office, path), json=body), 404)
    assert_problem(other.owner.send("DELETE", at(office)), 404)
    assert_problem(office.employee.post(at(office, f"/deliveries/{entry['id']}/replay"), {}), 403)
    assert log_entries(other) == []


# ------------------------------------------------------------------ diagnostics


def run_checks(office: Office, caller: Caller | None = None) -> tuple[bool, dict[str, tuple[bool, str]]]:
    response = (caller or office.owner).post(at(office, "/test"), {})
    assert response.status == 200, response
    return response.json["ok"], {one["check"]: (one["ok"], one["detail"]) for one in response.json["checks"]}


def test_diagnostics_report_problems_until_resolved(office: Office) -> None:
    extension = {"integration_id": office.integration["id"], "extension": "101"}
    office.owner.create("/v1/employees", {"name": "Boris", "extensions": [extension]})
    ok, checks = run_checks(office)
    assert not ok
    assert checks["credentials"] == (True, "Enough to receive calls. Not entered: pbx_url.")
    assert checks["webhook_requests"][0] is False
    assert checks["extensions"][0] is True
    assert checks["pbx"] == (True, "Calls are received, but click-to-call is not available, because pbx_url is empty.")
    assert post(office, cmd="dance").status_code == 400
    ok, checks = run_checks(office)
    assert not ok
    assert "rejected with HTTP 400: Field cmd is not one of event" in checks["webhook_requests"][1]
    assert ring(office, "good").status_code == 200
    with serving(lambda request: ApiResponse(400 if request.form.get("token") == "right" else 401)) as pbx:
        office.owner.patch(at(office), {"credentials": {"pbx_url": pbx.url + "/api"}})
        ok, checks = run_checks(office)
        assert (ok, checks["pbx"][0]) == (False, False)
        assert "rejected pbx_token (HTTP 401)" in checks["pbx"][1]
        office.owner.patch(at(office), {"credentials": {"pbx_token": "right"}})
        ok, checks = run_checks(office)
        assert ok, checks
        assert checks["credentials"] == (True, "All credentials are entered.")
        assert checks["webhook_requests"][1].endswith("Parsed and stored.")
        new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
        ok, checks = run_checks(office)
        assert (ok, checks["previous_url"][0]) == (False, False)
        assert ring(office, "over the new one", new).status_code == 200
        ok, checks = run_checks(office)
        assert ok, checks
        assert checks["previous_url"][1].startswith("The PBX uses the new webhook_url.")


def test_diagnostics_report_missing_extensions(office: Office) -> None:
    ok, checks = run_checks(office)
    assert (ok, checks["extensions"][0]) == (False, False)
    assert "No employee has an extension" in checks["extensions"][1]
