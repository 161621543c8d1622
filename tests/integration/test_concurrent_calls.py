"""Live messages of 500 concurrent calls: each of 200 employees of 20 tenants receives exactly their own."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from websockets.asyncio.client import ClientConnection, connect

from api_client import Caller
from concurrent_calls import (
    EMPLOYEES_OWN,
    EXTENSIONS,
    KINDS,
    KNOWN,
    SUPERVISOR,
    PlayedCall,
    Received,
    expectations,
    faults,
    is_whole,
    plan,
)
from local.stack import Stack
from pbx_line import until

PORT = 4666
TENANTS = 20
CALLS_EACH = 25
SEED = 20261123
AT_ONCE = 12
WITHIN_SECONDS = 300.0

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: URL and secret of its PBX, and a client for each extension."""

    owner: Caller
    webhook_url: str
    secret: str
    integration_id: str
    ids: frozenset[str]
    employees: Mapping[str, Caller]

    def post(self, form: Mapping[str, str]) -> None:
        response = requests.post(self.webhook_url, data={"planfix_token": self.secret, **form}, timeout=120)
        assert response.status_code == 200, (response.status_code, response.text)


def create_office(stack: Stack, number: int) -> Tenant:
    """Create a tenant; all tenants are alike."""
    operator = Caller(stack.api, stack.operator_token)
    tenant = operator.create("/v1/tenants", {"name": "Acme", "country": "RU"})
    owner = operator.with_token(tenant["owner_token"])
    rules = {"settle_seconds": 1, "contacts": {"create_unknown": "never"}}
    assert owner.put("/v1/settings/telephony", rules).status == 200
    pbx = owner.create("/v1/integrations", {"provider": "telephony_api", "name": "PBX"})
    employees, ids = {}, {tenant["id"], pbx["id"]}
    for extension in EXTENSIONS:
        mapping = [{"integration_id": pbx["id"], "extension": extension}]
        phones = [EMPLOYEES_OWN] if extension == SUPERVISOR else []
        card = {"name": f"Employee {extension}", "extensions": mapping, "phones": phones}
        employee_id = owner.create("/v1/employees", card)["id"]
        ids.add(employee_id)
        if extension == SUPERVISOR:
            card = {"name": "Olga", "phones": [f"+{KNOWN}"], "supervisor_id": employee_id}
            ids.add(owner.create("/v1/contacts", card)["id"])
        token = owner.create("/v1/tokens", {"employee_id": employee_id})["token"]
        employees[extension] = owner.with_token(token)
    secret = pbx["secrets"]["planfix_token"]
    return Tenant(owner, pbx["webhook_url"], secret, pbx["id"], frozenset(ids), employees)


@dataclass(slots=True)
class Listener:
    """One connection, and the messages that it must receive."""

    tenant: int
    extension: str
    socket: ClientConnection
    states: dict[str, tuple[str, ...]]
    missed: set[str]
    named: Mapping[str, str]
    received: Received = field(default_factory=Received)
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    pong: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Record messages until the connection is closed."""
        async for text in self.socket:
            message = json.loads(text)
            if message["type"] == "pong":
                self.pong.set()
            self.received.take(message, str(text), self.named)
            if is_whole(self.received, self.states, self.missed):
                self.whole.set()


def ids_of_calls(tenant: Tenant, calls: list[PlayedCall]) -> dict[str, str]:
    """Map the calls' ids in the API to the PBX's."""
    from hangtag.store.calls.items import call_key, public_id

    return {
        public_id(tenant.integration_id, call_key("t", tenant.integration_id, call.call_id)): call.call_id
        for call in calls
    }


async def play_all(tenants: list[Tenant], calls: list[PlayedCall]) -> list[Listener]:
    """Connect all employees, some of them twice; play the calls; wait for the last messages."""
    loop = asyncio.get_running_loop()
    named = [ids_of_calls(tenant, calls) for tenant in tenants]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        async with AsyncExitStack() as sockets:
            listeners: list[Listener] = []
            for number, tenant in enumerate(tenants):
                for extension, caller in tenant.employees.items():
                    for _ in range(2 if extension in (EXTENSIONS[0], SUPERVISOR) else 1):
                        ticket = await loop.run_in_executor(pool, caller.create, "/v1/live-tickets", {})
                        socket = await sockets.enter_async_context(
                            connect(ticket["url"], open_timeout=60, ping_interval=None)
                        )
                        states, missed = expectations(calls, number, extension)
                        listeners.append(Listener(number, extension, socket, states, missed, named[number]))
            listening = [asyncio.create_task(listener.listen()) for listener in listeners]
            await asyncio.gather(*(loop.run_in_executor(pool, play, tenants[call.tenant], call) for call in calls))
            waiting = [listener.whole.wait() for listener in listeners if listener.states or listener.missed]
            # After a timeout the checker reports the missing messages.
            await asyncio.wait([asyncio.create_task(one) for one in waiting], timeout=WITHIN_SECONDS)
            # Once every call has a tag or a skip reason, no more messages are created.
            await asyncio.gather(
                *(loop.run_in_executor(pool, await_settled, tenants[call.tenant], call) for call in calls)
            )
            for listener in listeners:
                await listener.socket.send('{"type": "ping"}')
            await asyncio.gather(*(asyncio.wait_for(listener.pong.wait(), WITHIN_SECONDS) for listener in listeners))
        await asyncio.gather(*listening)
    return listeners


def play(tenant: Tenant, call: PlayedCall) -> None:
    for form in call.webhook_requests():
        tenant.post(form)


def await_settled(tenant: Tenant, call: PlayedCall) -> None:
    place = {"integration_id": tenant.integration_id, "pbx_call_id": call.call_id}
    until(tenant.owner, "/v1/calls", place, lambda call: bool(call["tag_id"] or call["skip_reason"]))


def test_each_employee_receives_their_own_calls_only(stack: Stack) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tenants = list(pool.map(lambda number: create_office(stack, number), range(TENANTS)))
    calls = plan(TENANTS, CALLS_EACH, SEED)
    assert len(calls) == 500
    listeners = asyncio.run(play_all(tenants, calls))
    assert len({(listener.tenant, listener.extension) for listener in listeners}) == 200
    wrong = [
        fault
        for listener in listeners
        for fault in faults(
            f"{listener.extension} of tenant {listener.tenant}",
            listener.received,
            listener.states,
            listener.missed,
            set().union(*(tenant.ids for number, tenant in enumerate(tenants) if number != listener.tenant)),
        )
    ]
    assert not wrong, "\n".join(wrong[:10])


# ------------------------------------------------------------------ the checker


def complete_messages() -> tuple[Received, dict[str, tuple[str, ...]], set[str]]:
    """Return the messages of one employee for a small plan, and the expectations that they meet."""
    calls = plan(1, 2 * len(KINDS), SEED)
    states, missed = expectations(calls, 0, SUPERVISOR)
    received = Received()
    for call, expected in states.items():
        received.states[call] = list(enumerate(expected))
    received.missed = set(missed)
    return received, states, missed


@pytest.mark.parametrize("fault", ["none", "lost", "another's", "backwards", "unknown state", "missed", "foreign"])
def test_checker_reports_each_kind_of_fault(fault: str) -> None:
    received, states, missed = complete_messages()
    call = next(iter(states))
    if fault == "lost":
        received.states[call].pop()
    elif fault == "another's":
        received.states["call-of-others"].append((1, "ringing"))
    elif fault == "backwards":
        received.states[call].append((0, received.states[call][-1][1]))
    elif fault == "unknown state":
        received.states[call].insert(0, (-1, "answered"))
    elif fault == "missed":
        received.missed.add("call-of-others")
    elif fault == "foreign":
        received.ids.add("f" * 16)
    reported: list[Any] = list(faults("somebody", received, states, missed, {"f" * 16}))
    assert bool(reported) == (fault != "none")
