"""A proxy before the runtime's endpoint that fails one chosen AWS call of one chosen run.

Functions reach AWS through it (AWS_ENDPOINT_URL); the state machine's own calls, which cross no socket, ask it
before and after (`/_fault/…`, see local/runtime.py). A *run* is one story played at a tenant of its own; a call belongs
to the run whose marks (tenant id, hash of the webhook's token) it names. A call is failed with all the repetitions
that the SDK makes of it: they share `amz-sdk-invocation-id`.
"""

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Seconds; the runtime keeps idle connections longer.
KEPT_SECONDS = 30.0


class Side(StrEnum):
    """Where a call fails: before it was sent, or after it took effect."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Signature:
    """Which call of a run: what is called, on what kind of item, and the how-manieth of its like it is."""

    what: str
    number: int


@dataclass(slots=True)
class Run:
    """One watched run. `seen` holds its calls in order; `target` is failed on `side`."""

    marks: tuple[str, ...]
    target: Signature | None = None
    side: Side = Side.BEFORE
    seen: list[Signature] = field(default_factory=list)
    fired: bool = False
    doomed: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    numbers: Counter[str] = field(default_factory=Counter)

    def sign(self, what: str) -> Signature:
        """Number the call and remember it."""
        self.numbers[what] += 1
        signature = Signature(what, self.numbers[what])
        self.seen.append(signature)
        return signature


class FaultPlan:
    """Which runs are watched; shared by all of the proxy's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: list[Run] = []

    @contextmanager
    def watch(self, run: Run) -> Iterator[Run]:
        """Watch a run for the length of the block."""
        with self._lock:
            self._runs.append(run)
        try:
            yield run
        finally:
            with self._lock:
                self._runs.remove(run)

    def judge(self, body: str, what: str, invocation: str) -> tuple[Run | None, bool, bool]:
        """The run of a call, whether the call is to fail, and whether it is a repetition of one that did."""
        with self._lock:
            run = next((run for run in self._runs if any(m in body for m in run.marks)), None)
            if run is None:
                return None, False, False
            if invocation in run.doomed:
                return run, True, True
            fails = run.sign(what) == run.target and not run.fired
            if fails:
                run.fired = True
                run.doomed.add(invocation)
            return run, fails, False

    def before(self, body: str, what: str) -> bool:
        """Whether a call of the state machine is to fail before it is made."""
        run, fails, _ = self.judge(body, what, f"states {what}")
        if run is None or not fails:
            return False
        # Retries are calls of their own here: the platform makes them, not an SDK.
        run.doomed.discard(f"states {what}")
        if run.side is Side.AFTER:
            run.late.add(what)
        return run.side is Side.BEFORE

    def after(self, body: str, what: str) -> bool:
        """Whether a call of the state machine, now made, is to fail all the same."""
        with self._lock:
            run = next((run for run in self._runs if any(m in body for m in run.marks)), None)
            if run is None or what not in run.late:
                return False
            run.late.remove(what)
            return True


def describe(headers: Mapping[str, str], body: str) -> str:
    """What is called, without anything that differs from run to run."""
    operation = headers.get("x-amz-target", "").split(".")[-1] or "rest"
    try:
        said = json.loads(body)
    except ValueError:
        return operation
    if not isinstance(said, dict):
        return operation
    return " ".join(filter(None, (operation, _place(said), _change(said))))


def _place(said: Mapping[str, Any]) -> str:
    item = said.get("Key") or said.get("Item") or {}
    pk = str(item.get("pk", {}).get("S", ""))
    parts = pk.split("#")
    if pk.startswith("T#"):
        return parts[2] if len(parts) > 2 else str(item["sk"]["S"]).split("#")[0]
    return parts[0] or str(said.get("QueueUrl", "")).rsplit("/", 1)[-1]


def _change(said: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z_,=: ]", "", str(said.get("UpdateExpression", "")).lower())[:30]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer goes out in one piece, at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    plan: FaultPlan
    upstream: tuple[str, int]
    _asking: http.client.HTTPConnection | None = None
    _asked_at = 0.0

    def log_message(self, *_: object) -> None:
        """Silence: the tests print what matters."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path.startswith("/_fault/"):
            self._state_machine(body.decode())
            return
        self._forward(body)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

    def _forward(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        text = body.decode("utf-8", "replace")
        invocation = headers.get("amz-sdk-invocation-id", "")
        run, fails, again = self.plan.judge(text, describe(headers, text), invocation)
        if fails and (again or (run is not None and run.side is Side.BEFORE)):
            self._break()
            return
        status, answer_headers, answer = self._ask(body, headers)
        if fails:
            self._break()
            return
        self._answer(status, answer, answer_headers)

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Ask the runtime, over the connection of the last request if that was just now: it closes idle ones."""
        if self._asking is None or time.monotonic() - self._asked_at > KEPT_SECONDS:
            self._hang_up()
            self._asking = http.client.HTTPConnection(*self.upstream, timeout=60)
        try:
            self._asking.request(self.command, self.path, body, headers)
            response = self._asking.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
        except BaseException:
            self._hang_up()
            raise
        self._asked_at = time.monotonic()
        return answer

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None

    def finish(self) -> None:
        """The client is gone."""
        self._hang_up()
        super().finish()

    def _state_machine(self, text: str) -> None:
        """The state machine asks before, and again after, each call of its own: 500 is yes, fail."""
        said = json.loads(text)
        task = json.loads(said["body"]).get("task", "")
        what = f"states {said['operation']} {task}".strip()
        if self.path.endswith("/before"):
            fails = self.plan.before(said["body"], what)
        else:
            fails = self.plan.after(said["body"], what)
        self._answer(500 if fails else 200, b"{}", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        # Whoever asked may have given up meanwhile; that is theirs to tell.
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _break(self) -> None:
        """Drop the connection: the caller can't tell whether the call took effect."""
        self.close_connection = True
        self.connection.close()


@contextmanager
def fault_proxy(plan: FaultPlan, upstream_port: int, port: int) -> Iterator[str]:
    """Run the proxy on loopback for the length of the block; yields its address."""
    handler = type("Handler", (_Handler,), {"plan": plan, "upstream": ("127.0.0.1", upstream_port)})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
