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
class Scene:
    """An office behind a proxy that sees its AWS calls, and can fail one."""

    api: Api
    office: Office
    plan: FaultPlan

    def ask(self, command: str, **fields: str) -> Response:
        form = {"cmd": command, "planfix_token": self.office.planfix_token, **fields}
        return Sender(ONCE).send("POST", self.office.webhook_url, form=form)

    def watched(self, target: Signature | None = None, side: Side = Side.BEFORE) -> Run:
        token = self.office.webhook_url.rsplit("/", 1)[1]
        return Run((self.office.tenant_id, token_hash(token)), target, side)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    plan = FaultPlan()
    with (
        fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint,
        local_stack.running(port=PORT, fault_endpoint=endpoint) as stack,
    ):
        operator = Api(stack.api, stack.operator_token)
        office = build_office(operator, load_office_plan())
        end_set_up(stack, office.webhook_url)
        yield Scene(operator.as_token(office.owner_token), office, plan)


@pytest.mark.parametrize(
    ("phone", "answer"),
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
def test_a_caller_is_found_by_their_number_in_any_format(scene: Scene, phone: str, answer: str) -> None:
    said = scene.ask("contact", phone=phone)
    assert (said.status, said.text) == (200, answer)


def test_a_warm_caller_lookup_is_one_indexed_read(scene: Scene) -> None:
    with ThreadPoolExecutor(WARM_UP) as pool:
        list(pool.map(lambda _: scene.ask("contact", phone="79101234567"), range(WARM_UP * 2)))
    with scene.plan.watch(scene.watched()) as run:
        scene.ask("contact", phone="79101234567")
    assert run.calls == [THE_READ]


@pytest.mark.parametrize("side", list(Side))
def test_a_failed_caller_lookup_returns_an_empty_response(scene: Scene, side: Side) -> None:
    with scene.plan.watch(scene.watched(THE_READ, side)) as run:
        said = scene.ask("contact", phone="79101234567")
    assert run.fired
    assert (said.status, said.text) == (200, "{}")


def test_a_signed_ping_returns_the_credentials_of_the_pbx(scene: Scene) -> None:
    typed = {"pbx_url": "https://pbx.example/api", "pbx_token": "the-pbx-made-this"}
    body: dict[str, Any] = {"provider": "telephony_api", "name": "Second", "credentials": typed}
    made = scene.api.post("/v1/integrations", body)
    sender = Sender(ONCE)
    asked = {"cmd": "ping", "planfix_token": made["secrets"]["planfix_token"]}
    said = sender.send("POST", made["webhook_url"], form=asked)
    assert (said.status, said.text) == (
        200,
        '{"pbxToken": "the-pbx-made-this", "pbxUrl": "https://pbx.example/api"}',
    )
    wrong = sender.send("POST", made["webhook_url"], form=asked | {"planfix_token": "0" * 32})
    assert wrong.status == 401
