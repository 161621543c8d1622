"""Downloads of external files: bounded size and time, checked addresses, in pieces."""

import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from hangtag import outbound
from hangtag.errors import BadInputError, TooLargeError, UnreachableError
from hangtag.outbound.download import PIECE_BYTES, Download
from hangtag.services.recordings.audio import media_type
from local.simulator.media import (
    MediaServer,
    Serve,
    audio,
    bomb,
    cut_off,
    drip,
    endless,
    file,
    in_turn,
    media,
    packed,
    status,
    to,
    tone,
)

MEGABYTE = 1_000_000
PRIVATE = ("http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::ffff:169.254.169.254]/")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaServer]:
    """Run the server of a PBX on this machine, allowed as on the embedded stack."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")
    with media() as media_server:
        yield media_server


def read(url: str, **options: Any) -> bytes:
    with Download(url, **{"seconds": 20.0, **options}) as download:
        assert download.status == 200
        return b"".join(download.pieces())


def test_file_is_downloaded_completely_in_bounded_pieces(server: MediaServer) -> None:
    body = tone(30)
    with Download(server.put("/a.wav", file(body))) as download:
        pieces = list(download.pieces())
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= PIECE_BYTES


def test_compressed_file_is_decompressed(server: MediaServer) -> None:
    assert read(server.put("/a.wav", packed(tone()))) == tone()


@pytest.mark.parametrize(
    ("serve", "error", "words"),
    [
        (endless(2000 * MEGABYTE, declared=2000 * MEGABYTE), TooLargeError, "too large"),
        (endless(2000 * MEGABYTE), TooLargeError, "too large"),
        (bomb(50 * MEGABYTE), TooLargeError, "too large"),
        (cut_off(tone()), UnreachableError, "did not answer|cut off"),
        (file(b"\x1f\x8b\x08nonsense", **{"content-encoding": "gzip"}), UnreachableError, "decompressed"),
        (file(tone(), **{"content-encoding": "br"}), UnreachableError, "unknown content encoding"),
    ],
    ids=["declared", "endless", "bomb", "cut-off", "broken", "unknown-packing"],
)
def test_download_of_a_huge_or_corrupt_file_fails_with_the_reason(
    server: MediaServer, serve: Serve, error: type[Exception], words: str
) -> None:
    url = server.put("/a.mp3", serve)
    with pytest.raises(error, match=words):
        read(url, max_bytes=3 * MEGABYTE)


def test_slow_download_is_aborted_at_the_time_limit(server: MediaServer) -> None:
    over = threading.Event()
    url, start = server.put("/a.mp3", drip(over)), time.monotonic()
    with pytest.raises(UnreachableError):
        read(url, seconds=0.5)
    over.set()
    # The server would send without an end.
    assert time.monotonic() - start < 15


def test_redirects_are_followed_without_the_credentials(server: MediaServer) -> None:
    end = server.put("/a.wav", audio())
    url = server.put("/1", to("/2"))
    server.put("/2", to(end, 307))
    assert read(url, headers={"x-api-key": "secret"}) == tone()
    assert [request.headers.get("x-api-key") for request in server.requests] == ["secret", None, None]


@pytest.mark.parametrize("target", PRIVATE)
@pytest.mark.parametrize("hop", range(5))
def test_redirect_into_a_private_network_is_rejected_at_each_hop(server: MediaServer, hop: int, target: str) -> None:
    for number in range(hop):
        server.put(f"/{number}", to(f"/{number + 1}"))
    server.put(f"/{hop}", to(target))
    with pytest.raises(BadInputError, match="private"):
        read(f"{server.url}/0")
    assert len(server.requests) == hop + 1


def test_redirect_loop_ends_with_an_error(server: MediaServer) -> None:
    with pytest.raises(UnreachableError, match="redirects too often"):
        read(server.put("/round", to("/round")))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user:key@127.0.0.1/", "//[bad"]
)
def test_redirect_to_a_url_that_is_not_a_web_url_is_rejected(server: MediaServer, target: str) -> None:
    with pytest.raises((BadInputError, UnreachableError)):
        read(server.put("/1", to(target)))
    assert len(server.requests) == 1


def test_name_with_changing_addresses_reaches_no_private_network(
    server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.url.rpartition(":")[2])
    answers = iter(["127.0.0.1", "10.0.0.1"])

    def look_up(name: str, *rest: Any, **more: Any) -> Any:
        # Addresses are resolved too, to themselves.
        address = next(answers) if name == "pbx.example" else name
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[str] = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        connected.append(address[0])
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", note)
    # It redirects to itself, which resolves the name again.
    server.put("/1", in_turn(to(f"http://pbx.example:{port}/2"), audio()))
    with pytest.raises(BadInputError, match="private"):
        read(f"http://pbx.example:{port}/1")
    assert set(connected) <= {"127.0.0.1"}


def test_error_response_is_returned_with_its_status(server: MediaServer) -> None:
    with Download(server.put("/1", status(503, retry_after="30"))) as download:
        assert (download.status, download.answered["retry-after"]) == (503, "30")


def test_unencrypted_download_is_rejected_unless_allowed() -> None:
    with pytest.raises(BadInputError, match="https"), Download("http://pbx.example/1.mp3"):
        pass
    assert not outbound.is_public(ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (tone()[:16], "audio/wav"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x44", "audio/mpeg"),
        (b"\xff\xf3\x40\xc0", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"#!AMR\n", "audio/amr"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x1aE\xdf\xa3", "audio/webm"),
        (b"<!doctype html>", None),
        (b'{"error":"x"}', None),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None),
        (b"%PDF-1.7", None),
        (b"PK\x03\x04", None),
        (b"\xff\xd8\xff\xe0", None),
        (b"\xff\xff\xff\xff", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_media_type_is_detected_from_the_first_bytes(head: bytes, kind: str | None) -> None:
    assert media_type(head) == kind
