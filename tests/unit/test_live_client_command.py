"""End of the live client, and the command `hangtag live`."""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hangtag_client.__main__ import main
from hangtag_client.live import Call, Change
from hangtag_client.live.command import line
from hangtag_client.live.values import read
from http_fake import Request as ApiRequest
from http_fake import Response as ApiResponse
from http_fake import serving
from live_client_helpers import (
    LIMIT_SECONDS,
    QUICK,
    TOKEN,
    SilentServer,
    call,
    channel,
    client,
    environment,
    port_of,
    run,
    summary,
    until,
)


def test_exit_closes_the_connection() -> None:
    async def story() -> None:
        async with channel() as office:
            before = asyncio.all_tasks()
            async with client(office) as live:
                connection = await office.connected.get()
                # The server is connected shortly before the client.
                await office.send_call("a", 1)
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


@pytest.mark.parametrize("moment", ["ticket", "handshake", "pause", "two connections"])
def test_exit_works_at_any_moment(moment: str) -> None:
    async def story() -> None:
        reached, release = asyncio.Event(), threading.Event()

        async def pause(*_: object) -> Any:
            reached.set()
            await asyncio.Event().wait()

        async with channel() as office, contextlib.AsyncExitStack() as later:
            later.callback(release.set)
            timing, more = QUICK, dict[str, Any]()
            if moment == "ticket":
                loop, answer = asyncio.get_running_loop(), office.respond

                def slow(request: ApiRequest) -> ApiResponse:
                    loop.call_soon_threadsafe(reached.set)
                    release.wait(LIMIT_SECONDS)
                    return answer(request)

                api = later.enter_context(serving(slow))
                later.callback(release.set)
                office.api = api.url
            elif moment == "handshake":
                silent = await asyncio.get_running_loop().create_server(SilentServer, "127.0.0.1", 0)
                later.callback(silent.close)
                office.url = f"ws://127.0.0.1:{port_of(silent)}/"
            elif moment == "pause":
                office.replies, more = [ApiResponse(503)], {"sleep": pause}
            else:
                office.syncs = lambda number: number == 0
                timing = dataclasses.replace(QUICK, renew_after=0.0, synced_within=3600.0)
            SilentServer.reached = reached
            before = asyncio.all_tasks()
            async with client(office, timing, **more):
                await (until(lambda: len(office.up) == 2) if moment == "two connections" else reached.wait())
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hangtag live")]
            await until(lambda: not office.up)
            await until(lambda: not asyncio.all_tasks() - before)

    run(story)


def test_cancelled_reader_loses_no_changes() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            await office.connected.get()
            reading = asyncio.create_task(anext(live))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
            await office.send_call("a", 1)
            assert summary(await anext(live)) == ("call", "a", 1, "ringing")

    run(story)


def test_error_in_the_program_closes_the_connection() -> None:
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


def test_command_prints_calls_until_ctrl_c() -> None:
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
                assert complaints == b"(Connected.)\n"
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    run(story)


def test_command_explains_a_wrong_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANGTAG_TOKEN", raising=False)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serving(lambda _: ApiResponse(401)) as api:
        assert main(["live", "--api", api.url, "--token-file", str(file)]) == 2
        assert api.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert "hangtag live: The token is invalid" in capsys.readouterr().err
        assert main(["live", "--api", api.url]) == 2
        assert "The token is missing" in capsys.readouterr().err
        assert main(["live", "--api", api.url, "--token-file", str(tmp_path / "none")]) == 2
        assert "can't be read: No such file" in capsys.readouterr().err
        file.write_bytes(b"\xff")
        assert main(["live", "--api", api.url, "--token-file", str(file)]) == 2
        assert "can't be read: it is not text" in capsys.readouterr().err
        assert len(api.requests) == 1


def test_command_explains_a_wrong_address(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANGTAG_TOKEN", TOKEN)
    with serving(lambda _: ApiResponse(404)) as api:
        assert main(["live", "--api", api.url]) == 2
        assert "contains no ticket (HTTP 404)" in capsys.readouterr().err
    # The server has been closed.
    assert main(["live", "--api", api.url]) == 2
    assert f"{api.url} does not respond. Check the address." in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["live", "--api", "http://api.example"])
    assert left.value.code == 2
    assert "such as https://" in capsys.readouterr().err


def test_line_contains_the_fields_of_the_window() -> None:
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
    parsed = read(json.dumps({"type": "call", "call": body}))
    assert isinstance(parsed, Call)
    assert line(Change(kind="call", call=parsed), at) == (
        "10:00:05  ended      in   +79101234567  line Sales  extension 101  employee Bob  success, 0 s  tag call"
    )
    missed = Change(kind="missed_call", missed_call={"id": "m", "external_number_formatted": "+79101234567"})
    assert line(missed, at) == "10:00:05  missed     in   +79101234567"
    assert line(Change(kind="missed_call", missed_call={"id": "m"}), at) == "10:00:05  missed     in   no number"
