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
class OfficeStack:
    """An office and its stack."""

    stack: Stack
    office: Office

    @property
    def event(self) -> dict[str, str]:
        """Return a valid event."""
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
        """Return status and result of the logged webhook requests, newest first."""
        api = Api(self.stack.api, self.office.owner_token)
        entries = api.get(f"/v1/integrations/{self.office.integration_id}/deliveries", limit="100")["items"]
        return [(item["http_status"], item["result"]) for item in entries]


@pytest.fixture(scope="module")
def site() -> Iterator[OfficeStack]:
    with local_stack.running(port=PORT) as stack:
        yield OfficeStack(stack, build_office(Api(stack.api, stack.operator_token), load_office_plan()))


@pytest.fixture
def fresh(site: OfficeStack) -> OfficeStack:
    """Return another office of the same stack, with an unused rate limit of log entries."""
    api = Api(site.stack.api, site.stack.operator_token)
    return OfficeStack(site.stack, build_office(api, load_office_plan()))


def form(site: OfficeStack, **change: str) -> bytes:
    return urlencode(site.event | change).encode()


CASES: dict[str, tuple[Callable[[OfficeStack], bytes], str, int, str]] = {
    "wrong token in the body": (lambda s: form(s, planfix_token="0" * 32), FORM, 401, "planfix_token"),
    "no callid": (lambda s: form(s, callid=""), FORM, 400, "callid is missing"),
    "unknown cmd": (lambda s: form(s, cmd="dance"), FORM, 400, "cmd is not one of"),
    "unknown event": (lambda s: form(s, event="EXPLODED"), FORM, 400, "event is not one of"),
    "unknown type": (lambda s: form(s, type="sideways"), FORM, 400, "type is neither"),
    "broken form encoding": (lambda s: form(s) + b"&x=%zz", FORM, 400, "form encoding is broken"),
    "no UTF-8": (lambda s: form(s) + b"&x=%ff", FORM, 400, "not a form in UTF-8"),
    "a NUL": (lambda s: form(s, ext="10\x001"), FORM, 400, "holds a NUL"),
    "a JSON array": (lambda _: b'["event"]', "application/json", 400, "not JSON"),
    "a number of 5 000 digits": (lambda s: form(s, phone="7" * 5000), FORM, 400, "phone is longer"),
    "a duration of 5 000 digits": (
        lambda s: form(s, event="COMPLETED", duration="7" * 5000), FORM, 400, "duration is longer",
    ),
    "a parameter twice": (lambda s: form(s) + b"&cmd=ping", FORM, 400, "given twice"),
    "10 000 fields": (lambda _: b"&".join(b"a%d=1" % n for n in range(6000)), FORM, 400, "not a form"),
    "over 64 KB": (lambda s: form(s, x="y" * 65536), FORM, 413, "over 64 KB"),
    "an empty body": (lambda _: b"", FORM, 401, "planfix_token"),
}  # fmt: skip


def test_each_kind_of_bad_input_is_rejected_with_a_log_entry(site: OfficeStack) -> None:
    responses = {}
    for name, (body, content_type, status, reason) in CASES.items():
        response = site.post(body(site), content_type)
        responses[name] = (response.status_code, status)
        if status in (400, 401):
            assert response.json() in ({"error": "Invalid parameters"}, {"error": "Invalid token"}), name
        entries = site.reasons()
        # The rate limit accepts ten entries, then one per second.
        if len(responses) <= 8:
            assert any(logged_status == status and reason in result for logged_status, result in entries), (
                name,
                entries,
            )
    assert [name for name, (actual, expected) in responses.items() if actual != expected] == [], responses


def test_log_entries_are_small_without_secrets(site: OfficeStack) -> None:
    site.post(form(site, callid="", x="y" * 30000))
    api = Api(site.stack.api, site.office.owner_token)
    entries = api.get(f"/v1/integrations/{site.office.integration_id}/deliveries")["items"]
    assert entries
    token = site.office.webhook_url.rsplit("/", 1)[1]
    for item in entries:
        text = json.dumps(item)
        assert site.office.planfix_token not in text
        assert token not in text
        assert len(item["body"].encode()) <= 16384


def test_unknown_tokens_get_one_constant_response(site: OfficeStack) -> None:
    token = site.office.webhook_url.rsplit("/", 1)[1]
    flipped = ("B" if token[0] == "A" else "A") + token[1:]
    strange = [flipped, token[:-1], token + "A", "x", "a" * 5000, "%00", "%D0%BA%D0%BB%D1%8E%D1%87"]
    client = site.stack.client("dynamodb")
    before = client.scan(TableName=site.stack.table, Select="COUNT")["Count"]
    responses = {
        (response.status_code, response.text, response.headers["content-type"])
        for response in (site.post(form(site), url=site.office.webhook_url.replace(token, other)) for other in strange)
    }
    assert len(responses) == 1
    assert responses.pop()[0] == 404
    assert client.scan(TableName=site.stack.table, Select="COUNT")["Count"] == before


def test_token_of_another_provider_is_not_found(site: OfficeStack) -> None:
    token = site.office.webhook_url.rsplit("/", 1)[1]
    for provider in ("zadarma", "nobody", "telephony_api%00"):
        assert site.post(form(site), url=f"{site.stack.api}/hooks/{provider}/{token}").status_code == 404
    assert site.post(form(site), url=f"{site.stack.api}/hooks/telephony_api/{token}").status_code == 200


def test_event_with_unknown_fields_is_stored(site: OfficeStack) -> None:
    assert site.post(form(site, callid="with-more", surprise="1")).status_code == 200
    api = Api(site.stack.api, site.office.owner_token)
    calls = api.get("/v1/calls", integration_id=site.office.integration_id, pbx_call_id="with-more")["items"]
    assert [call["state"] for call in calls] == ["open"]


def test_hang_up_with_a_long_link_is_stored_without_it(fresh: OfficeStack) -> None:
    link = "https://pbx.example/" + "x" * 1500
    done = form(fresh, callid="long-link", event="COMPLETED", status="Success", duration="5", record_link=link)
    assert fresh.post(done).status_code == 200
    assert (200, "The event is over 1 KB. Extra fields or the recording's link were cut.") in fresh.reasons()
    api = Api(fresh.stack.api, fresh.office.owner_token)
    (call,) = api.get("/v1/calls", integration_id=fresh.office.integration_id, pbx_call_id="long-link")["items"]
    assert (call["state"], call["outcome"], call["recordings"]) == ("closed", "success", [])


def test_call_stores_at_most_200_events(fresh: OfficeStack) -> None:
    for number in range(201):
        event = form(fresh, callid="endless", event_id=str(number))
        assert fresh.post(event).status_code == 200
    assert any("200 events" in reason for _, reason in fresh.reasons())
