"""Fake server of the live channel, and helpers of its tests."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hangtag_client.live import Call, Change, LiveClient, Timing
from http_fake import Request as ApiRequest
from http_fake import Response as ApiResponse
from http_fake import serving

TOKEN = "t0ken"
# Upper bound for a hanging test.
LIMIT_SECONDS = 60.0
QUICK = Timing(first_pause=0.0, longest_pause=0.0)
ROOT = Path(__file__).parents[2]
CLIENT_PATH = os.pathsep.join([str(ROOT / "layers" / "common"), str(ROOT / "clients" / "hangtag_client")])
Body = dict[str, Any]


class Channel:
    """Server side of the live channel. `open` are the calls that each new connection receives.

    It replaces API Gateway and the function behind it: register a connection, send the open calls, send `synced`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.api = ""
        self.open: dict[str, Body] = {}
        self.requests: list[ApiRequest] = []
        self.replies: list[ApiResponse] = []
        self.refusals: list[Response] = []
        self.tickets: set[str] = set()
        self.pongs: Callable[[int], bool] = lambda _: True
        self.syncs: Callable[[int], bool] = lambda _: True
        self.connected: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.up: list[ServerConnection] = []
        self.up_at_connect: list[int] = []
        self.received: list[tuple[int, str]] = []

    def respond(self, request: ApiRequest) -> ApiResponse:
        """Respond to a ticket request, in a thread of the HTTP server."""
        self.requests.append(request)
        if self.replies:
            return self.replies.pop(0)
        ticket = f"ticket-{len(self.requests)}"
        self.tickets.add(ticket)
        return ApiResponse(201, {"url": f"{self.url}?ticket={ticket}", "expires_at": "2030-01-01T00:00:30Z"})

    def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        """Accept each ticket once."""
        ticket = request.path.partition("?ticket=")[2]
        if ticket not in self.tickets:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "")
        self.tickets.remove(ticket)
        return self.refusals.pop(0) if self.refusals else None

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection until it ends."""
        number = len(self.up_at_connect)
        self.up_at_connect.append(len(self.up))
        self.up.append(connection)
        try:
            await self.sync(connection, number)
            self.connected.put_nowait(connection)
            async for frame in connection:
                kind = json.loads(frame)["type"]
                self.received.append((number, kind))
                if kind == "ping" and self.pongs(number):
                    await send(connection, {"type": "pong"})
                elif kind == "sync":
                    await self.sync(connection, number)
        except ConnectionClosed:
            pass
        finally:
            self.up.remove(connection)

    async def sync(self, connection: ServerConnection, number: int) -> None:
        if self.syncs(number):
            for body in list(self.open.values()):
                await send(connection, {"type": "call", "call": body})
            await send(connection, {"type": "synced"})

    async def push(self, message: Body) -> None:
        """Send to all connections and ignore closed ones."""
        for connection in list(self.up):
            with contextlib.suppress(ConnectionClosed):
                await send(connection, message)

    async def send_call(self, call_id: str, seq: int, state: str = "ringing", **more: object) -> None:
        """Send the state of a call. An open call is also sent to later connections."""
        body = call(call_id, seq, state, **more)
        if state in ("taken", "gone", "ended"):
            self.open.pop(call_id, None)
        else:
            self.open[call_id] = body
        await self.push({"type": "call", "call": body})


async def send(connection: ServerConnection, message: object) -> None:
    await connection.send(json.dumps(message))


def call(call_id: str, seq: int, state: str = "ringing", **more: object) -> Body:
    return {
        "id": call_id,
        "seq": seq,
        "window_state": state,
        "direction": "in",
        "external_number": "+79101234567",
        **more,
    }


@asynccontextmanager
async def channel() -> AsyncIterator[Channel]:
    fake = Channel()
    async with serve(
        fake.serve, "127.0.0.1", 0, process_request=fake.handshake, ping_interval=None, close_timeout=1
    ) as server:
        fake.url = f"ws://127.0.0.1:{port_of(server)}/live"
        with serving(fake.respond) as api:
            fake.api = api.url
            yield fake


def port_of(server: Server | asyncio.Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


def client(channel: Channel, timing: Timing = QUICK, **more: Any) -> LiveClient:
    return LiveClient(channel.api, TOKEN, timing=timing, **more)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await story()

    asyncio.run(bounded())


async def cut(connection: ServerConnection) -> None:
    """Abort a connection in a way that the client notices."""
    connection.transport.abort()
    await connection.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def summary(change: Change) -> tuple[str, str, int, str]:
    assert change.call is not None
    return change.kind, change.call.id, change.call.seq, change.call.window_state


def message(call_id: str, seq: int, state: str = "ringing") -> Call:
    return Call(id=call_id, seq=seq, window_state=state)


class SilentServer(asyncio.Protocol):
    """Accepts a connection and sends nothing."""

    reached: asyncio.Event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reached.set()


def environment(**more: str) -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": CLIENT_PATH, "PYTHONUNBUFFERED": "1"} | more
