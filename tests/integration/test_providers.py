"""Providers on the embedded stack: verification of webhook requests, set-up, rate limits and access tokens."""

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
from hangtag.limits import Limit
from hangtag.providers.base import Click
from hangtag.services.integrations.client import open_pbx
from hangtag.store.db.client import dynamodb
from hangtag.store.integrations import endpoints, integrations
from hangtag.store.integrations.access_tokens import TablePbxTokens
from hangtag.store.integrations.rate_limits import TableLimiter
from local.simulator.pbx import Request
from local.simulator.providers.telephony_api.api import Api as TelephonyApi
from local.simulator.providers.zadarma import pbx as simulator
from local.simulator.providers.zadarma.api import Api
from local.simulator.rest import Fault, Response, Server, serving
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


def send(request: Request) -> requests.Response:
    return requests.request(request.method, request.url, headers=dict(request.headers), data=request.body, timeout=60)


def connected(owner: Caller, **more: Any) -> Any:
    """Create an integration with Zadarma."""
    body = {"provider": "zadarma", "name": "Z", "credentials": dict(simulator.CREDENTIALS), **more}
    return owner.create("/v1/integrations", body)


def signed(integration: Any, secret: str = simulator.CREDENTIALS["api_secret"]) -> Request:
    return simulator.request(integration["webhook_url"], START, {"api_secret": secret}, datetime.now(UTC))


# ------------------------------------------------------------------ webhook requests


@contextmanager
def zadarma(works: bool = True) -> Iterator[tuple[Api, Server]]:
    """Serve the vendor's API; without `works` every request fails."""
    api = Api(simulator.CREDENTIALS)
    with serving(api) as server:
        if not works:
            server.faults += [Fault(Response(500, "<html>"))] * 20
        yield api, server


def test_handshake_of_a_pbx_gets_its_echo_as_plain_text(shared: Office) -> None:
    with zadarma() as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
    response = requests.get(integration["webhook_url"], params={"zd_echo": "<b>echo</b>"}, timeout=60)
    assert (response.status_code, response.text) == (200, "<b>echo</b>")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.headers["x-content-type-options"] == "nosniff"
    # Any other GET request counts as unsigned.
    assert requests.get(integration["webhook_url"], timeout=60).status_code == 401
    address = integration["webhook_url"]
    forged = address[:-1] + ("y" if address.endswith("x") else "x")
    assert requests.get(forged, params={"zd_echo": "1"}, timeout=60).status_code == 404


def test_only_requests_signed_with_the_secret_are_accepted(shared: Office) -> None:
    with zadarma() as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
    assert send(signed(integration)).status_code == 200
    assert send(signed(integration, "another secret")).status_code == 401
    entries = shared.owner.get(f"/v1/integrations/{integration['id']}/deliveries").json["items"]
    assert [(one["http_status"], one["log_reason"]) for one in entries] == [(401, "error"), (200, "setup")]
    assert "api_secret" in entries[0]["result"]
    assert "***" in entries[0]["path"]


def test_previous_secret_is_valid_during_the_overlap(
    shared: Office, stack: Stack, environment: pytest.MonkeyPatch
) -> None:
    with zadarma() as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
    token = integration["webhook_url"].rsplit("/", 1)[1]

    def valid_secrets() -> tuple[str, ...]:
        endpoint = endpoints._read_endpoint(token_hash(token))
        assert endpoint is not None
        return tuple(endpoint.verification_keys().credentials["api_secret"])

    place = f"/v1/integrations/{integration['id']}"
    assert valid_secrets() == ("zadarma_api_secret",)
    shared.owner.patch(place, {"credentials": {"api_secret": "second"}, "overlap_hours": 1})
    assert valid_secrets() == ("second", "zadarma_api_secret")
    # A change of other credentials has no effect.
    shared.owner.patch(place, {"credentials": {"api_key": "other"}, "overlap_hours": 1, "name": "Renamed"})
    assert valid_secrets() == ("second", "zadarma_api_secret")
    shared.owner.patch(place, {"credentials": {"api_secret": "third"}, "overlap_hours": 1})
    assert valid_secrets() == ("third", "second")
    shared.owner.patch(place, {"credentials": {"api_secret": "fourth"}, "overlap_hours": 0})
    assert valid_secrets() == ("fourth",)
    # The rotated address has the same secrets.
    rotated = shared.owner.post(f"{place}/rotate", {"overlap_hours": 0}).json
    token = rotated["webhook_url"].rsplit("/", 1)[1]
    assert valid_secrets() == ("fourth",)
    raw = json.dumps(
        [item for item in dynamodb().scan(TableName=stack.table)["Items"] if integration["id"] in str(item)]
    )
    assert "fourth" not in raw
    assert token not in raw


def test_error_response_names_the_invalid_setting(shared: Office) -> None:
    wrong = {
        "settings.time_zone": {"time_zone": "Mars/Olympus"},
        "settings.unknown": {"unknown": 1},
        "settings.api_url": {"api_url": "https://evil.example.com"},
    }
    for field, settings in wrong.items():
        body = {"provider": "zadarma", "name": "Z", "credentials": {"api_secret": "x"}, "settings": settings}
        response = shared.owner.post("/v1/integrations", body)
        assert response.status == 400
        assert [one["field"] for one in response.json["errors"]] == [field]


# ------------------------------------------------------------------ requests to the PBX


def test_new_or_rotated_webhook_url_is_set_at_the_pbx(shared: Office) -> None:
    with zadarma() as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
        assert integration["setup"]["ok"], integration["setup"]
        assert api.set_up["url"] == integration["webhook_url"]
        rotated = shared.owner.post(f"/v1/integrations/{integration['id']}/rotate", {"overlap_hours": 1}).json
        assert api.set_up["url"] == rotated["webhook_url"]


def test_failed_setup_shows_the_message_of_the_pbx(shared: Office) -> None:
    with zadarma(works=False) as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
        assert integration["setup"] == {
            "check": "setup", "ok": False, "detail": "Zadarma returned a server error (HTTP 500).",
        }  # fmt: skip
    with serving(TelephonyApi({})) as pbx:
        pbx.faults.append(Fault(Response(500, "license\nexpired for key pbx-key")))
        credentials = {"pbx_url": pbx.url + "/planfix_api.php", "pbx_token": "pbx-key"}
        body = {"provider": "telephony_api", "name": "P", "credentials": credentials}
        integration = shared.owner.create("/v1/integrations", body)
    # The message of the PBX, without the key that it repeats.
    assert integration["setup"]["detail"] == "The PBX returned HTTP 500: license expired for key ***"
    assert not integration["setup"]["ok"]


def test_setup_sends_key_and_address_to_the_pbx(shared: Office) -> None:
    api = TelephonyApi({})
    with serving(api) as pbx:
        body = {"provider": "telephony_api", "name": "P", "credentials": dict(api.credentials(pbx.url))}
        integration = shared.owner.create("/v1/integrations", body)
    assert integration["setup"]["ok"]
    assert api.set_up["planfix_url"] == integration["webhook_url"]
    assert api.set_up["planfix_token"] == integration["secrets"]["planfix_token"]
    assert requests.post(
        api.set_up["planfix_url"], data={"cmd": "ping", "planfix_token": api.set_up["planfix_token"]}, timeout=60
    ).json() == {"pbxToken": pbx_token(api, pbx), "pbxUrl": pbx.url + "/planfix_api.php"}


def pbx_token(api: TelephonyApi, pbx: Server) -> str:
    return api.credentials(pbx.url)["pbx_token"]


def test_diagnostics_list_unknown_extensions(office: Office) -> None:
    with zadarma() as (api, server):
        api.extensions = [101, 205]
        integration = connected(office.owner, settings=dict(api.settings(server.url)))
        place = f"/v1/integrations/{integration['id']}"
        mapped = [{"integration_id": integration["id"], "extension": number} for number in ("101", "102")]
        both = [*office.anna["extensions"], *mapped]
        assert office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": both}).status == 200
        checks = office.owner.post(f"{place}/test", {}).json["checks"]
        assert {"check": "extensions", "ok": False, "detail": "Extensions that do not exist at the PBX: 102."} in checks
        extensions = office.owner.get(f"{place}/pbx-extensions").json["items"]
        anna = {"id": office.anna["id"], "name": "Anna"}
        assert [(one["extension"], one["employee"]) for one in extensions] == [("101", anna), ("205", None)]
    response = office.owner.get(f"/v1/integrations/{office.integration['id']}/pbx-extensions")
    assert (response.status, response.media) == (409, "application/problem+json")


def test_requests_use_the_integration_account(shared: Office, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    environment.setenv("PUBLIC_URL", "https://hooks.example.com")
    with zadarma() as (api, server):
        integration = connected(shared.owner, settings=dict(api.settings(server.url)))
        pbx = open_pbx(shared.tenant_id, integrations.get_integration(shared.tenant_id, integration["id"]))
        pbx.originate(Click(extension="101", number="+79101234567", reference="r"))
        assert server.requests[-1].parameters["to"] == "79101234567"
        # Use up the limit of three statistics requests per minute.
        now = datetime.now(UTC)
        while pbx.client.limiter.take("statistics", Limit(3, 60)) == 0:
            pass
        with pytest.raises(TooManyError):
            list(pbx.history(now - timedelta(hours=1), now))
    plain = integrations.get_integration(shared.tenant_id, shared.integration["id"])
    with pytest.raises(ConflictError, match="does not support history"):
        open_pbx(shared.tenant_id, plain).history(now, now)


@pytest.mark.parametrize(("count", "seconds"), [(1, 1.0), (3, 60.0), (10, 1.0), (7, 60.0)])
def test_rate_limit_holds_in_every_time_window(
    stack: Stack, environment: pytest.MonkeyPatch, count: int, seconds: float
) -> None:
    """No `count` + 1 permitted requests lie within `seconds`, and the limit is used up."""
    clock = [1_000_000.0]
    limiter = TableLimiter("limits", f"{count}-{seconds}", lambda: clock[0])
    draw = random.Random(7)  # noqa: S311
    permitted: list[float] = []
    for _ in range(150):
        wait = limiter.take("statistics", Limit(count, seconds))
        if wait == 0:
            permitted.append(clock[0])
        else:
            assert wait <= seconds + 0.001
        clock[0] += draw.choice([0.0, wait, seconds / count / 3, seconds / 2])
    assert len(permitted) > count
    for first, last in zip(permitted, permitted[count:], strict=False):
        assert last - first >= seconds - 0.001


def test_concurrent_requests_stay_within_the_limit(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    """At one moment, half of the limit is available to all requests together."""
    limiter = TableLimiter("limits", "at once", lambda: 3_000_000.0)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: limiter.take("", Limit(10, 60)), range(64)))
    assert waits.count(0.0) == 5
    assert all(0 < wait <= 60.001 for wait in waits if wait)


def test_hold_blocks_all_requests_until_it_ends(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    clock = [2_000_000.0]
    limiter, limit = TableLimiter("limits", "hold", lambda: clock[0]), Limit(100, 60)
    assert limiter.take("", limit) == 0
    limiter.hold("", 30)
    limiter.hold("", 5)
    assert 29 < limiter.take("", limit) <= 30
    clock[0] += 31
    assert limiter.take("", limit) == 0


def test_access_tokens_are_encrypted_per_integration(
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
