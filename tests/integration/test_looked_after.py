"""A PBX that stops posting of its own accord: it is subscribed to, asks back, and is looked after by the schedule."""

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
from local.simulator.pbx import ringcentral as simulated
from local.simulator.rest import serving
from local.simulator.rest.ringcentral import Api
from local.simulator.story import load_story, message
from local.stack import Stack

PORT = 4681
WITHIN_SECONDS = 60.0
# The vendor waits no longer for its token, and reads no more.
_ECHO_SECONDS = 3.0
_ECHO_BYTES = 1024

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@dataclass(slots=True)
class Asking:
    """What the real one does before it posts to an address: an empty request whose header must come back."""

    answers: list[requests.Response] = field(default_factory=list)

    def __call__(self, address: str) -> bool:
        token = secrets.token_urlsafe(24)
        answer = requests.post(address, headers={"Validation-Token": token}, timeout=WITHIN_SECONDS)
        self.answers.append(answer)
        echoed = answer.headers.get("Validation-Token") == token
        return answer.status_code == 200 and echoed and len(answer.content) <= _ECHO_BYTES


@contextmanager
def connected(owner: Any) -> Iterator[tuple[Api, Asking, Any]]:
    """RingCentral's API, and an integration with it."""
    api, asking = Api(simulated.CREDENTIALS), Asking()
    api.asks_back = asking
    with serving(api) as server:
        wanted = {"provider": "ringcentral", "name": "R", "credentials": dict(api.credentials(server.url))}
        made = owner.made("/v1/integrations", {**wanted, "settings": dict(api.settings(server.url))})
        yield api, asking, made


def looked_after(stack: Stack, owner: Any, integration_id: str, detail: str) -> dict[str, Any]:
    """What the schedule's next run found, once it is what is expected."""
    stack.invoke("JobsFunction", {"source": "hangtag.compare"})
    deadline, clock = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while True:
        found = owner.get(f"/v1/integrations/{integration_id}").json["subscription"]
        if found is not None and detail in found["detail"]:
            return dict(found)
        assert time.monotonic() < deadline, found
        # Nothing tells a client of the API that something changed; it asks again.
        clock.wait(0.1)


def test_validation_token_is_echoed_in_time(shared: Office) -> None:
    with connected(shared.owner) as (api, asking, made):
        assert made["setup"]["ok"], made["setup"]
        (answer,) = asking.answers
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.elapsed.total_seconds() < _ECHO_SECONDS
        (subscription,) = api.subscriptions
        assert subscription["deliveryMode"]["address"] == made["webhook_url"]
        # What is posted with the token is taken, with another it is not, and an event is no handshake.
        story = load_story("answered_incoming", "ringcentral")
        now = datetime.now(UTC)
        sent = message(story.events[0], {"call": "rc-1"}, now, now)
        for token, status in ((subscription["token"], 200), ("another", 401)):
            signed = simulated.request(made["webhook_url"], sent, {"verification_token": token}, now)
            posted = requests.post(signed.url, headers=dict(signed.headers), data=signed.body, timeout=60)
            assert posted.status_code == status, posted.text


def test_webhook_url_without_echo_fails_the_setup(shared: Office) -> None:
    with connected(shared.owner) as (api, _, made):
        api.asks_back = lambda _: False
        rotated = shared.owner.post(f"/v1/integrations/{made['id']}/rotate", {"overlap_hours": 1, "secrets": True}).json
        assert not rotated["setup"]["ok"]
        assert "validation token" in rotated["setup"]["detail"]


def test_rotated_url_is_subscribed_at_once(shared: Office) -> None:
    with connected(shared.owner) as (api, _, made):
        wanted = {"overlap_hours": 1, "secrets": False}
        rotated = shared.owner.post(f"/v1/integrations/{made['id']}/rotate", wanted).json
        assert rotated["setup"]["ok"], rotated["setup"]
        assert rotated["secrets"] == {}
        before, after = api.subscriptions
        assert after["deliveryMode"]["address"] == rotated["webhook_url"] != made["webhook_url"]
        assert after["token"] == before["token"]


def test_schedule_renews_or_recreates_the_subscription(shared: Office, stack: Stack) -> None:
    with connected(shared.owner) as (api, asking, made):
        looked_after(stack, shared.owner, made["id"], "is active")
        (first,) = api.subscriptions
        first["expiresIn"] = 3600
        looked_after(stack, shared.owner, made["id"], "was renewed")
        assert first["expiresIn"] == first["asked"]
        # An address that failed is posted to no more, for good.
        first["status"] = "Blacklisted"
        found = looked_after(stack, shared.owner, made["id"], "made anew")
        assert found["ok"]
        (second,) = api.subscriptions
        assert (second["status"], second["id"] != first["id"]) == ("Active", True)
        assert second["token"] == first["token"]
        assert len(asking.answers) == 2
        api.subscriptions.clear()
        looked_after(stack, shared.owner, made["id"], "was gone")
        assert len(api.subscriptions) == 1
