"""Tickets of the live client: tokens, addresses, pauses."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from hangtag.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    HangtagError,
    UnauthorizedError,
    UnreachableError,
)
from hangtag_client.live import LiveClient, Timing, TryLaterError
from hangtag_client.live.client import Pauses
from hangtag_client.live.link import need_library
from hangtag_client.live.ticket import check_api, check_live, retry_after
from http_fake import Response as ApiResponse
from live_client_helpers import LIMIT_SECONDS, QUICK, channel, client, cut, environment, run, summary, until


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_rejected_ticket_is_replaced(status: int) -> None:
    async def story() -> None:
        async with channel() as office:
            refused = Response(status, "No", Headers({"Content-Length": "0", "Retry-After": "0"}))
            office.refusals = [refused, refused]
            async with client(office) as live:
                await office.connected.get()
                await office.send_call("a", 1)
                assert summary(await anext(live)) == ("call", "a", 1, "ringing")
                assert len(office.requests) == 3

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
def test_permanent_errors_end_the_client(status: int, error: type[HangtagError]) -> None:
    async def story() -> None:
        async with channel() as office:
            office.replies = [ApiResponse(status, "<html>", {"Location": f"{office.api}/other"})]
            async with client(office) as live:
                for _ in range(2):
                    with pytest.raises(error):
                        await anext(live)
            assert len(office.requests) == 1

    run(story)


def test_expired_token_ends_the_client_after_earlier_changes() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            await office.send_call("a", 1)
            await until(lambda: "a" in live.calls)
            office.replies = [ApiResponse(401)]
            await cut(first)
            await until(lambda: len(office.requests) == 2)
            assert summary(await anext(live)) == ("call", "a", 1, "ringing")
            with pytest.raises(UnauthorizedError):
                await anext(live)

    run(story)


def test_address_that_worked_before_is_retried() -> None:
    async def story() -> None:
        async with channel() as office, client(office) as live:
            first = await office.connected.get()
            office.replies = [
                ApiResponse(404),
                ApiResponse(200, "a hotel's login"),
                ApiResponse(201, {"url": "ws://example.org/"}),
            ]
            await cut(first)
            await office.connected.get()
            await office.send_call("a", 1)
            assert summary(await anext(live)) == ("call", "a", 1, "ringing")
            assert len(office.requests) == 5

    run(story)


def test_retry_after_of_the_api_is_respected() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> None:
        async with channel() as office:
            in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
            office.replies = [
                ApiResponse(503, "", {"Retry-After": "7"}),
                ApiResponse(429, "", {"Retry-After": in_two_hours}),
                ApiResponse(500, "", {"Retry-After": "soon"}),
                ApiResponse(502),
            ]
            busy = Response(503, "Busy", Headers({"Content-Length": "0", "Retry-After": "9"}))
            office.refusals = [busy]
            async with client(office, Timing(), sleep=sleep, draw=lambda: 0.5) as live:
                await office.connected.get()
                await office.send_call("a", 1)
                await anext(live)
            assert slept == [7 + 0.25, 3600 + 0.5, 1.0, 2.0, 9 + 4.0]

    run(story)


def test_pauses_double_up_to_a_limit() -> None:
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
def test_only_a_lasting_connection_resets_the_pauses(lived: float, pauses: list[float]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> None:
        async with channel() as office, client(office, Timing(lived=lived), sleep=sleep, draw=lambda: 1.0) as live:
            for number in range(3):
                connection = await office.connected.get()
                # The server is connected shortly before the client.
                await office.send_call(f"c{number}", 1)
                await anext(live)
                await cut(connection)
            await office.connected.get()

    run(story)
    assert slept == pauses


def test_program_can_supply_the_tickets() -> None:
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
                await office.send_call("a", 1)
                assert summary(await anext(live)) == ("call", "a", 1, "ringing")
            assert not office.requests

    run(story)


def test_exception_in_the_ticket_function_is_raised() -> None:
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
def test_api_address_is_accepted(url: str) -> None:
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
def test_token_is_sent_to_secure_addresses_only(url: str) -> None:
    with pytest.raises(BadInputError):
        check_api(url)


@pytest.mark.parametrize("url", ["ws://api.example/?t=1", "https://api.example", "", "wss://", "ws://[::1"])
def test_connection_to_insecure_addresses_is_rejected(url: str) -> None:
    with pytest.raises(BadInputError):
        check_live(url)
    assert check_live("wss://api.example/?t=1") == "wss://api.example/?t=1"


@pytest.mark.parametrize("token", ["", "two words", "line\n", "ключ"])
def test_invalid_token_is_rejected_at_once(token: str) -> None:
    with pytest.raises(BadInputError, match="invalid characters"):
        LiveClient("https://api.example", token)


def test_client_requires_a_token_or_a_ticket_function() -> None:
    async def ticket() -> str:
        return ""

    for arguments in (
        {},
        {"api_url": "https://a"},
        {"token": "t"},
        {"api_url": "https://a", "token": "t", "ticket": ticket},
    ):
        with pytest.raises(TypeError):
            LiveClient(**arguments)


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
def test_retry_after_header_is_parsed(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_missing_library_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(ImportError, match=r"pip install \./clients/hangtag_client"):
        need_library()


def test_library_is_imported_on_demand() -> None:
    code = "import hangtag_client.live, sys; assert not {'websockets', 'requests'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), timeout=LIMIT_SECONDS)
