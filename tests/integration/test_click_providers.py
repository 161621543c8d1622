"""Click-to-call with each PBX that supports it, against the fake of its API: from the click to the one tag.

The PBX rings the employee, then the contact, and sends the signed webhooks of a story. The same events can have another
result for a click than for a call dialled by hand: see `clicked` of a story.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from api_client import Caller, Response
from click_pbx import ClickedPbx, clickable
from hangtag.providers import load as load_provider
from hangtag.providers import provider_keys
from live_listener import listening
from local.simulator import Api, load_office_plan
from local.simulator.office import Office, build_office
from local.simulator.pbx import load
from local.simulator.rest import Fault
from local.simulator.rest import Response as PbxResponse
from local.simulator.story import Message, load_story
from local.stack import Stack

PORT = 4665

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

# One key of each provider: its presets send equal webhooks.
ABLE = [key for key in provider_keys() if load_provider(key).supports("originate")]
each_provider = pytest.mark.parametrize("provider", ABLE)

# The result of a click: the story, the employee, the number to call.
ANSWERED = ("outgoing_answered", "Boris Orlov", "+79101234567")
BUSY = ("outgoing_busy", "Anna Petrova", "+74957654321")
NO_ANSWER = ("outgoing_no_answer", "Vera Sokolova", "+74957654321")
NOT_PICKED_UP = ("click_employee_no_answer", "Anna Petrova", "+74957654321")
# Stories of PBXs with their own event for the pick-up.
OTHERS = {
    ("generic", "outgoing_busy"): "click_busy",
    ("generic", "outgoing_answered"): "outgoing_answered",
    # Mango Office returns the reference with each leg, first the employee's.
    ("mango", "outgoing_answered"): "click_answered",
    ("mango", "outgoing_busy"): "click_busy",
    ("mango", "outgoing_no_answer"): "click_no_answer",
    # Calls dialled by hand have other events than RingOut calls.
    ("ringcentral", "outgoing_answered"): "click_answered",
    ("ringcentral", "outgoing_busy"): "click_busy",
    ("ringcentral", "outgoing_no_answer"): "click_no_answer",
}
CASES = [
    *((provider, *ANSWERED) for provider in ABLE),
    *((provider, *BUSY) for provider in ABLE),
    *((provider, *NO_ANSWER) for provider in ABLE),
    ("generic", "click_answered", "Anna Petrova", "+79101234567"),
    ("generic", "click_no_answer", "Vera Sokolova", "+74957654321"),
    ("twilio", *NOT_PICKED_UP),
    ("telnyx", *NOT_PICKED_UP),
    ("vonage", *NOT_PICKED_UP),
    ("plivo", *NOT_PICKED_UP),
    ("mango", *NOT_PICKED_UP),
    ("ringcentral", *NOT_PICKED_UP),
]


@dataclass(frozen=True, slots=True)
class ClickOffice:
    """An office whose employees have extensions at every PBX."""

    stack: Stack
    office: Office
    pbxs: Mapping[str, ClickedPbx]

    @property
    def owner(self) -> Caller:
        return Caller(self.stack.api, self.office.owner_token)

    def employee(self, name: str) -> Caller:
        """Return a client with the employee's token."""
        token = self.owner.create("/v1/tokens", {"employee_id": self.office.employees[name]})["token"]
        return self.owner.with_token(token)

    def until(self, call_id: str, accept: Any) -> dict[str, Any]:
        """Return the call, once `accept` returns True for it."""
        clock = threading.Event()
        call: Any = None
        for _ in range(600):
            call = self.owner.get(f"/v1/calls/{call_id}").json
            if accept(call):
                return dict(call)
            # The API does not push changes.
            clock.wait(0.1)
        raise AssertionError(call)

    def settled(self, call_id: str) -> dict[str, Any]:
        """Return the call, once it has a tag or a skip reason."""
        return self.until(call_id, lambda call: call["tag_id"] or call["skip_reason"])


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Iterator[ClickOffice]:
    office = build_office(Api(stack.api, stack.operator_token), load_office_plan(), providers=ABLE)
    owner = Caller(stack.api, office.owner_token)
    rules = owner.get("/v1/settings/telephony").json
    often = {**rules, "calling": {**rules["calling"], "employee_per_minute": 60}}
    assert owner.put("/v1/settings/telephony", often).status == 200
    with ExitStack() as contexts:
        pbxs = {provider: contexts.enter_context(connected(owner, office, provider)) for provider in ABLE}
        yield ClickOffice(stack, office, pbxs)


@contextmanager
def connected(owner: Caller, office: Office, provider: str) -> Iterator[ClickedPbx]:
    """Run the PBX of one integration, and set the integration's API address to it."""
    line = office.lines[provider]
    with clickable(provider, load(provider).CREDENTIALS) as pbx:
        credentials = dict(pbx.credentials(pbx.server.url))
        change = {"credentials": credentials, "settings": dict(pbx.settings(pbx.server.url)), "overlap_hours": 0}
        changed = owner.patch(f"/v1/integrations/{line.integration_id}", change)
        assert changed.status == 200, changed
        pbx.line = replace(line, secrets={**line.secrets, **credentials})
        yield pbx


def start_call(desk: ClickOffice, provider: str, caller: Caller, number: str, key: str | None = None) -> Response:
    """Send `POST /v1/calls` for that PBX."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"to": number, "integration_id": desk.office.lines[provider].integration_id}
    return caller.post("/v1/calls", body, **headers)


def accepted_id(response: Response) -> str:
    assert response.status == 202, response
    return str(response.json["call_id"])


@pytest.mark.parametrize(("provider", "story", "who", "number"), CASES)
def test_a_click_is_one_call_with_at_most_one_tag(
    desk: ClickOffice, provider: str, story: str, who: str, number: str
) -> None:
    name = OTHERS.get((provider, story), story)
    played = load_story(name, provider)
    expected = (played if played.expect else load_story(name)).expect[0]
    caller = desk.employee(who)
    pbx = desk.pbxs[provider]
    pbx.story, before = name, len(pbx.calls)
    with listening(caller) as browser:
        call_id = accepted_id(start_call(desk, provider, caller, number))
        # With a fast PBX the first state of the window is ringing, not placing.
        browser.until(lambda message: message.get("call", {}).get("id") == call_id)
        call = desk.settled(call_id)
        pbx.done()
        browser.call("ended", id=call_id)
        # The end of an earlier call can arrive late; only this call has an open window.
        windows = [message["call"] for message in browser.all() if message["type"] == "call"]
        assert {one["id"] for one in windows if one["window_state"] not in ("ended", "taken", "gone")} == {call_id}
        assert len(pbx.calls) == before + 1
    assert (call["id"], call["pbx_call_id"], call["click_to_call"]) == (call_id, pbx.calls[-1], True)
    assert (call["skip_reason"], bool(call["tag_id"])) == (played.clicked, played.clicked is None)
    assert (call["failure_reason"] is None) == (played.clicked is None)
    if played.clicked is None:
        assert expected.tag is not None
        (tag,) = desk.owner.get("/v1/tags", call_id=call_id).json["items"]
        assert (tag["type"], tag["direction"]) == (expected.tag.type, "out")
        assert tag["contact_id"] is not None


# A rejection by each PBX. Its message is for the admin, and reaches the employee.
REFUSALS = {
    "telephony_api": PbxResponse(400, {"error": "user is not registered"}),
    "freepbx": PbxResponse(400, {"error": "user is not registered"}),
    "itoolabs": PbxResponse(400, {"error": "user is not registered"}),
    "zadarma": PbxResponse(400, {"status": "error", "message": "user is not registered"}),
    "twilio": PbxResponse(400, {"code": 21211, "message": "user is not registered", "status": 400}),
    "telnyx": PbxResponse(422, {"errors": [{"code": "10016", "title": "user is not registered", "detail": "-"}]}),
    "vonage": PbxResponse(400, {"title": "user is not registered", "type": "about:blank"}),
    "plivo": PbxResponse(400, {"error": "user is not registered", "api_id": "a"}),
    "sipgate": PbxResponse(403),
    "mango": PbxResponse(400, {"result": 3330, "message": "user is not registered"}),
    "binotel": PbxResponse(200, {"status": "error", "code": "104", "message": "user is not registered"}),
    "ringostat": PbxResponse(400, {"error": "user is not registered"}),
    "generic": PbxResponse(422, {"error": "user is not registered"}),
    "ringcentral": PbxResponse(400, {"errorCode": "CMN-101", "message": "user is not registered"}),
}


@each_provider
def test_a_rejected_click_is_reported_without_a_tag(desk: ClickOffice, provider: str) -> None:
    caller = desk.employee("Anna Petrova")
    pbx = desk.pbxs[provider]
    before = len(pbx.calls)
    with listening(caller) as browser:
        pbx.server.faults.append(Fault(REFUSALS[provider]))
        call_id = accepted_id(start_call(desk, provider, caller, "+79101234567"))
        window = browser.call("ended", id=call_id)
        assert (window["outcome"], window["tag"]) == ("failed", None)
        assert window["failure_reason"]
        assert len(pbx.calls) == before
    shown = desk.until(call_id, lambda call: call["state"] == "closed")
    assert (shown["failure_reason"], shown["tag_id"]) == (window["failure_reason"], None)


def test_a_returned_reference_is_enough_to_match_a_click(desk: ClickOffice) -> None:
    caller, pbx = desk.employee("Anna Petrova"), desk.pbxs["generic"]
    assert pbx.line is not None
    pbx.story, pbx.lost = None, True
    call_id = accepted_id(start_call(desk, "generic", caller, "+79101234567"))
    reference = call_id.split(".")[1]
    # The bridge reports another number than the dialled one, and its response was lost.
    event_fields = {"call_id": "by-reference", "direction": "out", "extension": "101", "external": "+79990001122"}
    for event in ({"type": "ringing"}, {"type": "ended", "outcome": "busy", "final": True}):
        sent = Message(body={**event_fields, **event, "reference": reference})
        signed = pbx.line.pbx.request(pbx.line.webhook_url, sent, pbx.line.secrets, datetime.now(UTC))
        response = requests.request(
            signed.method, signed.url, headers=dict(signed.headers), data=signed.body, timeout=60
        )
        assert response.status_code == 200, response.text
    assert desk.settled(call_id)["pbx_call_id"] == "by-reference"
    pbx.lost = False


@each_provider
def test_a_call_with_a_lost_response_is_placed_once(desk: ClickOffice, provider: str) -> None:
    caller = desk.employee("Boris Orlov")
    pbx = desk.pbxs[provider]
    pbx.story, pbx.lost, before = "outgoing_answered", True, len(pbx.calls)
    responses = [start_call(desk, provider, caller, "+79101234567", key=f"lost-{provider}") for _ in range(3)]
    (call_id,) = {accepted_id(response) for response in responses}
    call = desk.settled(call_id)
    pbx.done()
    pbx.lost = False
    assert (call["pbx_call_id"], len(pbx.calls)) == (pbx.calls[-1], before + 1)
    (tag,) = desk.owner.get("/v1/tags", call_id=call_id).json["items"]
    assert tag["type"] == "call"
