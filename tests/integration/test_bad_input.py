"""Invalid webhook requests: a clear response, never a 500, and a log entry for the admin of a known tenant."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import requests

from local import stack as local_stack
from local.simulator import Api, Office, build_office, load_office_plan
from local.stack import Stack

PORT = 4615
FORM = "application/x-www-form-urlencoded"

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack and an office in it."""

    stack: Stack
    office: Office

    @property
    def event(self) -> dict[str, str]:
        """A good event."""
        return {
            "cmd": "event", "type": "in", "event": "INCOMING", "ext": "101", "phone": "79101234567",
            "callid": "bad-input", "planfix_token": self.office.planfix_token,
        }  # fmt: skip

    def post(self, body: bytes, content_type: str = FORM, url: str | None = None) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                url or self.office.webhook_url, data=body, headers={"content-type": content_type}, timeout=30
            )

    def reasons(self) -> list[tuple[int, str]]:
        """What the admin sees of deliveries: status and reason, newest first."""
        api = Api(self.stack.api, self.office.owner_token)
        kept = api.get(f"/v1/integrations/{self.office.integration_id}/deliveries", limit="100")["items"]
        return [(item["http_status"], item["result"]) for item in kept]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with local_stack.running(port=PORT) as stack:
        yield Scene(stack, build_office(Api(stack.api, stack.operator_token), load_office_plan()))


@pytest.fixture
def fresh(scene: Scene) -> Scene:
    """Another office of the same stack, whose allowance of kept deliveries nobody used up."""
    api = Api(scene.stack.api, scene.stack.operator_token)
    return Scene(scene.stack, build_office(api, load_office_plan()))


def form(scene: Scene, **change: str) -> bytes:
    return urlencode(scene.event | change).encode()


CASES: dict[str, tuple[Callable[[Scene], bytes], str, int, str]] = {
    "wrong token in the body": (lambda s: form(s, planfix_token="0" * 32), FORM, 401, "planfix_token"),
    "no callid": (lambda s: form(s, callid=""), FORM, 400, "callid is missing"),
    "unknown cmd": (lambda s: form(s, cmd="dance"), FORM, 400, "cmd is none of"),
    "unknown event": (lambda s: form(s, event="EXPLODED"), FORM, 400, "event is none of"),
    "unknown type": (lambda s: form(s, type="sideways"), FORM, 400, "type is neither"),
    "broken form encoding": (lambda s: form(s) + b"&x=%zz", FORM, 400, "form encoding is broken"),
    "no UTF-8": (lambda s: form(s) + b"&x=%ff", FORM, 400, "no form in UTF-8"),
    "a NUL": (lambda s: form(s, ext="10\x001"), FORM, 400, "holds a NUL"),
    "a JSON array": (lambda _: b'["event"]', "application/json", 400, "not JSON"),
    "a number of 5 000 digits": (lambda s: form(s, phone="7" * 5000), FORM, 400, "phone is longer"),
    "a duration of 5 000 digits": (
        lambda s: form(s, event="COMPLETED", duration="7" * 5000), FORM, 400, "duration is longer",
    ),
    "a parameter twice": (lambda s: form(s) + b"&cmd=ping", FORM, 400, "given twice"),
    "10 000 fields": (lambda _: b"&".join(b"a%d=1" % n for n in range(6000)), FORM, 400, "no form"),
    "over 64 KB": (lambda s: form(s, x="y" * 65536), FORM, 413, "over 64 KB"),
    "an empty body": (lambda _: b"", FORM, 401, "planfix_token"),
}  # fmt: skip


def test_each_kind_of_bad_input_is_rejected_with_a_log_entry(scene: Scene) -> None:
    answers = {}
    for name, (body, content_type, status, reason) in CASES.items():
        answer = scene.post(body(scene), content_type)
        answers[name] = (answer.status_code, status)
        if status in (400, 401):
            assert answer.json() in ({"error": "Invalid parameters"}, {"error": "Invalid token"}), name
        kept = scene.reasons()
        # The rate limit lets the first ten through, and one a second after that.
        if len(answers) <= 8:
            assert any(seen == status and reason in why for seen, why in kept), (name, kept)
    assert [name for name, (got, wanted) in answers.items() if got != wanted] == [], answers


def test_log_entries_are_small_without_secrets(scene: Scene) -> None:
    scene.post(form(scene, callid="", x="y" * 30000))
    api = Api(scene.stack.api, scene.office.owner_token)
    kept = api.get(f"/v1/integrations/{scene.office.integration_id}/deliveries")["items"]
    assert kept
    token = scene.office.webhook_url.rsplit("/", 1)[1]
    for item in kept:
        text = json.dumps(item)
        assert scene.office.planfix_token not in text
        assert token not in text
        assert len(item["body"].encode()) <= 16384


def test_unknown_tokens_get_one_constant_response(scene: Scene) -> None:
    token = scene.office.webhook_url.rsplit("/", 1)[1]
    flipped = ("B" if token[0] == "A" else "A") + token[1:]
    strange = [flipped, token[:-1], token + "A", "x", "a" * 5000, "%00", "%D0%BA%D0%BB%D1%8E%D1%87"]
    client = scene.stack.client("dynamodb")
    before = client.scan(TableName=scene.stack.table, Select="COUNT")["Count"]
    answers = {
        (answer.status_code, answer.text, answer.headers["content-type"])
        for answer in (scene.post(form(scene), url=scene.office.webhook_url.replace(token, other)) for other in strange)
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert client.scan(TableName=scene.stack.table, Select="COUNT")["Count"] == before


def test_token_of_another_provider_is_not_found(scene: Scene) -> None:
    token = scene.office.webhook_url.rsplit("/", 1)[1]
    for provider in ("zadarma", "nobody", "telephony_api%00"):
        assert scene.post(form(scene), url=f"{scene.stack.api}/hooks/{provider}/{token}").status_code == 404
    assert scene.post(form(scene), url=f"{scene.stack.api}/hooks/telephony_api/{token}").status_code == 200


def test_event_with_unknown_fields_is_stored(scene: Scene) -> None:
    assert scene.post(form(scene, callid="with-more", surprise="1")).status_code == 200
    api = Api(scene.stack.api, scene.office.owner_token)
    found = api.get("/v1/calls", integration_id=scene.office.integration_id, pbx_call_id="with-more")["items"]
    assert [call["state"] for call in found] == ["open"]


def test_hang_up_with_a_long_link_is_stored_without_it(fresh: Scene) -> None:
    link = "https://pbx.example/" + "x" * 1500
    done = form(fresh, callid="long-link", event="COMPLETED", status="Success", duration="5", record_link=link)
    assert fresh.post(done).status_code == 200
    assert (200, "over 1 KB: extra fields or the recording's link were cut") in fresh.reasons()
    api = Api(fresh.stack.api, fresh.office.owner_token)
    (call,) = api.get("/v1/calls", integration_id=fresh.office.integration_id, pbx_call_id="long-link")["items"]
    assert (call["state"], call["outcome"], call["recordings"]) == ("closed", "success", [])


def test_call_stores_at_most_200_events(fresh: Scene) -> None:
    for number in range(201):
        event = form(fresh, callid="endless", event_id=str(number))
        assert fresh.post(event).status_code == 200
    assert any("200 events" in reason for _, reason in fresh.reasons())
