"""From the PBX's POST to the window: how long the first message takes, and what it costs in AWS calls."""

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
    """So many times in seconds: how many, the median, and the 99th percentile."""

    count: int
    median: float
    p99: float


@contextmanager
def browsers(pbx: Pbx, count: int) -> Iterator[Mapping[str, Listener]]:
    """So many new employees of the office who listen, by their extensions."""
    owner = Caller(pbx.stack.api, pbx.office.owner_token)

    def hired(extension: str) -> Caller:
        held = [{"integration_id": pbx.office.integration_id, "extension": extension}]
        made = owner.made("/v1/employees", {"name": f"Employee {extension}", "extensions": held})
        return owner.with_token(owner.made("/v1/tokens", {"employee_id": made["id"]})["token"])

    extensions = [str(FIRST_EXTENSION + number) for number in range(count)]
    with ExitStack() as connections, ThreadPoolExecutor(8) as pool:
        callers = list(pool.map(hired, extensions))
        pairs = zip(extensions, callers, strict=True)
        yield {extension: connections.enter_context(listening(caller)) for extension, caller in pairs}


def _ring(pbx: Pbx, extension: str, browser: Listener, together: threading.Barrier) -> float:
    """Seconds from a POST to its message."""
    call_id = uuid.uuid4().hex
    seen = len(browser.messages)
    together.wait(DEADLINE_SECONDS)
    before = time.perf_counter()
    pbx.post(call_id, "INCOMING", ext=extension)
    browser.until(lambda _: any(_is_ringing(message) for message in browser.messages[seen:]))
    place = next(place for place, message in enumerate(browser.messages) if place >= seen and _is_ringing(message))
    took = browser.arrivals[place] - before
    pbx.post(call_id, "COMPLETED", ext=extension, status="Missed", duration="0", final="1")
    return took


def _is_ringing(message: Mapping[str, object]) -> bool:
    call = message.get("call")
    return isinstance(call, dict) and call["state"] == "ringing"


def post_to_message(pbx: Pbx, listening_at: Mapping[str, Listener], at_once: int, rounds: int) -> Times:
    """So many calls at once, each at a phone of its own, so many times over."""
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
    """The smallest time that so many are not over."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def calls_per_message(pbx: Pbx, plan: FaultPlan, extension: str, browser: Listener) -> Mapping[str, float]:
    """Table reads and writes from a POST to its message, of a known contact who has a supervisor; all is warm.

    The tracker is switched off meanwhile: what it asks is not on the way. Messages go past the proxy; there is one.
    """
    token = pbx.office.webhook_url.rsplit("/", 1)[1]
    alone = threading.Barrier(1)
    for _ in range(3):
        _ring(pbx, extension, browser, alone)
    seen = len(browser.messages)
    run = Run((pbx.office.tenant_id, token_hash(token)))
    with switched_off(pbx, plan, "TrackerFunction"), plan.watch(run):
        pbx.post(uuid.uuid4().hex, "INCOMING", ext=extension)
        browser.until(lambda _: any(_is_ringing(message) for message in browser.messages[seen:]))
        counts = Counter(signature.what.split()[0] for signature in run.seen)
    return {"reads": sum(counts[name] for name in _READS), "writes": sum(counts[name] for name in _WRITES)}
