"""A PBX's server of recordings, on loopback: serves audio, and misbehaves in every way that a test may want."""

import gzip
import io
import math
import struct
import threading
import wave
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = [
    "Fetch",
    "MediaServer",
    "Serve",
    "audio",
    "bomb",
    "cut_off",
    "drip",
    "endless",
    "file",
    "in_turn",
    "media",
    "status",
    "to",
    "tone",
]

_RATE = 8000
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request: its path, and its headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Serve:
    """An answer: the body piece by piece. With `length` the header says so many bytes, whatever comes."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Callable[[], Iterator[bytes]] = lambda: iter(())
    length: int | None = None


@dataclass(slots=True)
class MediaServer:
    """The running server: what it serves at which path, and what it was asked for."""

    url: str = ""
    files: dict[str, Callable[[], Serve]] = field(default_factory=dict)
    asked: list[Fetch] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, serve: "Serve | Callable[[], Serve]") -> str:
        """Serve something at a path; its address."""
        self.files[path] = (lambda: serve) if isinstance(serve, Serve) else serve
        return self.url + path


@contextmanager
def media() -> Iterator[MediaServer]:
    """A server for as long as the context lasts."""
    server = MediaServer()

    class Handler(BaseHTTPRequestHandler):
        """One connection, one request."""

        def do_GET(self) -> None:
            server.asked.append(Fetch(self.path, {name.lower(): value for name, value in self.headers.items()}))
            make = server.files.get(self.path)
            # Whoever has heard enough hangs up.
            with suppress(OSError):
                self._serve(make() if make else status(404))

        def _serve(self, answer: Serve) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.length is not None:
                self.send_header("content-length", str(answer.length))
            self.end_headers()
            for piece in answer.pieces():
                self.wfile.write(piece)
                if server.over.is_set():
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing is printed."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        http.shutdown()
        thread.join(10)
        http.server_close()


def tone(seconds: float = 0.5) -> bytes:
    """A WAV file: 440 Hz, one channel of 8 kHz and 16 bit, as telephony has it."""
    told = io.BytesIO()
    with wave.open(told, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(_RATE)
        samples = (int(9000 * math.sin(2 * math.pi * 440 * at / _RATE)) for at in range(int(_RATE * seconds)))
        written.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return told.getvalue()


def file(body: bytes, kind: str = "audio/wav", **headers: str) -> Serve:
    """A whole file."""
    return Serve(headers={"content-type": kind, **headers}, pieces=lambda: iter((body,)), length=len(body))


def audio(seconds: float = 0.5) -> Serve:
    """A whole recording."""
    return file(tone(seconds))


def status(code: int, **headers: str) -> Serve:
    """An error, with a page that explains it."""
    page = b"<!doctype html><title>sorry</title>"
    kept = {name.replace("_", "-"): value for name, value in headers.items()}
    return Serve(code, {"content-type": "text/html", **kept}, lambda: iter((page,)), len(page))


def to(address: str, code: int = 302) -> Serve:
    """A redirect."""
    return Serve(code, {"location": address}, length=0)


def endless(size: int, declared: int | None = None) -> Serve:
    """Audio of that many bytes, made up as it goes."""

    def pieces() -> Iterator[bytes]:
        yield b"ID3\x04" + bytes(_PIECE - 4)
        for _ in range(size // _PIECE - 1):
            yield bytes(_PIECE)

    return Serve(headers={"content-type": "audio/mpeg"}, pieces=pieces, length=declared)


def drip(until: threading.Event, every: float = 0.05) -> Serve:
    """A byte now and then, without end."""

    def pieces() -> Iterator[bytes]:
        yield b"ID3\x04" + bytes(28)
        while not until.wait(every):
            yield b"\x00"

    return Serve(headers={"content-type": "audio/mpeg"}, pieces=pieces)


def bomb(size: int) -> Serve:
    """Audio that is packed a thousand to one."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = packing.compress(b"ID3\x04" + bytes(_PIECE - 4))
    packed += b"".join(packing.compress(bytes(_PIECE)) for _ in range(size // _PIECE - 1)) + packing.flush()
    headers = {"content-type": "audio/mpeg", "content-encoding": "gzip"}
    return Serve(headers=headers, pieces=lambda: iter((packed,)), length=len(packed))


def packed(body: bytes) -> Serve:
    """A whole file, packed although nobody asked for that."""
    small = gzip.compress(body)
    return Serve(headers={"content-encoding": "gzip"}, pieces=lambda: iter((small,)), length=len(small))


def cut_off(body: bytes) -> Serve:
    """A file of which the last half never comes."""
    return Serve(
        headers={"content-type": "audio/wav"}, pieces=lambda: iter((body[: len(body) // 2],)), length=len(body)
    )


def in_turn(*answers: Serve) -> Callable[[], Serve]:
    """One after the other; the last one for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]
