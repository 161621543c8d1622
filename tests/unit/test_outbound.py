"""The door to the internet."""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hangtag import outbound
from hangtag.errors import BadInputError, UnreachableError


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


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]", "0", "169.254.169.254"]
)
def test_an_address_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(BadInputError):
        outbound.send("GET", f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https://user:password@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "//example.com",
        "javascript:1",
    ],
)
def test_what_is_no_address_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(BadInputError):
        outbound.send("GET", url)


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        outbound.send("GET", "https://nobody.invalid/")
