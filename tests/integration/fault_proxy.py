"""Proxy in front of the runtime's endpoint that fails one chosen AWS call of one chosen run.

Functions reach AWS through it (AWS_ENDPOINT_URL). The state machine's own calls cross no socket; each sends a request
to `/_fault/…` before and after (see local/faults.py). A *run* is one story at its own tenant; a call belongs to the run
whose marks (tenant id, hash of the webhook's token) it contains. A call fails with all of the SDK's retries, which
share `amz-sdk-invocation-id`.
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

# The runtime keeps idle connections open for longer.
IDLE_SECONDS = 30.0


class Side(StrEnum):
    """Moment of a failure: before the call was sent, or after it took effect."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Signature:
    """Identity of a call in a run: operation and kind of item, and its number among equal calls."""

    what: str
    number: int


@dataclass(slots=True)
class Run:
    """One watched run. `calls` contains its calls in order; `target` fails on `side`."""

    marks: tuple[str, ...]
    target: Signature | None = None
    side: Side = Side.BEFORE
    calls: list[Signature] = field(default_factory=list)
    fired: bool = False
    doomed: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    numbers: Counter[str] = field(default_factory=Counter)

    def sign(self, what: str) -> Signature:
        """Number the call and store it."""
        self.numbers[what] += 1
        signature = Signature(what, self.numbers[what])
        self.calls.append(signature)
        return signature


class FaultPlan:
    """Watched runs, shared by all of the proxy's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: list[Run] = []

    @contextmanager
    def watch(self, run: Run) -> Iterator[Run]:
        """Watch a run during the block."""
        with self._lock:
            self._runs.append(run)
        try:
            yield run
        finally:
            with self._lock:
                self._runs.remove(run)

    def judge(self, body: str, what: str, invocation: str) -> tuple[Run | None, bool, bool]:
        """Return the run of a call, True if the call fails, and True if it repeats a failed call."""
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
        """Return True if a call of the state machine fails before it is made."""
        run, fails, _ = self.judge(body, what, f"states {what}")
        if run is None or not fails:
            return False
        # Retries are separate calls here: the platform makes them, not an SDK.
        run.doomed.discard(f"states {what}")
        if run.side is Side.AFTER:
            run.late.add(what)
        return run.side is Side.BEFORE

    def after(self, body: str, what: str) -> bool:
        """Return True if a call of the state machine fails after it was made."""
        with self._lock:
            run = next((run for run in self._runs if any(m in body for m in run.marks)), None)
            if run is None or what not in run.late:
                return False
            run.late.remove(what)
            return True


def describe(headers: Mapping[str, str], body: str) -> str:
    """Describe a call, without values that differ between runs."""
    operation = headers.get("x-amz-target", "").split(".")[-1] or "rest"
    try:
        payload = json.loads(body)
    except ValueError:
        return operation
    if not isinstance(payload, dict):
        return operation
    return " ".join(filter(None, (operation, _place(payload), _change(payload))))


def _place(payload: Mapping[str, Any]) -> str:
    item = payload.get("Key") or payload.get("Item") or {}
    pk = str(item.get("pk", {}).get("S", ""))
    parts = pk.split("#")
    if pk.startswith("T#"):
        return parts[2] if len(parts) > 2 else str(item["sk"]["S"]).split("#")[0]
    return parts[0] or str(payload.get("QueueUrl", "")).rsplit("/", 1)[-1]


def _change(payload: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z_,=: ]", "", str(payload.get("UpdateExpression", "")).lower())[:30]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Responses are sent at once, in one piece.
    wbufsize = -1
    disable_nagle_algorithm = True
    plan: FaultPlan
    upstream: tuple[str, int]
    _connection: http.client.HTTPConnection | None = None
    _last_request = 0.0

    def log_message(self, *_: object) -> None:
        """Log nothing."""

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
        status, response_headers, response_body = self._request(body, headers)
        if fails:
            self._break()
            return
        self._respond(status, response_body, response_headers)

    def _request(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Send a request to the runtime. Reuse the last connection if it is recent: the runtime closes idle ones."""
        if self._connection is None or time.monotonic() - self._last_request > IDLE_SECONDS:
            self._hang_up()
            self._connection = http.client.HTTPConnection(*self.upstream, timeout=60)
        try:
            self._connection.request(self.command, self.path, body, headers)
            response = self._connection.getresponse()
            result = response.status, dict(response.getheaders()), response.read()
        except BaseException:
            self._hang_up()
            raise
        self._last_request = time.monotonic()
        return result

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def finish(self) -> None:
        """Close the upstream connection with the client's."""
        self._hang_up()
        super().finish()

    def _state_machine(self, text: str) -> None:
        """Respond to the state machine, which sends a request before and after each of its calls. 500 means: fail."""
        payload = json.loads(text)
        task = json.loads(payload["body"]).get("task", "")
        what = f"states {payload['operation']} {task}".strip()
        if self.path.endswith("/before"):
            fails = self.plan.before(payload["body"], what)
        else:
            fails = self.plan.after(payload["body"], what)
        self._respond(500 if fails else 200, b"{}", {})

    def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        # The client can have closed the connection in the meantime, and reports that itself.
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _break(self) -> None:
        """Drop the connection: the caller cannot know whether the call took effect."""
        self.close_connection = True
        self.connection.close()


@contextmanager
def fault_proxy(plan: FaultPlan, upstream_port: int, port: int) -> Iterator[str]:
    """Run the proxy on loopback during the block. Yield its URL."""
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
