"""Time from the PBX's POST to the first window message, and its cost in AWS calls."""

import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from api_client import Caller
from calls import Pbx, switched_off
from fault_proxy import FaultPlan, Run
from hangtag.auth import token_hash
from live_listener import Listener, listening

FIRST_EXTENSION = 2000
DEADLINE_SECONDS = 120.0
_READS = ("GetItem", "BatchGetItem", "Query")
_WRITES = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems")


@dataclass(frozen=True, slots=True)
class Times:
    """Summary of times in seconds: count, median and 99th percentile."""

    count: int
    median: float
    p99: float


@contextmanager
def browsers(pbx: Pbx, count: int) -> Iterator[Mapping[str, Listener]]:
    """Connect `count` new employees of the office, by their extensions."""
    owner = Caller(pbx.stack.api, pbx.office.owner_token)

    def hired(extension: str) -> Caller:
        card = [{"integration_id": pbx.office.integration_id, "extension": extension}]
        employee = owner.create("/v1/employees", {"name": f"Employee {extension}", "extensions": card})
        return owner.with_token(owner.create("/v1/tokens", {"employee_id": employee["id"]})["token"])

    extensions = [str(FIRST_EXTENSION + number) for number in range(count)]
    with ExitStack() as connections, ThreadPoolExecutor(8) as pool:
        callers = list(pool.map(hired, extensions))
        pairs = zip(extensions, callers, strict=True)
        yield {extension: connections.enter_context(listening(caller)) for extension, caller in pairs}


def _ring(pbx: Pbx, extension: str, browser: Listener, together: threading.Barrier) -> float:
    """Measure the seconds from a POST to its message."""
    call_id = uuid.uuid4().hex
    start = len(browser.messages)
    together.wait(DEADLINE_SECONDS)
    before = time.perf_counter()
    pbx.post(call_id, "INCOMING", ext=extension)
    browser.until(lambda _: any(_is_ringing(message) for message in browser.messages[start:]))
    place = next(place for place, message in enumerate(browser.messages) if place >= start and _is_ringing(message))
    took = browser.arrivals[place] - before
    pbx.post(call_id, "COMPLETED", ext=extension, status="Missed", duration="0", final="1")
    return took


def _is_ringing(message: Mapping[str, object]) -> bool:
    call = message.get("call")
    return isinstance(call, dict) and call["window_state"] == "ringing"


def post_to_message(pbx: Pbx, listening_at: Mapping[str, Listener], at_once: int, rounds: int) -> Times:
    """Play `at_once` calls at once, each at its own phone, `rounds` times. Return the times to the message."""
    chosen = list(listening_at.items())[:at_once]
    times: list[float] = []
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(rounds):
            together = threading.Barrier(at_once)

            def ring(one: tuple[str, Listener], together: threading.Barrier = together) -> float:
                return _ring(pbx, *one, together)

            times += pool.map(ring, chosen)
    return Times(len(times), statistics.median(times), _percentile(times, 0.99))


def _percentile(times: Sequence[float], share: float) -> float:
    """Return the smallest time that this share of the times does not exceed."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def calls_per_message(pbx: Pbx, plan: FaultPlan, extension: str, browser: Listener) -> Mapping[str, float]:
    """Count the table reads and writes from a POST to its message, for a known contact with a supervisor, all warm.

    The tracker is disabled, because its calls do not delay the message. Messages bypass the proxy; there is one.
    """
    token = pbx.office.webhook_url.rsplit("/", 1)[1]
    alone = threading.Barrier(1)
    for _ in range(3):
        _ring(pbx, extension, browser, alone)
    start = len(browser.messages)
    run = Run((pbx.office.tenant_id, token_hash(token)))
    with switched_off(pbx, plan, "TrackerFunction"), plan.watch(run):
        pbx.post(uuid.uuid4().hex, "INCOMING", ext=extension)
        browser.until(lambda _: any(_is_ringing(message) for message in browser.messages[start:]))
        counts = Counter(signature.what.split()[0] for signature in run.calls)
    return {"reads": sum(counts[name] for name in _READS), "writes": sum(counts[name] for name in _WRITES)}
