"""Helpers for the tests of RingCentral: parties, notifications, accounts."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from fake_clients import PlainClient
from hangtag.domain.calls.classify import PickUp, SkipReason, TagType, classify
from hangtag.domain.calls.event import CallEvent
from hangtag.domain.calls.fold import Call
from hangtag.limits import Limit
from hangtag.providers.base import Account, Click, WebhookRequest
from hangtag.providers.ringcentral import RingCentral
from local.simulator.pbx.base import JSON
from local.simulator.providers.ringcentral import pbx as simulator
from local.simulator.providers.ringcentral.api import Api
from local.simulator.rest import Server, serving
from provider_stories import NOON, closed, line

RINGCENTRAL = RingCentral()
OURS = line("ringcentral")
TOKEN = OURS.secrets["verification_token"]
HOOK = OURS.url
ANNA, BORIS = "62264425101", "62264425102"
CONTACT, OWN = "+79101234567", "+74951230001"
MAPPED = frozenset({"101", "102", "103", "104"})


def webhook(body: bytes | Mapping[str, Any], **headers: str) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/ringcentral/***",
        query="",
        headers={"content-type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        arrived_at=NOON,
        url=HOOK,
    )


def notice(*parties: Mapping[str, Any], after: float = 0, origin: str = "Call", **more: Any) -> dict[str, Any]:
    """Return a notification sent `after` seconds after noon."""
    at = (NOON + timedelta(seconds=after)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    session = {"telephonySessionId": "s-1", "sequence": 3, "eventTime": at, "origin": {"type": origin}, **more}
    return {
        "uuid": "8145589842362645277",
        "event": "/restapi/v1.0/account/809646016/telephony/sessions",
        "subscriptionId": "8b15306f-0386-4f40-a560-0264a28a7225",
        "body": {**session, "parties": list(parties)},
    }


def caller(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return the party of an outside caller."""
    return party("Outbound", code, reason, {"phoneNumber": OWN}, {"phoneNumber": CONTACT}, **more)


def ringing(code: str, reason: str = "", own: str = ANNA, **more: Any) -> dict[str, Any]:
    """Return the party of a called extension."""
    called = {"phoneNumber": OWN, "extensionId": own}
    return party("Inbound", code, reason, called, {"phoneNumber": CONTACT}, extensionId=own, **more)


def dialling(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return the party of an employee who calls."""
    own = {"phoneNumber": OWN, "extensionId": ANNA}
    return party("Outbound", code, reason, {"phoneNumber": CONTACT}, own, extensionId=ANNA, **more)


def contact(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return the party that an employee calls."""
    own = {"phoneNumber": OWN, "extensionId": ANNA}
    return party("Inbound", code, reason, {"phoneNumber": CONTACT}, own, **more)


def party(
    way: str, code: str, reason: str, called: Mapping[str, Any], calling: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    status = {"code": code, "rcc": False, **({"reason": reason} if reason else {}), **more.pop("status", {})}
    return {"id": "p-1", "direction": way, "to": dict(called), "from": dict(calling), "status": status, **more}


def events_of(body: Mapping[str, Any]) -> tuple[CallEvent, ...]:
    return RINGCENTRAL.parse(webhook(body), simulator.SETTINGS).events


def call_of(*steps: Mapping[str, Any]) -> Call:
    events = [event for step in steps for event in events_of(step)]
    return closed(events, max(event.at for event in events))


def verdict(call: Call, pick_up: PickUp | None = None) -> tuple[TagType | None, SkipReason | None]:
    decision = classify(call, mapped=MAPPED, external_is_employee=False, pick_up=pick_up)
    return decision.tag, decision.skip


def initiator(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return the party of the employee's phone, which RingOut reports as if the contact called."""
    return ringing(code, reason, ringOutRole="Initiator", **more)


def target(code: str, reason: str = "") -> dict[str, Any]:
    return party("Inbound", code, reason, {"phoneNumber": CONTACT}, {"phoneNumber": OWN}, ringOutRole="Target")


def ring_out(*steps: tuple[Mapping[str, Any], float]) -> Call:
    return call_of(*(notice(item, after=after, origin="RingOut") for item, after in steps))


@contextmanager
def api_account() -> Iterator[tuple[Api, Server, Account, PlainClient]]:
    api = Api(simulator.CREDENTIALS)
    with serving(api) as server:
        account = Account(
            provider="ringcentral",
            credentials={**api.credentials(server.url), "verification_token": TOKEN},
            settings=api.settings(server.url),
            webhook_url=HOOK,
        )
        yield api, server, account, PlainClient()


def sent_requests(server: Server) -> list[tuple[str, str]]:
    """Return the requests that the API received, except for tokens."""
    requests = [(request.method, request.path.removeprefix("/restapi/v1.0")) for request in server.requests]
    return [request for request in requests if request[1] != "/restapi/oauth/token"]


CLICK = Click(extension="102", number=CONTACT, reference="r-1", line=OWN)


class FakeLimiter:
    """A limiter that stores its pauses."""

    def __init__(self) -> None:
        self.held: dict[str, float] = {}

    def take(self, name: str, limit: Limit) -> float:
        return self.held.get(name, 0.0)

    def hold(self, name: str, seconds: float) -> None:
        self.held[name] = seconds


def call_log_events(api: Api, account: Account, client: PlainClient) -> list[CallEvent]:
    return list(RINGCENTRAL.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), client))


def record(**more: Any) -> dict[str, Any]:
    """Return a record like the vendor's example: the last leg begins later, and all legs end together."""
    own = {"extension": {"id": int(ANNA)}}
    legs = [
        {"startTime": "2026-03-01T12:00:00.000Z", "duration": 54, "direction": "Inbound", "result": "Accepted"},
        {"startTime": "2026-03-01T12:00:00.000Z", "duration": 54, "direction": "Inbound", "result": "Accepted", **own},
        {"startTime": "2026-03-01T12:00:04.000Z", "duration": 50, "direction": "Outbound", "result": "Accepted", **own},
    ]
    return {
        "telephonySessionId": "s-1",
        "startTime": "2026-03-01T12:00:00.000Z",
        "duration": 54,
        "direction": "Inbound",
        "result": "Accepted",
        "from": {"phoneNumber": CONTACT},
        "to": {"phoneNumber": OWN},
        "legs": legs,
        **more,
    }
