"""The client of the live channel, against a real WebSocket server and a real HTTP server on loopback.

Nothing here measures time: each test waits for what must come, and what is sent last shows that nothing else came.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from hangtag.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    HangtagError,
    UnauthorizedError,
    UnreachableError,
)
from hangtag_client.__main__ import main
from hangtag_client.live import Call, Change, LiveClient, Timing, TryLaterError
from hangtag_client.live.board import Board, Unread
from hangtag_client.live.client import Pauses
from hangtag_client.live.command import line
from hangtag_client.live.link import need_library
from hangtag_client.live.ticket import check_api, check_live, retry_after
from hangtag_client.live.values import Missed, Signal, read
from http_fake import Asked, Reply, serving

TOKEN = "t0ken"
# A test that hangs is ended; nothing comes near it otherwise.
LIMIT_SECONDS = 60.0
QUICK = Timing(first_pause=0.0, longest_pause=0.0)
ROOT = Path(__file__).parents[2]
CLIENT_PATH = os.pathsep.join([str(ROOT / "layers" / "common"), str(ROOT / "clients" / "hangtag_client")])

Body = dict[str, Any]


class Channel:
    """The server's side. `open` is what each connection is told first; what is refused or withheld is a test's choice.

    It stands in for API Gateway and the function behind it: a connection is registered, told the open calls, synced.
    """

    def __init__(self) -> None:
        self.url = ""
        self.api = ""
        self.open: dict[str, Body] = {}
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self.refusals: list[Response] = []
        self.tickets: set[str] = set()
        self.pongs: Callable[[int], bool] = lambda _: True
        self.syncs: Callable[[int], bool] = lambda _: True
        self.connected: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.up: list[ServerConnection] = []
        self.up_at_connect: list[int] = []
        self.heard: list[tuple[int, str]] = []

    def answer(self, asked: Asked) -> Reply:
        """The ticket route; runs in a thread of the HTTP server."""
        self.asked.append(asked)
        if self.replies:
            return self.replies.pop(0)
        ticket = f"ticket-{len(self.asked)}"
        self.tickets.add(ticket)
        return Reply(201, {"url": f"{self.url}?ticket={ticket}", "expires_at": "2030-01-01T00:00:30Z"})

    def let_in(self, connection: ServerConnection, request: Request) -> Response | None:
        """The handshake: each ticket is good once."""
        ticket = request.path.partition("?ticket=")[2]
        if ticket not in self.tickets:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "")
        self.tickets.remove(ticket)
        return self.refusals.pop(0) if self.refusals else None

    async def serve(self, connection: ServerConnection) -> None:
        """One connection, as long as it lasts."""
        number = len(self.up_at_connect)
        self.up_at_connect.append(len(self.up))
        self.up.append(connection)
        try:
            await self.sync(connection, number)
            self.connected.put_nowait(connection)
            async for frame in connection:
                said = json.loads(frame)["type"]
                self.heard.append((number, said))
                if said == "ping" and self.pongs(number):
                    await send(connection, {"type": "pong"})
                elif said == "sync":
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

    async def tell(self, message: Body) -> None:
        """Send to whoever is connected, as a push does: one that is gone is no matter."""
        for connection in list(self.up):
            with contextlib.suppress(ConnectionClosed):
                await send(connection, message)

    async def say(self, call_id: str, seq: int, state: str = "ringing", **more: object) -> None:
        """Say how a call stands; an open one is told to who connects later, too."""
        body = call(call_id, seq, state, **more)
        if state in ("taken", "gone", "ended"):
            self.open.pop(call_id, None)
        else:
            self.open[call_id] = body
        await self.tell({"type": "call", "call": body})


async def send(connection: ServerConnection, message: object) -> None:
    await connection.send(json.dumps(message))


def call(call_id: str, seq: int, state: str = "ringing", **more: object) -> Body:
    number = {"external_number": "+79101234567"}
    return {"id": call_id, "seq": seq, "window_state": state, "direction": "in", **number, **more}


@asynccontextmanager
async def channel() -> AsyncIterator[Channel]:
    made = Channel()
    async with serve(
        made.serve, "127.0.0.1", 0, process_request=made.let_in, ping_interval=None, close_timeout=1
    ) as server:
        made.url = f"ws://127.0.0.1:{port_of(server)}/live"
        with serving(made.answer) as api:
            made.api = api.url
            yield made


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
    """As when a cable is pulled, but so that the client notices."""
    connection.transport.abort()
    await connection.wait_closed()


async def until(so: Callable[[], bool]) -> None:
    while not so():
        await asyncio.sleep(0.005)


def told(change: Change) -> tuple[str, str, int, str]:
    assert change.call is not None
    return change.kind, change.call.id, change.call.seq, change.call.window_state


# ------------------------------------------------------------------ what is told


def test_a_call_is_told_and_stays_until_it_is_over() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.say("a", 1, contact={"id": "c", "name": "Ann"}, started_at="2030-01-01T10:00:00.000+00:00")
            change = await anext(live)
            assert change.call is not None
            assert change.call.contact is not None
            assert (change.kind, change.call.window_state, change.call.contact.name) == ("call", "ringing", "Ann")
            assert change.call.started_at == datetime(2030, 1, 1, 10, tzinfo=UTC)
            assert dict(live.calls) == {"a": change.call}
            await office.say("a", 2, "answered")
            assert told(await anext(live)) == ("call", "a", 2, "answered")
            await office.say("a", 3, "ended", outcome="success", talk_seconds=5)
            assert told(await anext(live)) == ("call", "a", 3, "ended")
            assert not live.calls
            await office.say("a", 4, "ended", tag={"id": "t", "type": "call"})
            assert told(await anext(live)) == ("call", "a", 4, "ended")
            request = office.asked[0]
            assert (request.method, request.path, request.json) == ("POST", "/v1/live-tickets", {})
            assert request.headers["authorization"] == f"Bearer {TOKEN}"

    run(story)


@pytest.mark.parametrize("state", ["taken", "gone"])
def test_a_call_that_is_taken_away_is_told_as_gone(state: str) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.say("a", 1)
            await anext(live)
            await office.say("a", 2, state)
            assert told(await anext(live)) == ("gone", "a", 2, state)
            assert not live.calls

    run(story)


def test_late_and_doubled_messages_change_nothing() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.say("a", 2, "answered")
            assert told(await anext(live)) == ("call", "a", 2, "answered")
            await office.say("a", 1)
            await office.say("a", 2, "answered")
            await office.say("a", 3, "ended")
            assert told(await anext(live)) == ("call", "a", 3, "ended")
            await office.say("a", 2, "answered")
            await office.say("a", 3, "ended")
            await office.say("last", 1)
            assert told(await anext(live)) == ("call", "last", 1, "ringing")
            assert list(live.calls) == ["last"]

    run(story)


def test_a_missed_call_is_told_once() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            for missed in ("m1", "m1", "m2", "m1"):
                await office.tell({"type": "missed_call", "missed_call": {"id": missed, "ringing_employees": ["e"]}})
            await office.say("last", 1)
            first, second, last = [await anext(live) for _ in range(3)]
            assert (first.kind, first.missed_call) == ("missed_call", {"id": "m1", "ringing_employees": ("e",)})
            assert (second.kind, second.missed_call and second.missed_call["id"]) == ("missed_call", "m2")
            assert told(last) == ("call", "last", 1, "ringing")

    run(story)


def test_unknown_messages_and_junk_are_ignored() -> None:
    junk: list[str | bytes] = [
        "",
        "{",
        "null",
        "[]",
        "7",
        "[" * 30_000,
        "9" * 5_000,
        b"\x00\xff",
        '{"type": "weather"}',
        '{"type": ["call"]}',
        '{"type": "error", "message": "?"}',
        '{"type": "call"}',
        '{"type": "call", "call": null}',
        '{"type": "call", "call": {"id": 1, "seq": 1, "window_state": "ringing"}}',
        '{"type": "call", "call": {"id": "a", "seq": "1", "window_state": "ringing"}}',
        '{"type": "call", "call": {"id": "a", "seq": true, "window_state": "ringing"}}',
        '{"type": "call", "call": {"id": "a", "seq": 1}}',
        '{"type": "missed_call", "missed_call": []}',
        '{"type": "missed_call", "missed_call": {}}',
    ]

    async def story() -> None:
        async with channel() as office, client(office) as live:
            connection = await office.connected.get()
            for frame in junk:
                await connection.send(frame)
            await office.say("last", 1)
            assert told(await anext(live)) == ("call", "last", 1, "ringing")
            assert len(office.up_at_connect) == 1

    run(story)


def test_what_a_newer_server_says_is_kept_and_odd_values_are_left_out() -> None:
    body = {
        "id": "a",
        "seq": 1,
        "window_state": "parked",
        "mood": {"tags": ["x"]},
        "external_number": 7,
        "contact": {"name": "?"},
        "talk_seconds": "long",
    }
    known = read(
        json.dumps({"type": "call", "call": body | {"started_at": "tomorrow", "line": [], "tag": {"id": "t"}}})
    )
    assert isinstance(known, Call)
    assert known.open
    assert (known.external_number, known.contact, known.talk_seconds, known.started_at, known.line) == (None,) * 5
    assert known.tag is not None
    assert (known.tag.id, known.tag.type) == ("t", None)
    assert known.body["mood"]["tags"] == ("x",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.window_state = "ended"  # type: ignore[misc]
    with pytest.raises(TypeError):
        known.body["mood"]["tags"] = ()
    assert read('{"type": "pong"}') is Signal.PONG
    assert read('{"type": "synced", "more": 1}') is Signal.SYNCED


# ------------------------------------------------------------------ connections that end


def test_a_cut_connection_is_made_anew_and_nothing_is_told_twice() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.say("a", 1)
            await anext(live)
            await cut(first)
            await office.connected.get()
            await office.say("a", 2, "answered")
            assert told(await anext(live)) == ("call", "a", 2, "answered")
            assert len(office.asked) == 2

    run(story)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
def test_a_connection_that_the_server_closes_is_made_anew(code: int) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await (await office.connected.get()).close(code)
            await office.connected.get()
            await office.say("a", 1)
            assert told(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


@pytest.mark.parametrize("bad", ["x" * 200_000, b"\xff"], ids=["too long", "no text"])
def test_a_frame_that_breaks_the_connection_costs_only_that(bad: str | bytes) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await (await office.connected.get()).send(bad, text=True)
            await office.connected.get()
            await office.say("a", 1)
            assert told(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_a_ping_without_an_answer_ends_the_connection() -> None:
    async def story() -> None:
        async with channel() as office:
            office.pongs = lambda number: number > 0
            async with client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=1.0)) as live:
                await office.connected.get()
                await office.connected.get()
                # Were it slow enough to lose this one too, the next would tell it.
                await office.say("a", 1)
                assert told(await anext(live)) == ("call", "a", 1, "ringing")
                # It was asked, and left alone after that.
                assert office.heard.count((0, "ping")) == 1

    run(story)


def test_a_connection_with_answers_stays() -> None:
    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=30.0)):
            await office.connected.get()
            await until(lambda: office.heard.count((0, "ping")) >= 20)
            assert len(office.up_at_connect) == 1

    run(story)


def test_a_connection_that_was_told_no_open_calls_asks_for_them() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda _: (0, "sync") in office.heard
            office.open["a"] = call("a", 1)
            async with client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=30.0)) as live:
                assert told(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_what_ended_while_away_is_gone_after_the_sync() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.say("stays", 1)
            await anext(live)
            await office.say("ends", 4, "answered")
            await anext(live)
            del office.open["ends"]
            await cut(first)
            assert told(await anext(live)) == ("gone", "ends", 4, "gone")
            assert list(live.calls) == ["stays"]
            await office.connected.get()
            await office.say("ends", 5, "ended", tag={"id": "t", "type": "call"})
            assert told(await anext(live)) == ("call", "ends", 5, "ended")

    run(story)


# ------------------------------------------------------------------ renewal


def test_a_connection_is_renewed_before_it_ends_and_nothing_is_lost_or_doubled() -> None:
    count = 100

    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, renew_after=0.0)) as live:
            await office.connected.get()

            async def talk() -> None:
                number = 0
                # The last is said only after connections were renewed many times.
                while number < count or len(office.up_at_connect) < 6:
                    await office.tell({"type": "missed_call", "missed_call": {"id": f"m{number}"}})
                    await office.say(f"c{number}", 1)
                    number += 1
                    await asyncio.sleep(0.001)
                await office.say("last", 1)

            talking = asyncio.create_task(talk())
            missed, calls = [], []
            async for change in live:
                if change.missed_call:
                    missed.append(change.missed_call["id"])
                    continue
                assert change.call is not None
                assert change.kind == "call"
                if change.call.id == "last":
                    break
                calls.append(change.call.id)
            await talking
            assert missed == [f"m{number}" for number in range(len(missed))]
            # A sync may tell of a call a moment before its own message comes.
            assert sorted(calls) == sorted(f"c{number}" for number in range(len(missed)))
            assert len(missed) >= count
            assert office.up_at_connect[0] == 0
            assert all(up >= 1 for up in office.up_at_connect[1:])
            assert len(live.calls) == len(calls) + 1

    run(story)


def test_the_old_connection_is_closed_properly_once_the_new_one_is_synced() -> None:
    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, renew_after=0.0)):
            first = await office.connected.get()
            await first.wait_closed()
            assert first.close_code == 1000
            # What came over the old one alone is asked for on the new one.
            await until(lambda: (1, "sync") in office.heard)

    run(story)


def test_what_is_on_its_way_over_the_old_connection_is_taken_in() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda number: number == 0
            timing = dataclasses.replace(QUICK, ping_every=0.5, close_within=20.0, renew_after=0.0, synced_within=60.0)
            async with client(office, timing) as live:
                first, second = await office.connected.get(), await office.connected.get()
                await until(lambda: len(live._links) == 2)
                # It does not see yet that the client takes its leave.
                first.transport.pause_reading()
                await send(second, {"type": "synced"})
                await until(lambda: live._links[0]._socket.state is State.CLOSING)
                # A ping would be due by now.
                await until(lambda: live._links[0].age > 1.0)
                await send(first, {"type": "missed_call", "missed_call": {"id": "m"}})
                change = await anext(live)
                assert change.missed_call == {"id": "m"}
                first.transport.resume_reading()
                await first.wait_closed()
                assert first.close_code == 1000

    run(story)


def test_the_old_connection_serves_on_if_the_new_one_is_no_good() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda number: number == 0
            timing = dataclasses.replace(QUICK, renew_after=0.0, synced_within=0.05, lived=3600.0)
            async with client(office, timing) as live:
                first = await office.connected.get()
                await until(lambda: len(office.up_at_connect) >= 3)
                await send(first, {"type": "call", "call": call("a", 1)})
                assert told(await anext(live)) == ("call", "a", 1, "ringing")
                assert all(up >= 1 for up in office.up_at_connect[1:])
                assert first.state is State.OPEN

    run(story)


def test_a_call_that_only_the_old_connection_told_is_not_taken_for_over() -> None:
    """It came between the new connection's list of calls and its `synced`."""
    board = Board()
    board.hear(heard("before", 1))
    since = board.moment()
    board.hear(heard("during", 1))
    board.hear(heard("before", 1))
    assert board.settle(since) == []
    since = board.moment()
    assert {change.call.id for change in board.settle(since) if change.call} == {"before", "during"}
    assert not board.calls


# ------------------------------------------------------------------ tickets


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refused_ticket_is_followed_by_another(status: int) -> None:
    async def story() -> None:
        async with channel() as office:
            refused = Response(status, "No", Headers({"Content-Length": "0", "Retry-After": "0"}))
            office.refusals = [refused, refused]
            async with client(office) as live:
                await office.connected.get()
                await office.say("a", 1)
                assert told(await anext(live)) == ("call", "a", 1, "ringing")
                assert len(office.asked) == 3

    run(story)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (409, ConflictError),
        (404, BadInputError),
        (302, BadInputError),
        (200, BadInputError),
    ],
)
def test_a_token_or_an_address_that_is_no_good_ends_it(status: int, error: type[HangtagError]) -> None:
    async def story() -> None:
        async with channel() as office:
            office.replies = [Reply(status, "<html>", {"Location": f"{office.api}/other"})]
            async with client(office) as live:
                for _ in range(2):
                    with pytest.raises(error):
                        await anext(live)
            assert len(office.asked) == 1

    run(story)


def test_a_token_that_expires_ends_it_after_what_came_before() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.say("a", 1)
            await until(lambda: "a" in live.calls)
            office.replies = [Reply(401)]
            await cut(first)
            await until(lambda: len(office.asked) == 2)
            assert told(await anext(live)) == ("call", "a", 1, "ringing")
            with pytest.raises(UnauthorizedError):
                await anext(live)

    run(story)


def test_an_address_that_was_right_once_is_tried_again() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            office.replies = [Reply(404), Reply(200, "a hotel's login"), Reply(201, {"url": "ws://example.org/"})]
            await cut(first)
            await office.connected.get()
            await office.say("a", 1)
            assert told(await anext(live)) == ("call", "a", 1, "ringing")
            assert len(office.asked) == 5

    run(story)


def test_a_busy_api_is_asked_again_when_it_says() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> None:
        async with channel() as office:
            in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
            office.replies = [
                Reply(503, "", {"Retry-After": "7"}),
                Reply(429, "", {"Retry-After": in_two_hours}),
                Reply(500, "", {"Retry-After": "soon"}),
                Reply(502),
            ]
            busy = Response(503, "Busy", Headers({"Content-Length": "0", "Retry-After": "9"}))
            office.refusals = [busy]
            async with client(office, Timing(), sleep=sleep, draw=lambda: 0.5) as live:
                await office.connected.get()
                await office.say("a", 1)
                await anext(live)
            assert slept == [7 + 0.25, 3600 + 0.5, 1.0, 2.0, 9 + 4.0]

    run(story)


def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_good_connection() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> None:
        pauses = Pauses(Timing(), sleep, lambda: 1.0)
        await pauses.wait()
        for _ in range(9):
            pauses.failed()
            await pauses.wait()
        for _ in range(5000):
            pauses.failed()
        await pauses.wait()
        pauses.reset()
        await pauses.wait()
        pauses.failed(3.0)
        await pauses.wait()

    run(story)
    assert slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 3.5]


@pytest.mark.parametrize(("lived", "pauses"), [(0.0, [0.5, 0.5, 0.5]), (3600.0, [0.5, 1.0, 2.0])])
def test_only_a_connection_that_lived_makes_the_pauses_short_again(lived: float, pauses: list[float]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> None:
        async with channel() as office, client(office, Timing(lived=lived), sleep=sleep, draw=lambda: 1.0) as live:
            for number in range(3):
                connection = await office.connected.get()
                # The server is connected a moment before the client knows that it is, too.
                await office.say(f"c{number}", 1)
                await anext(live)
                await cut(connection)
            await office.connected.get()

    run(story)
    assert slept == pauses


def test_tickets_may_come_from_the_program_itself() -> None:
    async def story() -> None:
        async with channel() as office:
            troubles: list[Exception] = [OSError("no route"), TimeoutError(), TryLaterError("later", 0.0)]
            troubles.append(UnreachableError("no answer"))

            async def ticket() -> str:
                if troubles:
                    raise troubles.pop(0)
                office.tickets.add("mine")
                return f"{office.url}?ticket=mine"

            async with LiveClient(ticket=ticket, timing=QUICK) as live:
                await office.connected.get()
                await office.say("a", 1)
                assert told(await anext(live)) == ("call", "a", 1, "ringing")
            assert not office.asked

    run(story)


def test_a_bug_in_the_program_is_not_tried_again() -> None:
    async def ticket() -> str:
        raise KeyError("url")

    async def story() -> None:
        async with LiveClient(ticket=ticket) as live:
            with pytest.raises(KeyError):
                await anext(live)

    run(story)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://localhost:1", "https://api.example/prod/", "https://[::1]"]
)
def test_an_address_of_the_api(url: str) -> None:
    assert check_api(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "http://api.example",
        "ftp://127.0.0.1",
        "https://",
        "https://a:b@api.example",
        "https://a/?x=1",
        "https://a/#x",
        "https://a:99999999",
        "https://[::1",
        "https://a b",
        "https://a/\n",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_token_goes_to_no_other_address(url: str) -> None:
    with pytest.raises(BadInputError):
        check_api(url)


@pytest.mark.parametrize("url", ["ws://api.example/?t=1", "https://api.example", "", "wss://", "ws://[::1"])
def test_calls_come_from_no_other_address(url: str) -> None:
    with pytest.raises(BadInputError):
        check_live(url)
    assert check_live("wss://api.example/?t=1") == "wss://api.example/?t=1"


@pytest.mark.parametrize("token", ["", "two words", "line\n", "ключ"])
def test_a_token_that_can_be_none_is_refused_at_once(token: str) -> None:
    with pytest.raises(BadInputError, match="can't be one"):
        LiveClient("https://api.example", token)


def test_a_client_is_made_in_one_of_two_ways() -> None:
    async def ticket() -> str:
        return ""

    for given in (
        {},
        {"api_url": "https://a"},
        {"token": "t"},
        {"api_url": "https://a", "token": "t", "ticket": ticket},
    ):
        with pytest.raises(TypeError):
            LiveClient(**given)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("9" * 40, 3600.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2999 07:28:00 GMT", 3600.0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(ImportError, match=r"pip install \./clients/hangtag_client"):
        need_library()


def test_the_library_is_loaded_only_when_it_is_needed() -> None:
    code = "import hangtag_client.live, sys; assert not {'websockets', 'requests'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), timeout=LIMIT_SECONDS)


# ------------------------------------------------------------------ a slow reader


def test_of_a_call_only_the_newest_state_waits_for_a_slow_reader() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            for seq in range(1, 501):
                await office.say("a", seq)
            await office.say("b", 1)
            await until(lambda: "b" in live.calls)
            assert told(await anext(live)) == ("call", "a", 500, "ringing")
            assert told(await anext(live)) == ("call", "b", 1, "ringing")
            await office.say("a", 501, "answered")
            assert told(await anext(live)) == ("call", "a", 501, "answered")

    run(story)


def test_who_never_reads_keeps_the_open_calls_and_a_bounded_rest() -> None:
    unread = Unread(most=10)
    open_call = Change(kind="call", call=heard("open", 1))
    unread.put(open_call)
    for number in range(1000):
        unread.put(Change(kind="missed_call", missed_call={"id": f"m{number}"}))
        unread.put(Change(kind="call", call=heard(f"c{number}", 2, "ended")))
    assert len(unread) == 10
    assert unread.take() == open_call


def test_memory_of_what_is_over_is_bounded() -> None:
    board = Board(remembered=10)
    for number in range(1000):
        board.hear(heard(f"c{number}", 2, "ended"))
        board.hear(Missed(f"m{number}", {"id": f"m{number}"}))
    assert board.hear(heard("c999", 1)) is None
    assert board.hear(Missed("m999", {"id": "m999"})) is None
    assert board.hear(Missed("m0", {"id": "m0"})) is not None


def test_a_call_taken_for_over_that_is_told_again_is_open_again() -> None:
    board = Board()
    board.hear(heard("a", 3))
    assert [told(change) for change in board.settle(board.moment())] == [("gone", "a", 3, "gone")]
    assert board.hear(heard("a", 2)) is None
    again = board.hear(heard("a", 3))
    assert again is not None
    assert told(again) == ("call", "a", 3, "ringing")


def heard(call_id: str, seq: int, state: str = "ringing") -> Call:
    return Call(id=call_id, seq=seq, window_state=state)


# ------------------------------------------------------------------ the end


def test_leaving_closes_the_connection_and_leaves_no_task() -> None:
    async def story() -> None:
        async with channel() as office:
            before = asyncio.all_tasks()
            async with client(office) as live:
                connection = await office.connected.get()
                # The server is connected a moment before the client knows that it is, too.
                await office.say("a", 1)
                await anext(live)
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hangtag live")]
            await connection.wait_closed()
            assert connection.close_code == 1000
            await until(lambda: not asyncio.all_tasks() - before)
            with pytest.raises(StopAsyncIteration):
                await anext(live)
            with pytest.raises(RuntimeError, match="once"):
                await live.__aenter__()

    run(story)


class Silent(asyncio.Protocol):
    """Takes a connection and says nothing."""

    reached: asyncio.Event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reached.set()


@pytest.mark.parametrize("moment", ["ticket", "handshake", "pause", "two connections"])
def test_leaving_is_possible_at_any_moment(moment: str) -> None:
    async def story() -> None:
        reached, release = asyncio.Event(), threading.Event()

        async def held(*_: object) -> Any:
            reached.set()
            await asyncio.Event().wait()

        async with channel() as office, contextlib.AsyncExitStack() as later:
            later.callback(release.set)
            timing, more = QUICK, dict[str, Any]()
            if moment == "ticket":
                loop, answer = asyncio.get_running_loop(), office.answer

                def slow(asked: Asked) -> Reply:
                    loop.call_soon_threadsafe(reached.set)
                    release.wait(LIMIT_SECONDS)
                    return answer(asked)

                api = later.enter_context(serving(slow))
                later.callback(release.set)
                office.api = api.url
            elif moment == "handshake":
                silent = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
                later.callback(silent.close)
                office.url = f"ws://127.0.0.1:{port_of(silent)}/"
            elif moment == "pause":
                office.replies, more = [Reply(503)], {"sleep": held}
            else:
                office.syncs = lambda number: number == 0
                timing = dataclasses.replace(QUICK, renew_after=0.0, synced_within=3600.0)
            Silent.reached = reached
            before = asyncio.all_tasks()
            async with client(office, timing, **more):
                await (until(lambda: len(office.up) == 2) if moment == "two connections" else reached.wait())
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hangtag live")]
            await until(lambda: not office.up)
            await until(lambda: not asyncio.all_tasks() - before)

    run(story)


def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            reading = asyncio.create_task(anext(live))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
            await office.say("a", 1)
            assert told(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_an_error_in_the_program_leaves_no_connection() -> None:
    async def story() -> None:
        async with channel() as office:

            async def stumble() -> None:
                async with client(office):
                    await office.connected.get()
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await stumble()
            await until(lambda: not office.up)

    run(story)


# ------------------------------------------------------------------ the command


def environment(**more: str) -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": CLIENT_PATH, "PYTHONUNBUFFERED": "1"} | more


def test_the_command_prints_calls_until_ctrl_c() -> None:
    async def story() -> None:
        async with channel() as office:
            office.open["a"] = call("a", 1, contact={"id": "c", "name": "Ann\x1b[2J"})
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hangtag_client", "live", "--api", office.api),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(HANGTAG_TOKEN=TOKEN),
            )
            try:
                assert process.stdout is not None
                printed = (await process.stdout.readline()).decode()
                assert "ringing" in printed
                assert "+79101234567  Ann [2J" in printed
                process.send_signal(signal.SIGINT)
                rest, complaints = await process.communicate()
                assert (process.returncode, rest) == (0, b"")
                assert complaints == b"(connected)\n"
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    run(story)


def test_the_command_says_what_is_wrong_with_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANGTAG_TOKEN", raising=False)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serving(lambda _: Reply(401)) as api:
        assert main(["live", "--api", api.url, "--token-file", str(file)]) == 2
        assert api.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert "hangtag live: the token is not good" in capsys.readouterr().err
        assert main(["live", "--api", api.url]) == 2
        assert "there is no token" in capsys.readouterr().err
        assert main(["live", "--api", api.url, "--token-file", str(tmp_path / "none")]) == 2
        assert "can't be read: No such file" in capsys.readouterr().err
        file.write_bytes(b"\xff")
        assert main(["live", "--api", api.url, "--token-file", str(file)]) == 2
        assert "can't be read: it is no text" in capsys.readouterr().err
        assert len(api.asked) == 1


def test_the_command_says_what_is_wrong_with_an_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANGTAG_TOKEN", TOKEN)
    with serving(lambda _: Reply(404)) as api:
        assert main(["live", "--api", api.url]) == 2
        assert "no ticket was given (the answer was 404)" in capsys.readouterr().err
    # Nothing listens there any more.
    assert main(["live", "--api", api.url]) == 2
    assert f"nothing answers at {api.url}: is the address right?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["live", "--api", "http://api.example"])
    assert left.value.code == 2
    assert "must be like https://" in capsys.readouterr().err


def test_a_line_says_what_a_window_shows() -> None:
    at = datetime(2030, 1, 1, 10, 0, 5, tzinfo=UTC)
    body = call(
        "a",
        3,
        "ended",
        line={"number": "+74951234567", "name": "Sales", "color": None},
        employee={"id": "e", "name": "Bob"},
        extension="101",
        outcome="success",
        talk_seconds=0,
        tag={"id": "t", "type": "call"},
    )
    known = read(json.dumps({"type": "call", "call": body}))
    assert isinstance(known, Call)
    assert line(Change(kind="call", call=known), at) == (
        "10:00:05  ended      in   +79101234567  line Sales  extension 101  employee Bob  success, 0 s  tag call"
    )
    missed = Change(kind="missed_call", missed_call={"id": "m", "external_number_formatted": "+79101234567"})
    assert line(missed, at) == "10:00:05  missed     in   +79101234567"
    assert line(Change(kind="missed_call", missed_call={"id": "m"}), at) == "10:00:05  missed     in   no number"
