"""Connections of the live client: reconnection, pings, renewal."""

import asyncio
import dataclasses

import pytest
from websockets.protocol import State

from hangtag_client.live.board import Board
from live_client_helpers import QUICK, call, channel, client, cut, message, run, send, summary, until


def test_lost_connection_is_opened_again() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.send_call("a", 1)
            await anext(live)
            await cut(first)
            await office.connected.get()
            await office.send_call("a", 2, "answered")
            assert summary(await anext(live)) == ("call", "a", 2, "answered")
            assert len(office.asked) == 2

    run(story)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
def test_connection_closed_by_the_server_is_opened_again(code: int) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await (await office.connected.get()).close(code)
            await office.connected.get()
            await office.send_call("a", 1)
            assert summary(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


@pytest.mark.parametrize("bad", ["x" * 200_000, b"\xff"], ids=["too long", "no text"])
def test_invalid_frame_only_costs_the_connection(bad: str | bytes) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await (await office.connected.get()).send(bad, text=True)
            await office.connected.get()
            await office.send_call("a", 1)
            assert summary(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_unanswered_ping_ends_the_connection() -> None:
    async def story() -> None:
        async with channel() as office:
            office.pongs = lambda number: number > 0
            async with client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=1.0)) as live:
                await office.connected.get()
                await office.connected.get()
                # On a slow machine a later connection can report it.
                await office.send_call("a", 1)
                assert summary(await anext(live)) == ("call", "a", 1, "ringing")
                # One ping was sent, and nothing after it.
                assert office.received.count((0, "ping")) == 1

    run(story)


def test_answered_pings_keep_the_connection() -> None:
    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=30.0)):
            await office.connected.get()
            await until(lambda: office.received.count((0, "ping")) >= 20)
            assert len(office.up_at_connect) == 1

    run(story)


def test_missing_sync_is_requested_again() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda _: (0, "sync") in office.received
            office.open["a"] = call("a", 1)
            async with client(office, dataclasses.replace(QUICK, ping_every=0.01, pong_within=30.0)) as live:
                assert summary(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_calls_that_ended_while_disconnected_are_gone() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.send_call("stays", 1)
            await anext(live)
            await office.send_call("ends", 4, "answered")
            await anext(live)
            del office.open["ends"]
            await cut(first)
            assert summary(await anext(live)) == ("gone", "ends", 4, "gone")
            assert list(live.calls) == ["stays"]
            await office.connected.get()
            await office.send_call("ends", 5, "ended", tag={"id": "t", "type": "call"})
            assert summary(await anext(live)) == ("call", "ends", 5, "ended")

    run(story)


def test_renewal_loses_no_changes() -> None:
    count = 100

    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, renew_after=0.0)) as live:
            await office.connected.get()

            async def talk() -> None:
                number = 0
                # The last message is sent after many renewals.
                while number < count or len(office.up_at_connect) < 6:
                    await office.push({"type": "missed_call", "missed_call": {"id": f"m{number}"}})
                    await office.send_call(f"c{number}", 1)
                    number += 1
                    await asyncio.sleep(0.001)
                await office.send_call("last", 1)

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
            # A sync can contain a call shortly before its own message arrives.
            assert sorted(calls) == sorted(f"c{number}" for number in range(len(missed)))
            assert len(missed) >= count
            assert office.up_at_connect[0] == 0
            assert all(up >= 1 for up in office.up_at_connect[1:])
            assert len(live.calls) == len(calls) + 1

    run(story)


def test_old_connection_is_closed_after_the_sync() -> None:
    async def story() -> None:
        async with channel() as office, client(office, dataclasses.replace(QUICK, renew_after=0.0)):
            first = await office.connected.get()
            await first.wait_closed()
            assert first.close_code == 1000
            # Messages of the old connection alone are requested on the new one.
            await until(lambda: (1, "sync") in office.received)

    run(story)


def test_messages_in_flight_on_the_old_connection_are_read() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda number: number == 0
            timing = dataclasses.replace(QUICK, ping_every=0.5, close_within=20.0, renew_after=0.0, synced_within=60.0)
            async with client(office, timing) as live:
                first, second = await office.connected.get(), await office.connected.get()
                await until(lambda: len(live._links) == 2)
                # The server does not notice yet that the client is closing.
                first.transport.pause_reading()
                await send(second, {"type": "synced"})
                await until(lambda: live._links[0]._socket.state is State.CLOSING)
                # A ping is due.
                await until(lambda: live._links[0].age > 1.0)
                await send(first, {"type": "missed_call", "missed_call": {"id": "m"}})
                change = await anext(live)
                assert change.missed_call == {"id": "m"}
                first.transport.resume_reading()
                await first.wait_closed()
                assert first.close_code == 1000

    run(story)


def test_failed_renewal_keeps_the_old_connection() -> None:
    async def story() -> None:
        async with channel() as office:
            office.syncs = lambda number: number == 0
            timing = dataclasses.replace(QUICK, renew_after=0.0, synced_within=0.05, lived=3600.0)
            async with client(office, timing) as live:
                first = await office.connected.get()
                await until(lambda: len(office.up_at_connect) >= 3)
                await send(first, {"type": "call", "call": call("a", 1)})
                assert summary(await anext(live)) == ("call", "a", 1, "ringing")
                assert all(up >= 1 for up in office.up_at_connect[1:])
                assert first.state is State.OPEN

    run(story)


def test_call_from_the_old_connection_stays_open() -> None:
    """The call arrives between the new connection's list of calls and its `synced`."""
    board = Board()
    board.apply(message("before", 1))
    since = board.moment()
    board.apply(message("during", 1))
    board.apply(message("before", 1))
    assert board.settle(since) == []
    since = board.moment()
    assert {change.call.id for change in board.settle(since) if change.call} == {"before", "during"}
    assert not board.calls
