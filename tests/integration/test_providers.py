"""Providers on the embedded stack: what their deliveries are verified with, and what goes out to them."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from api_client import Caller, Office
from hangtag.auth import token_hash
from hangtag.errors import ConflictError, TooManyError
from hangtag.providers.base import Click, Limit
from hangtag.services.integrations.client import open_pbx
from hangtag.store.db.client import dynamodb
from hangtag.store.integrations import endpoints, integrations
from hangtag.store.integrations.access_tokens import TablePbxTokens
from hangtag.store.integrations.rate_limits import TableLimiter
from local.simulator.pbx import Request
from local.simulator.pbx import zadarma as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.telephony_api import Api as TelephonyApi
from local.simulator.rest.zadarma import Api
from local.simulator.story import Message
from local.stack import Stack

PORT = 4647

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

START = Message(
    post={
        "event": "NOTIFY_START",
        "call_start": "2026-03-01 15:00:00",
        "pbx_call_id": "in_1",
        "caller_id": "79101234567",
        "called_did": "74951230001",
    }
)


def sent(request: Request) -> requests.Response:
    return requests.request(request.method, request.url, headers=dict(request.headers), data=request.body, timeout=60)


def connected(owner: Caller, **more: Any) -> Any:
    """An integration with Zadarma."""
    wanted = {"provider": "zadarma", "name": "Z", "credentials": dict(simulated.CREDENTIALS), **more}
    return owner.made("/v1/integrations", wanted)


def signed(integration: Any, secret: str = simulated.CREDENTIALS["api_secret"]) -> Request:
    return simulated.request(integration["webhook_url"], START, {"api_secret": secret}, datetime.now(UTC))


# ------------------------------------------------------------------ coming in


@contextmanager
def zadarma(answers: bool = True) -> Iterator[tuple[Api, Server]]:
    """The vendor's API; without `answers` it fails."""
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        if not answers:
            server.faults += [Fault(Reply(500, "<html>"))] * 20
        yield api, server


def test_a_pbx_that_asks_whether_the_address_is_ours_is_answered(shared: Office) -> None:
    with zadarma() as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
    answer = requests.get(made["webhook_url"], params={"zd_echo": "<b>echo</b>"}, timeout=60)
    assert (answer.status_code, answer.text) == (200, "<b>echo</b>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    # Any other question is one that is not signed.
    assert requests.get(made["webhook_url"], timeout=60).status_code == 401
    address = made["webhook_url"]
    forged = address[:-1] + ("y" if address.endswith("x") else "x")
    assert requests.get(forged, params={"zd_echo": "1"}, timeout=60).status_code == 404


def test_what_is_signed_with_the_typed_secret_is_taken_and_nothing_else(shared: Office) -> None:
    with zadarma() as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
    assert sent(signed(made)).status_code == 200
    assert sent(signed(made, "another secret")).status_code == 401
    kept = shared.owner.get(f"/v1/integrations/{made['id']}/deliveries").json["items"]
    assert [(one["http_status"], one["log_reason"]) for one in kept] == [(401, "error"), (200, "setup")]
    assert "api_secret" in kept[0]["result"]
    assert "***" in kept[0]["path"]


def test_a_typed_secret_that_is_changed_is_good_for_the_overlap(
    shared: Office, stack: Stack, environment: pytest.MonkeyPatch
) -> None:
    with zadarma() as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
    token = made["webhook_url"].rsplit("/", 1)[1]

    def trusted() -> tuple[str, ...]:
        found = endpoints._read_hook(token_hash(token))
        assert found is not None
        return tuple(found.trust().credentials["api_secret"])

    place = f"/v1/integrations/{made['id']}"
    assert trusted() == ("zadarma_api_secret",)
    shared.owner.patch(place, {"credentials": {"api_secret": "second"}, "overlap_hours": 1})
    assert trusted() == ("second", "zadarma_api_secret")
    # Another credential, or none, changes nothing of it.
    shared.owner.patch(place, {"credentials": {"api_key": "other"}, "overlap_hours": 1, "name": "Renamed"})
    assert trusted() == ("second", "zadarma_api_secret")
    shared.owner.patch(place, {"credentials": {"api_secret": "third"}, "overlap_hours": 1})
    assert trusted() == ("third", "second")
    shared.owner.patch(place, {"credentials": {"api_secret": "fourth"}, "overlap_hours": 0})
    assert trusted() == ("fourth",)
    # The address that a rotation makes has the same secrets.
    rotated = shared.owner.post(f"{place}/rotate", {"overlap_hours": 0}).json
    token = rotated["webhook_url"].rsplit("/", 1)[1]
    assert trusted() == ("fourth",)
    raw = json.dumps([item for item in dynamodb().scan(TableName=stack.table)["Items"] if made["id"] in str(item)])
    assert "fourth" not in raw
    assert token not in raw


def test_what_is_no_setting_or_leads_elsewhere_is_refused_by_its_name(shared: Office) -> None:
    wrong = {
        "settings.time_zone": {"time_zone": "Mars/Olympus"},
        "settings.unknown": {"unknown": 1},
        "settings.api_url": {"api_url": "https://evil.example.com"},
    }
    for field, settings in wrong.items():
        wanted = {"provider": "zadarma", "name": "Z", "credentials": {"api_secret": "x"}, "settings": settings}
        answer = shared.owner.post("/v1/integrations", wanted)
        assert answer.status == 400
        assert [one["field"] for one in answer.json["errors"]] == [field]


# ------------------------------------------------------------------ going out


def test_a_pbx_is_set_up_when_it_is_connected(shared: Office) -> None:
    with zadarma() as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
        assert made["setup"]["ok"], made["setup"]
        assert api.set_up["url"] == made["webhook_url"]
        rotated = shared.owner.post(f"/v1/integrations/{made['id']}/rotate", {"overlap_hours": 1}).json
        assert api.set_up["url"] == rotated["webhook_url"]


def test_what_the_pbx_answers_to_set_up_reaches_the_admin(shared: Office) -> None:
    with zadarma(answers=False) as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
        assert made["setup"] == {
            "check": "setup", "ok": False, "detail": "Zadarma answers that it fails itself (500)",
        }  # fmt: skip
    with serving(TelephonyApi({})) as pbx:
        pbx.faults.append(Fault(Reply(500, "license\nexpired for key pbx-key")))
        typed = {"pbx_url": pbx.url + "/planfix_api.php", "pbx_token": "pbx-key"}
        wanted = {"provider": "telephony_api", "name": "P", "credentials": typed}
        made = shared.owner.made("/v1/integrations", wanted)
    # In the PBX's own words, without the key that it gave back.
    assert made["setup"]["detail"] == "the PBX answered 500: license expired for key ***"
    assert not made["setup"]["ok"]


def test_a_pbx_that_takes_setup_is_told_key_and_address(shared: Office) -> None:
    api = TelephonyApi({})
    with serving(api) as pbx:
        wanted = {"provider": "telephony_api", "name": "P", "credentials": dict(api.credentials(pbx.url))}
        made = shared.owner.made("/v1/integrations", wanted)
    assert made["setup"]["ok"]
    assert api.set_up["planfix_url"] == made["webhook_url"]
    assert api.set_up["planfix_token"] == made["secrets"]["planfix_token"]
    assert requests.post(
        api.set_up["planfix_url"], data={"cmd": "ping", "planfix_token": api.set_up["planfix_token"]}, timeout=60
    ).json() == {"pbxToken": pbx_token(api, pbx), "pbxUrl": pbx.url + "/planfix_api.php"}


def pbx_token(api: TelephonyApi, pbx: Server) -> str:
    return api.credentials(pbx.url)["pbx_token"]


def test_a_mapping_that_matches_none_of_the_pbxs_extensions_is_shown(office: Office) -> None:
    with zadarma() as (api, server):
        api.extensions = [101, 205]
        made = connected(office.owner, settings=dict(api.settings(server.url)))
        place = f"/v1/integrations/{made['id']}"
        held = [{"integration_id": made["id"], "extension": one} for one in ("101", "102")]
        both = [*office.anna["extensions"], *held]
        assert office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": both}).status == 200
        found = office.owner.post(f"{place}/test", {}).json["checks"]
        assert {"check": "extensions", "ok": False, "detail": "Extensions that do not exist at the PBX: 102."} in found
        known = office.owner.get(f"{place}/pbx-extensions").json["items"]
        assert [(one["extension"], (one["employee"] or {}).get("name")) for one in known] == [
            ("101", "Anna"),
            ("205", None),
        ]
    answer = office.owner.get(f"/v1/integrations/{office.integration['id']}/pbx-extensions")
    assert (answer.status, answer.media) == (409, "application/problem+json")


def test_a_pbx_is_asked_by_its_own_account(shared: Office, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    environment.setenv("PUBLIC_URL", "https://hooks.example.com")
    with zadarma() as (api, server):
        made = connected(shared.owner, settings=dict(api.settings(server.url)))
        pbx = open_pbx(shared.tenant_id, integrations.get_integration(shared.tenant_id, made["id"]))
        pbx.originate(Click(extension="101", number="+79101234567", reference="r"))
        assert server.asked[-1].parameters["to"] == "79101234567"
        # Statistics three times a minute, whoever asks: somebody did.
        now = datetime.now(UTC)
        while pbx.door.limiter.take("statistics", Limit(3, 60)) == 0:
            pass
        with pytest.raises(TooManyError):
            list(pbx.history(now - timedelta(hours=1), now))
    plain = integrations.get_integration(shared.tenant_id, shared.integration["id"])
    with pytest.raises(ConflictError, match="can't do that: history"):
        open_pbx(shared.tenant_id, plain).history(now, now)


@pytest.mark.parametrize(("count", "seconds"), [(1, 1.0), (3, 60.0), (10, 1.0), (7, 60.0)])
def test_a_limit_is_never_passed_in_any_stretch_of_its_length(
    stack: Stack, environment: pytest.MonkeyPatch, count: int, seconds: float
) -> None:
    """Promise: of all requests that were let through, no `count` + 1 lie within `seconds`; and it is used up."""
    clock = [1_000_000.0]
    limiter = TableLimiter("limits", f"{count}-{seconds}", lambda: clock[0])
    draw = random.Random(7)  # noqa: S311
    passed: list[float] = []
    for _ in range(150):
        wait = limiter.take("statistics", Limit(count, seconds))
        if wait == 0:
            passed.append(clock[0])
        else:
            assert wait <= seconds + 0.001
        clock[0] += draw.choice([0.0, wait, seconds / count / 3, seconds / 2])
    assert len(passed) > count
    for first, last in zip(passed, passed[count:], strict=False):
        assert last - first >= seconds - 0.001


def test_of_many_functions_at_once_no_more_get_a_place_than_there_are(
    stack: Stack, environment: pytest.MonkeyPatch
) -> None:
    """At one moment half of the limit may pass, whoever asks."""
    limiter = TableLimiter("limits", "at once", lambda: 3_000_000.0)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: limiter.take("", Limit(10, 60)), range(64)))
    assert waits.count(0.0) == 5
    assert all(0 < wait <= 60.001 for wait in waits if wait)


def test_a_hold_lets_nobody_through_until_it_ends(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    clock = [2_000_000.0]
    limiter, limit = TableLimiter("limits", "held", lambda: clock[0]), Limit(100, 60)
    assert limiter.take("", limit) == 0
    limiter.hold("", 30)
    limiter.hold("", 5)
    assert 29 < limiter.take("", limit) <= 30
    clock[0] += 31
    assert limiter.take("", limit) == 0


def test_a_token_of_a_pbx_is_kept_encrypted_and_for_its_own_integration(
    shared: Office, stack: Stack, environment: pytest.MonkeyPatch
) -> None:
    mine, other = TablePbxTokens(shared.tenant_id, "one"), TablePbxTokens(shared.tenant_id, "two")
    assert mine.read("access") is None
    mine.write("access", "very-secret-token", 4_000_000_000.5)
    assert mine.read("access") == ("very-secret-token", 4_000_000_000.5)
    assert other.read("access") is None
    assert "very-secret-token" not in json.dumps(dynamodb().scan(TableName=stack.table)["Items"])
    mine.delete("access")
    assert mine.read("access") is None
