"""Webhook subscriptions that expire: RingCentral validates the address, and the schedule renews the subscription."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from api_client import Office
from local.simulator.providers.ringcentral import pbx as simulator
from local.simulator.providers.ringcentral.api import Api
from local.simulator.rest import serving
from local.simulator.story import load_story, message
from local.stack import Stack

PORT = 4681
WITHIN_SECONDS = 60.0
# RingCentral waits this long for its token, and reads this many bytes.
_ECHO_SECONDS = 3.0
_ECHO_BYTES = 1024

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@dataclass(slots=True)
class AddressValidator:
    """RingCentral's check of a new address: an empty request whose header must be returned."""

    responses: list[requests.Response] = field(default_factory=list)

    def __call__(self, address: str) -> bool:
        token = secrets.token_urlsafe(24)
        response = requests.post(address, headers={"Validation-Token": token}, timeout=WITHIN_SECONDS)
        self.responses.append(response)
        echoed = response.headers.get("Validation-Token") == token
        return response.status_code == 200 and echoed and len(response.content) <= _ECHO_BYTES


@contextmanager
def connected(owner: Any) -> Iterator[tuple[Api, AddressValidator, Any]]:
    """Serve RingCentral's API and yield it with its address validator and an integration."""
    api, validator = Api(simulator.CREDENTIALS), AddressValidator()
    api.validate = validator
    with serving(api) as server:
        body = {"provider": "ringcentral", "name": "R", "credentials": dict(api.credentials(server.url))}
        integration = owner.create("/v1/integrations", {**body, "settings": dict(api.settings(server.url))})
        yield api, validator, integration


def run_schedule(stack: Stack, owner: Any, integration_id: str, detail: str) -> dict[str, Any]:
    """Run the scheduled job and return its check once that contains `detail`."""
    stack.invoke("JobsFunction", {"source": "hangtag.compare"})
    deadline, clock = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while True:
        check = owner.get(f"/v1/integrations/{integration_id}").json["subscription"]
        if check is not None and detail in check["detail"]:
            return dict(check)
        assert time.monotonic() < deadline, check
        # The API has no notification for this change.
        clock.wait(0.1)


def test_handshake_returns_the_token_in_time(shared: Office) -> None:
    with connected(shared.owner) as (api, validator, integration):
        assert integration["setup"]["ok"], integration["setup"]
        (response,) = validator.responses
        assert response.headers["content-type"].startswith("application/json")
        assert response.elapsed.total_seconds() < _ECHO_SECONDS
        (subscription,) = api.subscriptions
        assert subscription["deliveryMode"]["address"] == integration["webhook_url"]
        # A notification with the token is accepted; with another token it is rejected.
        story = load_story("answered_incoming", "ringcentral")
        now = datetime.now(UTC)
        sent = message(story.events[0], {"call": "rc-1"}, now, now)
        for token, status in ((subscription["token"], 200), ("another", 401)):
            signed = simulator.request(integration["webhook_url"], sent, {"verification_token": token}, now)
            posted = requests.post(signed.url, headers=dict(signed.headers), data=signed.body, timeout=60)
            assert posted.status_code == status, posted.text


def test_failed_handshake_is_reported_to_the_admin(shared: Office) -> None:
    with connected(shared.owner) as (api, _, integration):
        api.validate = lambda _: False
        rotated = shared.owner.post(
            f"/v1/integrations/{integration['id']}/rotate", {"overlap_hours": 1, "secrets": True}
        ).json
        assert not rotated["setup"]["ok"]
        assert "validation token" in rotated["setup"]["detail"]


def test_rotated_address_is_subscribed_at_once(shared: Office) -> None:
    with connected(shared.owner) as (api, _, integration):
        body = {"overlap_hours": 1, "secrets": False}
        rotated = shared.owner.post(f"/v1/integrations/{integration['id']}/rotate", body).json
        assert rotated["setup"]["ok"], rotated["setup"]
        assert rotated["secrets"] == {}
        before, after = api.subscriptions
        assert after["deliveryMode"]["address"] == rotated["webhook_url"] != integration["webhook_url"]
        assert after["token"] == before["token"]


def test_schedule_renews_or_replaces_the_subscription(shared: Office, stack: Stack) -> None:
    with connected(shared.owner) as (api, validator, integration):
        run_schedule(stack, shared.owner, integration["id"], "is active")
        (first,) = api.subscriptions
        first["expiresIn"] = 3600
        run_schedule(stack, shared.owner, integration["id"], "has been renewed")
        assert first["expiresIn"] == first["lifetime"]
        # RingCentral stops a subscription for good after its address failed.
        first["status"] = "Blacklisted"
        check = run_schedule(stack, shared.owner, integration["id"], "created again")
        assert check["ok"]
        (second,) = api.subscriptions
        assert (second["status"], second["id"] != first["id"]) == ("Active", True)
        assert second["token"] == first["token"]
        assert len(validator.responses) == 2
        api.subscriptions.clear()
        run_schedule(stack, shared.owner, integration["id"], "was missing")
        assert len(api.subscriptions) == 1
