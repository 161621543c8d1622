"""The door to the internet."""

import gzip
import ipaddress
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fake_clients import NoTokens
from hangtag import outbound
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.limits import Limit, Token
from http_fake import Asked, Reply, serving
from local.simulator import rest


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:831::200e", "::ffff:8.8.8.8"],
)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert outbound.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%1",
        "ff02::1",
    ],
)
def test_no_other_address_may_be_reached(address: str) -> None:
    assert not outbound.is_public(ipaddress.ip_address(address))


class Service(ThreadingHTTPServer):
    """A service on this machine; `ended` lets go of what it holds back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Its address, by a name."""
        return f"http://localhost:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers by the path of the request."""

    server: Service

    def do_POST(self) -> None:
        """Give back what was sent, or what the path names."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path == "/slow":
            self.server.ended.wait(30)
            return
        self.send_response(302 if self.path == "/redirect" else 200)
        if self.path == "/redirect":
            self.send_header("location", "/echo")
        if self.path == "/huge":
            body = b"x" * 2000
        self.send_header("x-host", self.headers["host"])
        self.send_header("content-length", str(len(body)) if self.path != "/drip" else "1000000")
        self.end_headers()
        self.wfile.write(body)
        with suppress(ConnectionError):
            while self.path == "/drip" and not self.server.ended.wait(0.01):
                self.wfile.write(b"x")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.url
        server.ended.set()
        server.shutdown()
        thread.join()


def loopback(address: outbound.Address) -> bool:
    return address.is_loopback


def test_a_request_arrives_under_its_name_and_its_answer_comes_back(service: str) -> None:
    answer = outbound.send("POST", service + "/echo", body=b"hello", plain=True, allowed=loopback)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-host"] == service.removeprefix("http://")


def test_a_redirect_is_not_followed(service: str) -> None:
    answer = outbound.send("POST", service + "/redirect", plain=True, allowed=loopback)
    assert (answer.status, answer.headers["location"]) == (302, "/echo")


def test_too_long_an_answer_is_cut_off(service: str) -> None:
    with pytest.raises(UnreachableError, match="too long"):
        outbound.send("POST", service + "/huge", plain=True, allowed=loopback, max_bytes=1000)


def test_too_late_an_answer_is_not_waited_for(service: str) -> None:
    with pytest.raises(UnreachableError, match="did not answer"):
        outbound.send("POST", service + "/slow", plain=True, allowed=loopback, seconds=0.2)


def test_a_service_that_drips_its_answer_is_given_up(service: str) -> None:
    with pytest.raises(UnreachableError, match="took too long"):
        outbound.send("POST", service + "/drip", plain=True, allowed=loopback, seconds=0.3)


def test_a_service_on_this_machine_is_out_of_reach(service: str) -> None:
    with pytest.raises(BadInputError, match="private network"):
        outbound.send("POST", service + "/echo", plain=True)


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        outbound.send("GET", "https://nobody.invalid/")


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:1",
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "//example.com/",
        "https://",
        "https://user@example.com/",
        "https://good.example.com@evil.example.com/",
        "https://:secret@example.com/",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:25/",
        "https://example.com:99999/",
        "https://[::1/",
        "http://example.com/",
    ],
)
def test_an_address_that_is_not_the_webs_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(BadInputError):
        outbound.check(url)
    with pytest.raises(BadInputError):
        outbound.send("GET", url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "169.254.169.254",
        "169.254.169.254.",
        "10.0.0.1",
        "100.64.0.1",
    ],
)
def test_no_spelling_of_a_private_address_is_reached(host: str) -> None:
    with pytest.raises((BadInputError, UnreachableError)) as refused:
        outbound.send("GET", f"https://{host}/", seconds=2)
    # A spelling that this machine's resolver does not know leads nowhere at all.
    assert "private network" in str(refused.value) or isinstance(refused.value.__cause__, Exception)


def test_a_name_of_which_one_address_is_private_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(BadInputError, match="private network"):
        outbound.send("GET", "https://mixed.example.com/")


def test_the_address_that_was_checked_is_the_one_that_is_used(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between two look-ups is looked up once."""
    asked: list[str] = []
    port = int(service.rsplit(":", 1)[1])

    def resolver(name: str, *_: object, **__: object) -> list[Any]:
        asked.append(name)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    real = socket.getaddrinfo
    # urllib3 looks an address up once more, to find its family: an address leads to itself.
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda name, *a, **k: real(name, *a, **k) if name[0].isdigit() else resolver(name)
    )
    answer = outbound.send("POST", f"http://rebinding.example:{port}/echo", body=b"x", plain=True, allowed=loopback)
    assert answer.status == 200
    assert asked == ["rebinding.example"]


# ------------------------------------------------------------------ redirects, and what is packed


def hopping(*hops: Reply) -> Callable[[Asked], Reply]:
    """A server that answers /0, /1, … with these."""
    return lambda asked: hops[int(asked.path.strip("/"))]


def to(target: str) -> Reply:
    return Reply(302, "", {"location": target})


def test_redirects_are_followed_as_far_as_is_said_and_headers_go_to_the_first_hop_only() -> None:
    with serving(hopping(to("/1"), to("/2"), Reply(200, "there"))) as server:
        url, headers = f"{server.url}/0", {"authorization": "Bearer x"}
        answer = outbound.send("GET", url, headers=headers, hops=2, plain=True, allowed=loopback)
        assert (answer.status, answer.body) == (200, b"there")
        assert ["authorization" in asked.headers for asked in server.asked] == [True, False, False]
        assert outbound.send("GET", url, hops=1, plain=True, allowed=loopback).status == 302
        assert outbound.send("POST", url, hops=5, plain=True, allowed=loopback).status == 302


@pytest.mark.parametrize("hop", range(4))
@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1:9001/", "file:///etc/passwd", "//[::ffff:10.0.0.1]/"],
)
def test_a_redirect_into_a_private_network_is_refused_at_every_hop(hop: int, target: str) -> None:
    hops = [to(f"/{number + 1}") for number in range(hop)] + [to(target)]
    with serving(hopping(*hops)) as server, pytest.raises(BadInputError):
        outbound.send("GET", f"{server.url}/0", hops=6, plain=True, allowed=loopback)


def test_redirects_that_go_round_end() -> None:
    with serving(hopping(to("/0"))) as server:
        assert outbound.send("GET", f"{server.url}/0", hops=5, plain=True, allowed=loopback).status == 302
        assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("packing", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_an_answer_that_is_packed_although_it_should_not_is_unpacked(
    packing: str, pack: Callable[[bytes], bytes]
) -> None:
    with raw(pack(b"hello"), packing) as url:
        assert outbound.send("GET", url, plain=True, allowed=loopback).body == b"hello"


@pytest.mark.parametrize(
    ("body", "packing", "words"),
    [
        (gzip.compress(b"\0" * 10_000_000), "gzip", "too long"),
        (gzip.compress(b"hello")[:-4], "gzip", "cut off"),
        (b"hello", "gzip", "can't be unpacked"),
        (b"hello", "br", "unknown way"),
    ],
    ids=["bomb", "cut off", "no gzip", "brotli"],
)
def test_a_packed_answer_that_is_huge_or_broken_is_refused(body: bytes, packing: str, words: str) -> None:
    with raw(body, packing) as url, pytest.raises(UnreachableError, match=words):
        outbound.send("GET", url, plain=True, allowed=loopback)


@contextmanager
def raw(body: bytes, packing: str) -> Iterator[str]:
    """A server that answers all with these bytes."""

    class Packing:
        def credentials(self, url: str) -> Mapping[str, str]:
            return {}

        def settings(self, url: str) -> Mapping[str, Any]:
            return {}

        def answer(self, asked: rest.Asked) -> rest.Reply:
            return rest.Reply(200, body, {"content-encoding": packing})

    with rest.serving(Packing()) as server:
        yield server.url


# ------------------------------------------------------------------ the door to a PBX


class Clock:
    """A limiter that has no place for so many times."""

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)
        self.taken: list[str] = []
        self.held: list[tuple[str, float]] = []

    def take(self, name: str, limit: Limit) -> float:
        self.taken.append(name)
        return self.waits.pop(0) if self.waits else 0.0

    def hold(self, name: str, seconds: float) -> None:
        self.held.append((name, seconds))


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


def door(limiter: Clock, seconds: float = 5.0) -> outbound.RateLimitedClient:
    limits = {"": Limit(100, 60), "statistics": Limit(3, 60)}
    return outbound.RateLimitedClient(limiter=limiter, tokens=NoTokens(), limits=limits, seconds=seconds)


@pytest.mark.usefixtures("_here")
def test_each_request_takes_a_place_under_the_general_limit_and_its_own() -> None:
    clock = Clock()
    with serving(lambda _: Reply(200)) as server:
        door(clock).send("GET", server.url, limit="statistics")
        door(clock).send("GET", server.url, limit="unknown")
    assert clock.taken == ["", "statistics", ""]


@pytest.mark.usefixtures("_here")
def test_a_limit_is_waited_for_if_there_is_time_and_told_if_there_is_none() -> None:
    with serving(lambda _: Reply(200)) as server:
        assert door(Clock(0.01, 0.0)).send("GET", server.url).status == 200
        with pytest.raises(TooManyError, match="in 60 seconds"):
            door(Clock(60.0)).send("GET", server.url)
        assert len(server.asked) == 1


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("said", "seconds"), [("17", 17.0), ("", 10.0), ("soon", 10.0), ("999999", 3600.0), ("-5", 10.0)]
)
def test_after_429_nobody_asks_for_as_long_as_the_pbx_says(said: str, seconds: float) -> None:
    clock = Clock()
    with serving(lambda _: Reply(429, headers={"retry-after": said})) as server, pytest.raises(TooManyError):
        door(clock).send("GET", server.url, limit="statistics")
    assert clock.held == [("statistics", seconds)]
    assert len(server.asked) == 1


def test_a_pbx_may_be_left_alone_without_429() -> None:
    clock = Clock()
    for limit, seconds in (("statistics", 5.0), ("", 6.0), ("unknown", 7.0), ("statistics", 99999.0)):
        door(clock).hold(limit, seconds)
    assert clock.held == [("statistics", 5.0), ("", 6.0), ("", 7.0), ("statistics", 3600.0)]


@pytest.mark.usefixtures("_here")
def test_429_with_a_date_is_understood() -> None:
    clock = Clock()
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    with serving(lambda _: Reply(429, headers={"retry-after": at})) as server, pytest.raises(TooManyError):
        door(clock).send("GET", server.url)
    ((_, seconds),) = clock.held
    assert 25 < seconds <= 30


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("method", "safe", "tries"), [("GET", None, 3), ("POST", None, 1), ("POST", True, 3), ("GET", False, 1)]
)
def test_only_what_is_safe_is_sent_again(method: str, safe: bool | None, tries: int) -> None:
    with serving(lambda _: Reply(503)) as server:
        assert door(Clock()).send(method, server.url, safe=safe).status == 503
        assert len(server.asked) == tries


@pytest.mark.usefixtures("_here")
def test_a_second_try_may_do() -> None:
    left = iter([503, 502, 200])
    with serving(lambda _: Reply(next(left))) as server:
        assert door(Clock()).send("GET", server.url).status == 200


@pytest.mark.usefixtures("_here")
def test_an_error_of_the_pbxs_own_is_not_tried_again() -> None:
    with serving(lambda _: Reply(500)) as server:
        assert door(Clock()).send("GET", server.url).status == 500
        assert len(server.asked) == 1


def test_a_token_is_asked_for_once_and_again_when_it_ends_or_is_refused() -> None:
    asked: list[str] = []
    way = door(Clock())

    def ask(value: str, seconds: float) -> Callable[[], Token]:
        def made() -> Token:
            asked.append(value)
            return Token(value, seconds)

        return made

    assert way.token("access", ask("one", 3600)) == "one"
    assert way.token("access", ask("two", 3600)) == "one"
    way.forget("access")
    # In its last minute it is not used any more.
    assert way.token("access", ask("three", 30)) == "three"
    assert way.token("access", ask("four", 3600)) == "four"
    assert asked == ["one", "three", "four"]
