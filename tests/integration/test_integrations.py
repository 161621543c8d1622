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

from api_client import Answer, Caller, Office, open_office
from fault_proxy import FaultPlan, Run, Side, Signature, fault_proxy
from hangtag.api.kernel.cursor import write_cursor
from hangtag.auth import token_hash
from hangtag.store.db.keys import key
from http_fake import Reply, serving
from local.stack import Stack, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4632
PROXY_PORT = 4642
WARM_UP = 12
TO_COUNT = 20


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack behind a proxy that sees its AWS calls, and can fail one."""

    stack: Stack
    plan: FaultPlan

    def office(self) -> Office:
        return open_office(self.stack.api, self.stack.operator_token)

    def items(self) -> list[dict[str, Any]]:
        """All that the table holds."""
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=self.stack.table)
        return [item for page in pages for item in page["Items"]]

    def hooks(self, integration_id: str) -> list[dict[str, Any]]:
        """The webhook tokens of an integration that are there."""
        return [i for i in self.items() if i["sk"]["S"] == "HOOK" and i["integration_id"]["S"] == integration_id]

    def audited(self, integration_id: str) -> list[tuple[str, str, list[str]]]:
        """Who did what to an integration, in order."""
        found = [i for i in self.items() if i.get("kind") == {"S": "audit"} and i["target"]["S"] == integration_id]
        found.sort(key=lambda item: item["sk"]["S"])
        return [(i["who"]["S"], i["action"]["S"], json.loads(i["changed"]["S"])) for i in found]

    def set_hook(self, url: str, **times: float) -> None:
        """Change times of a webhook token, before anybody read it."""
        self.stack.client("dynamodb").update_item(
            TableName=self.stack.table,
            Key={"pk": {"S": key("TOKEN", token_hash(token_of(url)))}, "sk": {"S": "HOOK"}},
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in times),
            ExpressionAttributeValues={f":{name}": {"N": str(int(at))} for name, at in times.items()},
        )


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    plan = FaultPlan()
    with (
        fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint,
        running(port=PORT, fault_endpoint=endpoint) as stack,
    ):
        yield Scene(stack, plan)


@pytest.fixture(scope="module")
def shared(scene: Scene) -> Office:
    """An office for all tests; its first PBX is the one on which Anna has an extension."""
    return scene.office()


@pytest.fixture
def office(shared: Office) -> Office:
    """The same office with a PBX of its own, on which nobody has an extension."""
    wanted = {"provider": "telephony_api", "name": "PBX", "credentials": {"pbx_token": "pbx-key-of-the-tenant"}}
    return replace(shared, integration=shared.owner.made("/v1/integrations", wanted))


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


def kept(office: Office, **params: Any) -> list[dict[str, Any]]:
    """What the admin sees of deliveries, the newest first."""
    items: list[dict[str, Any]] = office.owner.get(at(office, "/deliveries"), **params).json["items"]
    return items


def refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.media) == (status, "application/problem+json"), answer


# ------------------------------------------------------------------ changing and deleting


def test_credentials_are_merged_by_name(scene: Scene, office: Office) -> None:
    typed = {"pbx_url": "https://pbx.example/api"}
    answer = office.owner.patch(at(office), {"name": "Renamed", "credentials": typed})
    assert answer.status == 200, answer
    assert (answer.json["name"], answer.json["settings"]) == ("Renamed", {})
    assert "pbx" not in json.dumps(answer.json)
    assert post(office, cmd="ping").json() == {"pbxToken": "pbx-key-of-the-tenant", "pbxUrl": typed["pbx_url"]}
    assert office.owner.patch(at(office), {"credentials": {"pbx_token": None}}).status == 200
    assert post(office, cmd="ping").json() == {"pbxToken": "", "pbxUrl": typed["pbx_url"]}
    listed = office.owner.get("/v1/integrations", limit=200).json["items"]
    assert [one["name"] for one in listed if one["id"] == office.integration["id"]] == ["Renamed"]
    # Nothing changes: nothing to audit.
    assert office.owner.patch(at(office), {"name": "Renamed", "credentials": typed}).status == 200
    assert scene.audited(office.integration["id"])[1:] == [
        ("owner", "integration.changed", ["name", "credentials.pbx_url"]),
        ("owner", "integration.changed", ["credentials.pbx_token"]),
    ]
    strange = ({"credentials": {"unknown": "hunter2"}}, {"settings": {"unknown": "hunter2"}}, {"overlap_hours": 200})
    for wrong in (*strange, {"provider": "zadarma"}, {"name": None}, {"name": ""}):
        answer = office.owner.patch(at(office), wrong)
        refused(answer, 400)
        assert "hunter2" not in json.dumps(answer.json)


def test_integration_with_extensions_cannot_be_deleted(shared: Office) -> None:
    answer = shared.owner.send("DELETE", at(shared))
    refused(answer, 409)
    assert "Anna" in answer.json["detail"]
    assert ring(shared, "still").status_code == 200


def test_deleted_integration_leaves_no_endpoints(scene: Scene, shared: Office) -> None:
    office = shared
    second = office.owner.made("/v1/integrations", {"provider": "telephony_api", "name": "Second"})
    place = f"/v1/integrations/{second['id']}"
    rotated = office.owner.post(f"{place}/rotate", {"overlap_hours": 1}).json
    assert requests.post(rotated["webhook_url"], data={"cmd": "nothing"}, timeout=60).status_code == 401
    assert office.owner.send("DELETE", place).status == 204
    # The address before was not used yet, so that no process remembers it.
    assert requests.post(second["webhook_url"], data={"cmd": "ping"}, timeout=60).status_code == 404
    refused(office.owner.get(place), 404)
    refused(office.owner.send("DELETE", place), 404)
    assert [item for item in scene.items() if second["id"] in item["pk"]["S"] + item["sk"]["S"]] == []
    assert scene.hooks(second["id"]) == []
    assert scene.audited(second["id"]) == [
        ("owner", "integration.created", []),
        ("owner", "integration.rotated", ["webhook_url"]),
        ("owner", "integration.deleted", []),
    ]


# ------------------------------------------------------------------ rotating


def test_rotation_keeps_at_most_two_webhook_urls(scene: Scene, office: Office) -> None:
    first = office.integration["webhook_url"]
    second = office.owner.post(at(office, "/rotate"), {"overlap_hours": 2}).json
    assert second["secrets"] == {}
    assert second["webhook_url"] in " ".join(second["instructions"])
    ahead = datetime.fromisoformat(second["previous_url_until"]).timestamp() - time.time()
    assert 7100 < ahead <= 7200
    assert office.owner.get(at(office)).json["previous_url_until"][:19] == second["previous_url_until"][:19]
    third = office.owner.post(at(office, "/rotate"), {"overlap_hours": 168}).json
    assert len(scene.hooks(office.integration["id"])) == 2
    answers = [ring(office, "r", url).status_code for url in (first, second["webhook_url"], third["webhook_url"])]
    assert answers == [404, 200, 200]


def test_rotation_without_overlap_ends_the_old_url(scene: Scene, office: Office) -> None:
    new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 0}).json
    assert new["previous_url_until"] is None
    assert ring(office, "r").status_code == 404
    assert ring(office, "r", new["webhook_url"]).status_code == 200
    assert len(scene.hooks(office.integration["id"])) == 1


def test_old_secrets_are_valid_until_the_overlap_ends(scene: Scene, office: Office) -> None:
    old_url, old = office.integration["webhook_url"], office.integration["secrets"]["planfix_token"]
    made = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1, "secrets": True}).json
    new_url, new = made["webhook_url"], made["secrets"]["planfix_token"]
    for url in (old_url, new_url):
        assert [ring(office, "s", url, planfix_token=one).status_code for one in (old, new, "0" * 32)] == [
            200,
            200,
            401,
        ]
    again = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
    scene.set_hook(again, old_secrets_until=time.time() - 1)
    assert [ring(office, "s", again, planfix_token=one).status_code for one in (old, new)] == [401, 200]
    at_once = office.owner.post(at(office, "/rotate"), {"overlap_hours": 0, "secrets": True}).json
    newest = at_once["secrets"]["planfix_token"]
    codes = [ring(office, "s", at_once["webhook_url"], planfix_token=one).status_code for one in (new, newest)]
    assert codes == [401, 200]


def test_repeated_rotation_with_its_key_runs_once(scene: Scene, office: Office) -> None:
    body = {"overlap_hours": 1, "secrets": True}
    first = office.owner.post(at(office, "/rotate"), body, idempotency_key="k").json
    assert office.owner.post(at(office, "/rotate"), body, idempotency_key="k").json == first
    assert len(scene.hooks(office.integration["id"])) == 2
    other = office.owner.made("/v1/integrations", {"provider": "telephony_api", "name": "Second"})
    elsewhere = office.owner.post(f"/v1/integrations/{other['id']}/rotate", body, idempotency_key="k").json
    assert elsewhere["id"] == other["id"]


def test_invalid_rotation_or_watch_is_rejected(shared: Office) -> None:
    for rotation in ({"overlap_hours": 169}, {"overlap_hours": -1}, {"overlap_hours": "x"}, {"hours": 1}):
        refused(shared.owner.post(at(shared, "/rotate"), rotation), 400)
    for minutes in (0, 1441, None):
        refused(shared.owner.post(at(shared, "/watch"), {"minutes": minutes}), 400)


# ------------------------------------------------------------------ what is kept


def test_log_entry_contains_request_with_event_results(office: Office) -> None:
    assert ring(office, "c-1", event_id="e-1").status_code == 200
    assert ring(office, "c-1", event_id="e-1").status_code == 200
    assert post(office, cmd="contact", phone="79990000001").status_code == 200
    asked, double, first = kept(office)
    (call,) = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="c-1").json["items"]
    led = {"event": "ringing", "extension": "101", "call_id": call["id"]}
    assert first["events"] == [led | {"result": "stored"}]
    assert double["events"] == [led | {"result": "duplicate"}]
    assert asked["events"] == []
    assert [one["result"] for one in (first, double, asked)] == [
        "Parsed and stored.",
        "Duplicate of earlier events. Nothing changed.",
        "Parsed. The request contains no call event.",
    ]
    assert {one["log_reason"] for one in (first, double, asked)} == {"setup"}
    assert (first["http_status"], first["method"], first["truncated"]) == (200, "POST", False)
    assert first["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert "phone=79990000001" in first["body"]
    text = json.dumps(kept(office))
    assert office.integration["secrets"]["planfix_token"] not in text
    assert token_of(office.integration["webhook_url"]) not in text
    assert office.owner.get(at(office, f"/deliveries/{first['id']}")).json == first
    last = office.owner.get(at(office)).json["last_webhook_at"]
    assert datetime.fromisoformat(last) == datetime.fromisoformat(asked["received_at"])
    for path in ("/deliveries", f"/deliveries/{first['id']}"):
        refused(office.employee.get(at(office, path)), 403)


def test_request_log_rejects_a_forged_cursor(office: Office) -> None:
    for number in range(3):
        ring(office, f"c-{number}")
    first = office.owner.get(at(office, "/deliveries"), limit=2).json
    second = office.owner.get(at(office, "/deliveries"), limit=2, cursor=first["next_cursor"]).json
    assert first["items"] + second["items"] == kept(office)
    for forged in (
        write_cursor("deliveries", "x"),
        write_cursor("deliveries", None),
        write_cursor("integrations", "0" * 32),
    ):
        refused(office.owner.get(at(office, "/deliveries"), cursor=forged), 400)


def test_first_twenty_requests_of_a_new_url_are_logged(office: Office) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ring(office, f"set-up-{number}"), range(TO_COUNT + 8)))
    assert len(kept(office, limit=100)) == TO_COUNT
    assert post(office, cmd="dance").status_code == 400
    newest, *others = kept(office, limit=100)
    assert (newest["log_reason"], newest["http_status"]) == ("error", 400)
    assert len(others) == TO_COUNT


def test_all_requests_are_logged_while_an_admin_watches(scene: Scene, office: Office) -> None:
    scene.set_hook(office.integration["webhook_url"], set_up_until=0)
    new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
    scene.set_hook(new, set_up_until=0)
    assert ring(office, "before").status_code == 200
    assert kept(office) == []
    watched = office.owner.post(at(office, "/watch"), {"minutes": 5})
    assert watched.status == 200, watched
    ahead = datetime.fromisoformat(watched.json["watched_until"]).timestamp() - time.time()
    assert 290 < ahead <= 300
    # Over an address that no process remembers as not watched.
    assert ring(office, "during", new).status_code == 200
    assert [one["log_reason"] for one in kept(office)] == ["watch"]


def test_webhook_request_costs_one_write_without_reads(scene: Scene, office: Office) -> None:
    scene.set_hook(office.integration["webhook_url"], set_up_until=0)
    with ThreadPoolExecutor(WARM_UP) as pool:
        list(pool.map(lambda _: ring(office, "warm"), range(WARM_UP * 2)))
    marks = (office.tenant_id, token_hash(token_of(office.integration["webhook_url"])))
    with scene.plan.watch(Run(marks)) as run:
        assert ring(office, "warm").status_code == 200
    # Whether somebody listens is asked by the live channel, of calls before this one too.
    seen = [one.what.split(" set")[0] for one in run.calls if one.what != "GetItem LIVE"]
    assert seen == ["UpdateItem CALL"]


@pytest.mark.parametrize(
    ("failing", "side"), [("UpdateItem TOKEN add set_up_kept :one", Side.BEFORE), ("PutItem DELIVERY", Side.AFTER)]
)
def test_request_is_ingested_if_its_log_entry_fails(scene: Scene, office: Office, failing: str, side: Side) -> None:
    marks = (office.tenant_id, token_hash(token_of(office.integration["webhook_url"])))
    with scene.plan.watch(Run(marks, Signature(failing, 1), side)) as run:
        assert ring(office, "not-kept").status_code == 200
    assert run.fired, run.calls
    found = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="not-kept")
    assert len(found.json["items"]) == 1


# ------------------------------------------------------------------ replaying


def call_item(scene: Scene, office: Office, call_id: str) -> dict[str, Any]:
    """The events of a call, as they are kept."""
    ours = [
        item
        for item in scene.items()
        if item.get("call_id", {}).get("S") == call_id and item["pk"]["S"].startswith(f"T#{office.tenant_id}#CALL")
    ]
    (item,) = ours
    return {name: value for name, value in item.items() if name.startswith("e#") or name == "n"}


def replayed(office: Office, delivery: dict[str, Any]) -> dict[str, Any]:
    answer = office.owner.post(at(office, f"/deliveries/{delivery['id']}/replay"), {})
    assert answer.status == 200, answer
    assert answer.json["webhook_request_id"] == delivery["id"]
    done: dict[str, Any] = answer.json
    return done


def test_replay_of_stored_events_changes_nothing(scene: Scene, office: Office) -> None:
    assert ring(office, "twice").status_code == 200
    before = call_item(scene, office, "twice")
    (delivery,) = kept(office)
    for _ in range(2):
        done = replayed(office, delivery)
        assert (done["parsed"], done["reason"]) == (True, "a double of what came before; nothing changed")
        assert [one["result"] for one in done["events"]] == ["duplicate"]
    assert call_item(scene, office, "twice") == before
    assert kept(office) == [delivery]


def test_replay_ingests_a_rejected_request_as_of_its_arrival(scene: Scene, office: Office) -> None:
    """A secret typed wrongly at the PBX: nothing of the day's calls is lost."""
    assert ring(office, "late", planfix_token="typed wrongly").status_code == 401
    (delivery,) = kept(office)
    assert (delivery["http_status"], delivery["events"]) == (401, [])
    done = replayed(office, delivery)
    assert [(one["event"], one["result"]) for one in done["events"]] == [("ringing", "stored")]
    (call,) = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id="late").json["items"]
    assert done["events"][0]["call_id"] == call["id"]
    assert datetime.fromisoformat(call["started_at"]) == datetime.fromisoformat(delivery["received_at"])
    before = call_item(scene, office, "late")
    assert [one["result"] for one in replayed(office, delivery)["events"]] == ["duplicate"]
    assert call_item(scene, office, "late") == before
    assert [action for _, action, _ in scene.audited(office.integration["id"])][1:] == ["integration.replayed"]


def test_log_entries_are_isolated_by_integration(scene: Scene, office: Office) -> None:
    assert ring(office, "mine").status_code == 200
    (delivery,) = kept(office)
    other = scene.office()
    second = office.owner.made("/v1/integrations", {"provider": "telephony_api", "name": "Second"})["id"]
    for caller, integration_id in (
        (other.owner, office.integration["id"]),
        (other.owner, other.integration["id"]),
        (office.owner, second),
    ):
        place = f"/v1/integrations/{integration_id}/deliveries/{delivery['id']}"
        refused(caller.get(place), 404)
        refused(caller.post(f"{place}/replay", {}), 404)
    for path in ("", "/test", "/rotate", "/watch"):
        method = "POST" if path else "PATCH"
        body = {"minutes": 1} if path == "/watch" else {}
        refused(other.owner.send(method, at(office, path), json=body), 404)
    refused(other.owner.send("DELETE", at(office)), 404)
    refused(office.employee.post(at(office, f"/deliveries/{delivery['id']}/replay"), {}), 403)
    assert kept(other) == []


# ------------------------------------------------------------------ testing


def findings(office: Office, caller: Caller | None = None) -> tuple[bool, dict[str, tuple[bool, str]]]:
    answer = (caller or office.owner).post(at(office, "/test"), {})
    assert answer.status == 200, answer
    return answer.json["ok"], {one["check"]: (one["ok"], one["detail"]) for one in answer.json["checks"]}


def test_diagnostics_report_problems_until_resolved(office: Office) -> None:
    extension = {"integration_id": office.integration["id"], "extension": "101"}
    office.owner.made("/v1/employees", {"name": "Boris", "extensions": [extension]})
    ok, found = findings(office)
    assert not ok
    assert found["credentials"] == (True, "Enough to receive calls. Not entered: pbx_url.")
    assert found["webhook_requests"][0] is False
    assert found["extensions"][0] is True
    assert found["pbx"] == (True, "Calls are received, but click-to-call is not available, because pbx_url is empty.")
    assert post(office, cmd="dance").status_code == 400
    ok, found = findings(office)
    assert not ok
    assert "rejected with HTTP 400: Field cmd is not one of event" in found["webhook_requests"][1]
    assert ring(office, "good").status_code == 200
    with serving(lambda asked: Reply(400 if asked.form.get("token") == "right" else 401)) as pbx:
        office.owner.patch(at(office), {"credentials": {"pbx_url": pbx.url + "/api"}})
        ok, found = findings(office)
        assert (ok, found["pbx"][0]) == (False, False)
        assert "rejected pbx_token (HTTP 401)" in found["pbx"][1]
        office.owner.patch(at(office), {"credentials": {"pbx_token": "right"}})
        ok, found = findings(office)
        assert ok, found
        assert found["credentials"] == (True, "All credentials are entered.")
        assert found["webhook_requests"][1].endswith("understood and stored")
        new = office.owner.post(at(office, "/rotate"), {"overlap_hours": 1}).json["webhook_url"]
        ok, found = findings(office)
        assert (ok, found["previous_url"][0]) == (False, False)
        assert ring(office, "over the new one", new).status_code == 200
        ok, found = findings(office)
        assert ok, found
        assert found["previous_url"][1].startswith("The PBX uses the new webhook_url.")


def test_diagnostics_report_missing_extensions(office: Office) -> None:
    ok, found = findings(office)
    assert (ok, found["extensions"][0]) == (False, False)
    assert "No employee has an extension" in found["extensions"][1]
