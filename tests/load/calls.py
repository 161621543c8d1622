"""Cost of calls on the embedded stack: table calls per webhook, transitions per call, and hang-up to tag under load."""

import json
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fault_proxy import FaultPlan, Run
from hangtag.auth import token_hash
from hangtag.store.calls.items import CallKey, call_key, parse
from local.simulator import Office
from local.simulator.http import Backoff, Sender
from local.stack import Stack

WARM_UP = 30
POLL_SECONDS = 0.01
QUIET_SECONDS = 2.0
DEADLINE_SECONDS = 120.0
# A webhook reads items by key. Queries at the same time belong to the tracker, which reads group members.
_READS = ("GetItem", "BatchGetItem")
_WRITES = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


@dataclass(frozen=True, slots=True)
class Pbx:
    """A PBX of one office, and the table behind it."""

    stack: Stack
    office: Office
    sender: Sender

    def post(self, call_id: str, event: str, **more: str) -> None:
        """Post one event of an incoming call at extension 101."""
        form = {
            "cmd": "event", "type": "in", "event": event, "phone": "79101234567", "diversion": "74951230001",
            "ext": "101", "callid": call_id, "planfix_token": self.office.planfix_token,
        } | more  # fmt: skip
        response = self.sender.send("POST", self.office.webhook_url, form=form)
        assert response.status == 200, response

    def key(self, call_id: str) -> CallKey:
        return call_key(self.office.tenant_id, self.office.integration_id, call_id)

    def ring(self, call_id: str) -> None:
        self.post(call_id, "INCOMING")
        self.post(call_id, "ACCEPTED")

    def hang_up(self, call_id: str) -> None:
        self.post(call_id, "COMPLETED", status="Success", duration="5", is_recorded="0")


def make_pbx(stack: Stack, office: Office) -> Pbx:
    return Pbx(stack, office, Sender(Backoff()))


def _wait(client: Any, table: str, key: CallKey, attribute: str) -> None:
    """Poll until the call's item has an attribute."""
    clock = threading.Event()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        response = client.get_item(TableName=table, Key=key.item_key(), ConsistentRead=True)
        if attribute in response.get("Item", {}):
            return
        clock.wait(POLL_SECONDS)
    raise TimeoutError(attribute)


@contextmanager
def switched_off(pbx: Pbx, plan: FaultPlan, *functions: str) -> Iterator[None]:
    """Disable the functions' stream readers, and wait until all work is done: the remaining calls are counted."""
    lambdas, stack = pbx.stack.client("lambda"), pbx.stack
    mappings = [
        mapping["UUID"]
        for function in functions
        for mapping in lambdas.list_event_source_mappings(FunctionName=stack.functions[function])["EventSourceMappings"]
        if ":dynamodb:" in mapping["EventSourceArn"]
    ]
    assert len(mappings) == len(functions)
    for mapping in mappings:
        lambdas.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        _await_quiet(pbx, plan)
        yield
    finally:
        for mapping in mappings:
            lambdas.update_event_source_mapping(UUID=mapping, Enabled=True)


def _await_quiet(pbx: Pbx, plan: FaultPlan) -> None:
    """Poll until the office's functions make no more AWS calls."""
    token = pbx.office.webhook_url.rsplit("/", 1)[1]
    run, clock, before = Run((pbx.office.tenant_id, token_hash(token))), threading.Event(), -1
    with plan.watch(run):
        while len(run.calls) != before:
            before = len(run.calls)
            clock.wait(QUIET_SECONDS)


def table_calls_per_webhook(pbx: Pbx, plan: FaultPlan) -> Mapping[str, float]:
    """Count the table reads and writes of one more event of a call, with a warm webhook."""
    call_id = uuid.uuid4().hex
    client = pbx.stack.client("dynamodb")
    # Every worker reads the token first, and caches it for a minute.
    with ThreadPoolExecutor(WARM_UP) as pool:
        list(pool.map(lambda _: pbx.post(call_id, "INCOMING"), range(WARM_UP * 3)))
    _wait(client, pbx.stack.table, pbx.key(call_id), "execution")
    token = pbx.office.webhook_url.rsplit("/", 1)[1]
    run = Run((pbx.office.tenant_id, token_hash(token)))
    with switched_off(pbx, plan, "TrackerFunction", "LiveFunction"), plan.watch(run):
        pbx.post(call_id, "ACCEPTED")
        pbx.post(call_id, "COMPLETED", status="Cancelled", duration="0", ext="102")
        pbx.post(call_id, "COMPLETED", status="Cancelled", duration="0", ext="103")
        counts = Counter(signature.what.split()[0] for signature in run.calls)
    pbx.hang_up(call_id)
    return {
        "reads": sum(counts[name] for name in _READS) / 3,
        "writes": sum(counts[name] for name in _WRITES) / 3,
    }


def transitions_per_call(pbx: Pbx) -> int:
    """Count the states that the execution of a normal call enters."""
    call_id = uuid.uuid4().hex
    client = pbx.stack.client("dynamodb")
    key = pbx.key(call_id)
    pbx.ring(call_id)
    _wait(client, pbx.stack.table, key, "execution")
    pbx.hang_up(call_id)
    _wait(client, pbx.stack.table, key, "emitted")
    item = parse(client.get_item(TableName=pbx.stack.table, Key=key.item_key())["Item"])
    assert item is not None
    arn = pbx.stack.state_machine.replace(":stateMachine:", ":execution:") + f":{item.execution_name}"
    history = pbx.stack.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)
    return sum(event["type"].endswith("StateEntered") for event in history["events"])


def hang_up_to_tag(pbx: Pbx, at_once: int) -> tuple[float, float]:
    """Measure the seconds from the hang-up to the tag in the table, for `at_once` calls: median and worst."""
    ids = [uuid.uuid4().hex for _ in range(at_once)]
    clients = threading.local()

    def client() -> Any:
        if not hasattr(clients, "dynamodb"):
            clients.dynamodb = pbx.stack.client("dynamodb")
        return clients.dynamodb

    def begin(call_id: str) -> None:
        pbx.ring(call_id)
        _wait(client(), pbx.stack.table, pbx.key(call_id), "execution")

    def end(call_id: str) -> float:
        client()
        together.wait(timeout=DEADLINE_SECONDS)
        before = time.perf_counter()
        pbx.hang_up(call_id)
        _wait(client(), pbx.stack.table, pbx.key(call_id), "emitted")
        return time.perf_counter() - before

    together = threading.Barrier(at_once)
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(begin, ids))
        times = list(pool.map(end, ids))
    return statistics.median(times), max(times)


def as_text(figures: Mapping[str, object]) -> str:
    """Return the figures as one line of JSON."""
    return json.dumps(figures)
