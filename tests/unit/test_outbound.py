"""HTTP client for outgoing requests: address checks, limits and retries."""

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
from http_fake import Request, Response, serving
from local.simulator import rest


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:831::200e", "::ffff:8.8.8.8"],
)
def test_public_address_is_allowed(address: str) -> None:
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
def test_private_and_special_addresses_are_not_allowed(address: str) -> None:
    assert not outbound.is_public(ipaddress.ip_address(address))


class Service(ThreadingHTTPServer):
    """A service on this machine; `ended` releases its delayed responses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Return the service's URL with a host name."""
        return f"http://localhost:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Handler whose response depends on the path."""

    server: Service

    def do_POST(self) -> None:
        """Return the request's body, or the response that the path selects."""
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
        """Log nothing."""


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


def test_request_keeps_the_host_name_of_its_url(service: str) -> None:
    answer = outbound.send("POST", service + "/echo", body=b"hello", plain=True, allowed=loopback)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-host"] == service.removeprefix("http://")


def test_redirect_of_a_post_is_not_followed(service: str) -> None:
    answer = outbound.send("POST", service + "/redirect", plain=True, allowed=loopback)
    assert (answer.status, answer.headers["location"]) == (302, "/echo")


def test_response_over_the_size_limit_is_an_error(service: str) -> None:
    with pytest.raises(UnreachableError, match="too long"):
        outbound.send("POST", service + "/huge", plain=True, allowed=loopback, max_bytes=1000)


def test_response_after_the_time_limit_is_an_error(service: str) -> None:
    with pytest.raises(UnreachableError, match="did not answer"):
        outbound.send("POST", service + "/slow", plain=True, allowed=loopback, seconds=0.2)


def test_slow_response_is_aborted_at_the_time_limit(service: str) -> None:
    with pytest.raises(UnreachableError, match="took too long"):
        outbound.send("POST", service + "/drip", plain=True, allowed=loopback, seconds=0.3)


def test_service_on_this_machine_is_unreachable_by_default(service: str) -> None:
    with pytest.raises(BadInputError, match="private network"):
        outbound.send("POST", service + "/echo", plain=True)


def test_unknown_host_is_unreachable() -> None:
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
def test_url_that_is_not_a_web_url_is_rejected_before_any_request(url: str) -> None:
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
def test_every_spelling_of_a_private_address_is_rejected(host: str) -> None:
    with pytest.raises((BadInputError, UnreachableError)) as refused:
        outbound.send("GET", f"https://{host}/", seconds=2)
    # This machine's resolver does not support all of these spellings.
    assert "private network" in str(refused.value) or isinstance(refused.value.__cause__, Exception)


def test_name_with_one_private_address_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: addresses)
    with pytest.raises(BadInputError, match="private network"):
        outbound.send("GET", "https://mixed.example.com/")


def test_connection_uses_the_checked_address(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between two look-ups is resolved once."""
    names: list[str] = []
    port = int(service.rsplit(":", 1)[1])

    def resolver(name: str, *_: object, **__: object) -> list[Any]:
        names.append(name)
        address = "127.0.0.1" if len(names) == 1 else "10.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    real = socket.getaddrinfo
    # urllib3 resolves an address again for its family, so an address resolves to itself.
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda name, *a, **k: real(name, *a, **k) if name[0].isdigit() else resolver(name)
    )
    answer = outbound.send("POST", f"http://rebinding.example:{port}/echo", body=b"x", plain=True, allowed=loopback)
    assert answer.status == 200
    assert names == ["rebinding.example"]


# ------------------------------------------------------------------ redirects and compression


def hopping(*hops: Response) -> Callable[[Request], Response]:
    """Return a handler that responds to /0, /1, … with these."""
    return lambda request: hops[int(request.path.strip("/"))]


def to(target: str) -> Response:
    return Response(302, "", {"location": target})


def test_redirects_are_followed_up_to_the_limit_without_the_headers() -> None:
    with serving(hopping(to("/1"), to("/2"), Response(200, "there"))) as server:
        url, headers = f"{server.url}/0", {"authorization": "Bearer x"}
        answer = outbound.send("GET", url, headers=headers, hops=2, plain=True, allowed=loopback)
        assert (answer.status, answer.body) == (200, b"there")
        assert ["authorization" in request.headers for request in server.requests] == [True, False, False]
        assert outbound.send("GET", url, hops=1, plain=True, allowed=loopback).status == 302
        assert outbound.send("POST", url, hops=5, plain=True, allowed=loopback).status == 302


@pytest.mark.parametrize("hop", range(4))
@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1:9001/", "file:///etc/passwd", "//[::ffff:10.0.0.1]/"],
)
def test_redirect_into_a_private_network_is_rejected_at_every_hop(hop: int, target: str) -> None:
    hops = [to(f"/{number + 1}") for number in range(hop)] + [to(target)]
    with serving(hopping(*hops)) as server, pytest.raises(BadInputError):
        outbound.send("GET", f"{server.url}/0", hops=6, plain=True, allowed=loopback)


def test_redirect_loop_ends_at_the_limit() -> None:
    with serving(hopping(to("/0"))) as server:
        assert outbound.send("GET", f"{server.url}/0", hops=5, plain=True, allowed=loopback).status == 302
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("packing", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_unrequested_compression_is_decompressed(packing: str, pack: Callable[[bytes], bytes]) -> None:
    with raw(pack(b"hello"), packing) as url:
        assert outbound.send("GET", url, plain=True, allowed=loopback).body == b"hello"


@pytest.mark.parametrize(
    ("body", "packing", "words"),
    [
        (gzip.compress(b"\0" * 10_000_000), "gzip", "too long"),
        (gzip.compress(b"hello")[:-4], "gzip", "cut off"),
        (b"hello", "gzip", "cannot be decompressed"),
        (b"hello", "br", "unknown content encoding"),
    ],
    ids=["bomb", "cut off", "no gzip", "brotli"],
)
def test_huge_or_corrupt_compressed_response_is_rejected(body: bytes, packing: str, words: str) -> None:
    with raw(body, packing) as url, pytest.raises(UnreachableError, match=words):
        outbound.send("GET", url, plain=True, allowed=loopback)


@contextmanager
def raw(body: bytes, packing: str) -> Iterator[str]:
    """Serve these bytes in response to every request."""

    class Packing:
        def credentials(self, url: str) -> Mapping[str, str]:
            return {}

        def settings(self, url: str) -> Mapping[str, Any]:
            return {}

        def respond(self, request: rest.Request) -> rest.Response:
            return rest.Response(200, body, {"content-encoding": packing})

    with rest.serving(Packing()) as server:
        yield server.url


# ------------------------------------------------------------------ the client for a PBX


class FakeLimiter:
    """A limiter that returns these waits, then zero."""

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


def pbx_client(limiter: FakeLimiter, seconds: float = 5.0) -> outbound.RateLimitedClient:
    limits = {"": Limit(100, 60), "statistics": Limit(3, 60)}
    return outbound.RateLimitedClient(limiter=limiter, tokens=NoTokens(), limits=limits, seconds=seconds)


@pytest.mark.usefixtures("_here")
def test_request_counts_against_the_general_limit_with_its_own() -> None:
    limiter = FakeLimiter()
    with serving(lambda _: Response(200)) as server:
        pbx_client(limiter).send("GET", server.url, limit="statistics")
        pbx_client(limiter).send("GET", server.url, limit="unknown")
    assert limiter.taken == ["", "statistics", ""]


@pytest.mark.usefixtures("_here")
def test_client_waits_for_a_limit_within_its_time_or_raises_the_wait() -> None:
    with serving(lambda _: Response(200)) as server:
        assert pbx_client(FakeLimiter(0.01, 0.0)).send("GET", server.url).status == 200
        with pytest.raises(TooManyError, match="in 60 seconds"):
            pbx_client(FakeLimiter(60.0)).send("GET", server.url)
        assert len(server.requests) == 1


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("17", 17.0), ("", 10.0), ("soon", 10.0), ("999999", 3600.0), ("-5", 10.0)]
)
def test_429_blocks_all_requests_for_the_requested_pause(retry_after: str, seconds: float) -> None:
    limiter = FakeLimiter()
    with serving(lambda _: Response(429, headers={"retry-after": retry_after})) as server, pytest.raises(TooManyError):
        pbx_client(limiter).send("GET", server.url, limit="statistics")
    assert limiter.held == [("statistics", seconds)]
    assert len(server.requests) == 1


def test_provider_can_block_requests_without_a_429() -> None:
    limiter = FakeLimiter()
    for limit, seconds in (("statistics", 5.0), ("", 6.0), ("unknown", 7.0), ("statistics", 99999.0)):
        pbx_client(limiter).hold(limit, seconds)
    assert limiter.held == [("statistics", 5.0), ("", 6.0), ("", 7.0), ("statistics", 3600.0)]


@pytest.mark.usefixtures("_here")
def test_429_with_a_retry_date_blocks_until_that_date() -> None:
    limiter = FakeLimiter()
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    with serving(lambda _: Response(429, headers={"retry-after": at})) as server, pytest.raises(TooManyError):
        pbx_client(limiter).send("GET", server.url)
    ((_, seconds),) = limiter.held
    assert 25 < seconds <= 30


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("method", "safe", "tries"), [("GET", None, 3), ("POST", None, 1), ("POST", True, 3), ("GET", False, 1)]
)
def test_only_safe_requests_are_retried(method: str, safe: bool | None, tries: int) -> None:
    with serving(lambda _: Response(503)) as server:
        assert pbx_client(FakeLimiter()).send(method, server.url, safe=safe).status == 503
        assert len(server.requests) == tries


@pytest.mark.usefixtures("_here")
def test_retry_returns_the_first_successful_response() -> None:
    statuses = iter([503, 502, 200])
    with serving(lambda _: Response(next(statuses))) as server:
        assert pbx_client(FakeLimiter()).send("GET", server.url).status == 200


@pytest.mark.usefixtures("_here")
def test_internal_server_error_is_not_retried() -> None:
    with serving(lambda _: Response(500)) as server:
        assert pbx_client(FakeLimiter()).send("GET", server.url).status == 500
        assert len(server.requests) == 1


def test_access_token_is_requested_again_after_end_or_rejection() -> None:
    requests: list[str] = []
    client = pbx_client(FakeLimiter())

    def request(value: str, seconds: float) -> Callable[[], Token]:
        def new_token() -> Token:
            requests.append(value)
            return Token(value, seconds)

        return new_token

    assert client.token("access", request("one", 3600)) == "one"
    assert client.token("access", request("two", 3600)) == "one"
    client.forget("access")
    # A token is not used in its last minute.
    assert client.token("access", request("three", 30)) == "three"
    assert client.token("access", request("four", 3600)) == "four"
    assert requests == ["one", "three", "four"]
