"""State of the calls in the live client: messages, duplicates, unread changes."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from hangtag_client.live import Call, Change
from hangtag_client.live.board import Board, Unread
from hangtag_client.live.values import Missed, Signal, read
from live_client_helpers import TOKEN, channel, client, message, run, summary, until


def test_call_stays_open_until_it_ends() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.send_call(
                "a", 1, contact={"id": "c", "name": "Ann"}, started_at="2030-01-01T10:00:00.000+00:00"
            )
            change = await anext(live)
            assert change.call is not None
            assert change.call.contact is not None
            assert (change.kind, change.call.window_state, change.call.contact.name) == ("call", "ringing", "Ann")
            assert change.call.started_at == datetime(2030, 1, 1, 10, tzinfo=UTC)
            assert dict(live.calls) == {"a": change.call}
            await office.send_call("a", 2, "answered")
            assert summary(await anext(live)) == ("call", "a", 2, "answered")
            await office.send_call("a", 3, "ended", outcome="success", talk_seconds=5)
            assert summary(await anext(live)) == ("call", "a", 3, "ended")
            assert not live.calls
            await office.send_call("a", 4, "ended", tag={"id": "t", "type": "call"})
            assert summary(await anext(live)) == ("call", "a", 4, "ended")
            request = office.requests[0]
            assert (request.method, request.path, request.json) == ("POST", "/v1/live-tickets", {})
            assert request.headers["authorization"] == f"Bearer {TOKEN}"

    run(story)


@pytest.mark.parametrize("state", ["taken", "gone"])
def test_call_answered_elsewhere_is_gone(state: str) -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.send_call("a", 1)
            await anext(live)
            await office.send_call("a", 2, state)
            assert summary(await anext(live)) == ("gone", "a", 2, state)
            assert not live.calls

    run(story)


def test_late_or_repeated_messages_have_no_effect() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            await office.send_call("a", 2, "answered")
            assert summary(await anext(live)) == ("call", "a", 2, "answered")
            await office.send_call("a", 1)
            await office.send_call("a", 2, "answered")
            await office.send_call("a", 3, "ended")
            assert summary(await anext(live)) == ("call", "a", 3, "ended")
            await office.send_call("a", 2, "answered")
            await office.send_call("a", 3, "ended")
            await office.send_call("last", 1)
            assert summary(await anext(live)) == ("call", "last", 1, "ringing")
            assert list(live.calls) == ["last"]

    run(story)


def test_missed_call_is_reported_once() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            for missed in ("m1", "m1", "m2", "m1"):
                await office.push({"type": "missed_call", "missed_call": {"id": missed, "rung": ["e"]}})
            await office.send_call("last", 1)
            first, second, last = [await anext(live) for _ in range(3)]
            assert (first.kind, first.missed_call) == ("missed_call", {"id": "m1", "rung": ("e",)})
            assert (second.kind, second.missed_call and second.missed_call["id"]) == ("missed_call", "m2")
            assert summary(last) == ("call", "last", 1, "ringing")

    run(story)


def test_unknown_messages_are_ignored() -> None:
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
            await office.send_call("last", 1)
            assert summary(await anext(live)) == ("call", "last", 1, "ringing")
            assert len(office.up_at_connect) == 1

    run(story)


def test_unknown_fields_stay_in_the_body() -> None:
    body = {
        "id": "a",
        "seq": 1,
        "window_state": "parked",
        "mood": {"tags": ["x"]},
        "external_number": 7,
        "contact": {"name": "?"},
        "talk_seconds": "long",
    }
    parsed = read(
        json.dumps({"type": "call", "call": body | {"started_at": "tomorrow", "line": [], "tag": {"id": "t"}}})
    )
    assert isinstance(parsed, Call)
    assert parsed.open
    assert (parsed.external_number, parsed.contact, parsed.talk_seconds, parsed.started_at, parsed.line) == (None,) * 5
    assert parsed.tag is not None
    assert (parsed.tag.id, parsed.tag.type) == ("t", None)
    assert parsed.body["mood"]["tags"] == ("x",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        parsed.window_state = "ended"  # type: ignore[misc]
    with pytest.raises(TypeError):
        parsed.body["mood"]["tags"] = ()
    assert read('{"type": "pong"}') is Signal.PONG
    assert read('{"type": "synced", "more": 1}') is Signal.SYNCED


def test_slow_reader_gets_the_newest_state_of_a_call() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            for seq in range(1, 501):
                await office.send_call("a", seq)
            await office.send_call("b", 1)
            await until(lambda: "b" in live.calls)
            assert summary(await anext(live)) == ("call", "a", 500, "ringing")
            assert summary(await anext(live)) == ("call", "b", 1, "ringing")
            await office.send_call("a", 501, "answered")
            assert summary(await anext(live)) == ("call", "a", 501, "answered")

    run(story)


def test_unread_changes_are_bounded() -> None:
    unread = Unread(most=10)
    open_call = Change(kind="call", call=message("open", 1))
    unread.put(open_call)
    for number in range(1000):
        unread.put(Change(kind="missed_call", missed_call={"id": f"m{number}"}))
        unread.put(Change(kind="call", call=message(f"c{number}", 2, "ended")))
    assert len(unread) == 10
    assert unread.pop() == open_call


def test_memory_of_closed_calls_is_bounded() -> None:
    board = Board(remembered=10)
    for number in range(1000):
        board.apply(message(f"c{number}", 2, "ended"))
        board.apply(Missed(f"m{number}", {"id": f"m{number}"}))
    assert board.apply(message("c999", 1)) is None
    assert board.apply(Missed("m999", {"id": "m999"})) is None
    assert board.apply(Missed("m0", {"id": "m0"})) is not None


def test_call_sent_again_after_a_sync_is_open_again() -> None:
    board = Board()
    board.apply(message("a", 3))
    assert [summary(change) for change in board.settle(board.moment())] == [("gone", "a", 3, "gone")]
    assert board.apply(message("a", 2)) is None
    again = board.apply(message("a", 3))
    assert again is not None
    assert summary(again) == ("call", "a", 3, "ringing")
