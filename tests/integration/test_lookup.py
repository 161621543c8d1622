"""Caller lookup: one indexed read, and a response even if it fails."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from fault_proxy import FaultPlan, Run, Side, Signature, fault_proxy
from hangtag.auth import token_hash
from local import stack as local_stack
from local.simulator import Api, Office, build_office, load_office_plan
from local.simulator.http import ONCE, Response, Sender
from office_clone import end_set_up

PORT = 4619
PROXY_PORT = 4620
WARM_UP = 12
THE_READ = Signature("GetItem PHONE", 1)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class LookupOffice:
    """An office behind a proxy that records its AWS calls and can fail one."""

    api: Api
    office: Office
    plan: FaultPlan

    def send(self, command: str, **fields: str) -> Response:
        form = {"cmd": command, "planfix_token": self.office.planfix_token, **fields}
        return Sender(ONCE).send("POST", self.office.webhook_url, form=form)

    def watched(self, target: Signature | None = None, side: Side = Side.BEFORE) -> Run:
        token = self.office.webhook_url.rsplit("/", 1)[1]
        return Run((self.office.tenant_id, token_hash(token)), target, side)


@pytest.fixture(scope="module")
def lookups() -> Iterator[LookupOffice]:
    plan = FaultPlan()
    with (
        fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint,
        local_stack.running(port=PORT, fault_endpoint=endpoint) as stack,
    ):
        operator = Api(stack.api, stack.operator_token)
        office = build_office(operator, load_office_plan())
        end_set_up(stack, office.webhook_url)
        yield LookupOffice(operator.as_token(office.owner_token), office, plan)


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("79101234567", '{"contact_name": "Olga Smirnova", "responsible": 102}'),
        ("+7 (910) 123-45-67", '{"contact_name": "Olga Smirnova", "responsible": 102}'),
        ("8 495 765-43-21", '{"contact_name": "Romashka LLC", "responsible": 101}'),
        ("+49 30 901820", '{"contact_name": "Nordwind GmbH"}'),
        ("79990000000", "{}"),
        ("", "{}"),
        ("anonymous", "{}"),
    ],
)
def test_caller_is_identified_by_a_number_in_any_format(lookups: LookupOffice, phone: str, expected: str) -> None:
    response = lookups.send("contact", phone=phone)
    assert (response.status, response.text) == (200, expected)


def test_warm_caller_lookup_is_one_indexed_read(lookups: LookupOffice) -> None:
    with ThreadPoolExecutor(WARM_UP) as pool:
        list(pool.map(lambda _: lookups.send("contact", phone="79101234567"), range(WARM_UP * 2)))
    with lookups.plan.watch(lookups.watched()) as run:
        lookups.send("contact", phone="79101234567")
    assert run.calls == [THE_READ]


@pytest.mark.parametrize("side", list(Side))
def test_failed_caller_lookup_returns_an_empty_response(lookups: LookupOffice, side: Side) -> None:
    with lookups.plan.watch(lookups.watched(THE_READ, side)) as run:
        response = lookups.send("contact", phone="79101234567")
    assert run.fired
    assert (response.status, response.text) == (200, "{}")


def test_signed_ping_returns_the_credentials_of_the_pbx(lookups: LookupOffice) -> None:
    typed = {"pbx_url": "https://pbx.example/api", "pbx_token": "the-pbx-made-this"}
    body: dict[str, Any] = {"provider": "telephony_api", "name": "Second", "credentials": typed}
    created = lookups.api.post("/v1/integrations", body)
    sender = Sender(ONCE)
    form = {"cmd": "ping", "planfix_token": created["secrets"]["planfix_token"]}
    response = sender.send("POST", created["webhook_url"], form=form)
    assert (response.status, response.text) == (
        200,
        '{"pbxToken": "the-pbx-made-this", "pbxUrl": "https://pbx.example/api"}',
    )
    wrong = sender.send("POST", created["webhook_url"], form=form | {"planfix_token": "0" * 32})
    assert wrong.status == 401
