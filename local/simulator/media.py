"""Recording server of a simulated PBX, on loopback, with the faults that tests need."""

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
    """A response with its body in pieces. `length` sets Content-Length, which can differ from the size."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Callable[[], Iterator[bytes]] = lambda: iter(())
    length: int | None = None


@dataclass(slots=True)
class MediaServer:
    """The running server: responses by path in `files`, and the received `requests`."""

    url: str = ""
    files: dict[str, Callable[[], Serve]] = field(default_factory=dict)
    requests: list[Fetch] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, serve: "Serve | Callable[[], Serve]") -> str:
        """Serve a response at a path; return its URL."""
        self.files[path] = (lambda: serve) if isinstance(serve, Serve) else serve
        return self.url + path


@contextmanager
def media() -> Iterator[MediaServer]:
    """Run a server while the context lasts."""
    server = MediaServer()

    class Handler(BaseHTTPRequestHandler):
        """Handler of one request per connection."""

        def do_GET(self) -> None:
            server.requests.append(Fetch(self.path, {name.lower(): value for name, value in self.headers.items()}))
            make = server.files.get(self.path)
            # A client that reached its limit closes the connection.
            with suppress(OSError):
                self._serve(make() if make else status(404))

        def _serve(self, response: Serve) -> None:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.length is not None:
                self.send_header("content-length", str(response.length))
            self.end_headers()
            for piece in response.pieces():
                self.wfile.write(piece)
                if server.over.is_set():
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Suppress the log on stderr."""

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
    """Return a WAV file: 440 Hz, mono, 8 kHz, 16 bit, as in telephony."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(_RATE)
        samples = (int(9000 * math.sin(2 * math.pi * 440 * at / _RATE)) for at in range(int(_RATE * seconds)))
        wav.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return buffer.getvalue()


def file(body: bytes, kind: str = "audio/wav", **headers: str) -> Serve:
    """Return a complete file."""
    return Serve(headers={"content-type": kind, **headers}, pieces=lambda: iter((body,)), length=len(body))


def audio(seconds: float = 0.5) -> Serve:
    """Return a complete recording."""
    return file(tone(seconds))


def status(code: int, **headers: str) -> Serve:
    """Return an error response with an HTML page."""
    page = b"<!doctype html><title>sorry</title>"
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Serve(code, {"content-type": "text/html", **more}, lambda: iter((page,)), len(page))


def to(address: str, code: int = 302) -> Serve:
    """Return a redirect."""
    return Serve(code, {"location": address}, length=0)


def endless(size: int, declared: int | None = None) -> Serve:
    """Return `size` bytes of audio, generated while they are sent."""

    def pieces() -> Iterator[bytes]:
        yield b"ID3\x04" + bytes(_PIECE - 4)
        for _ in range(size // _PIECE - 1):
            yield bytes(_PIECE)

    return Serve(headers={"content-type": "audio/mpeg"}, pieces=pieces, length=declared)


def drip(until: threading.Event, every: float = 0.05) -> Serve:
    """Return an endless response that sends one byte every `every` seconds until `until` is set."""

    def pieces() -> Iterator[bytes]:
        yield b"ID3\x04" + bytes(28)
        while not until.wait(every):
            yield b"\x00"

    return Serve(headers={"content-type": "audio/mpeg"}, pieces=pieces)


def bomb(size: int) -> Serve:
    """Return gzip-encoded audio that decompresses to about a thousand times its size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    compressed = compressor.compress(b"ID3\x04" + bytes(_PIECE - 4))
    compressed += b"".join(compressor.compress(bytes(_PIECE)) for _ in range(size // _PIECE - 1)) + compressor.flush()
    headers = {"content-type": "audio/mpeg", "content-encoding": "gzip"}
    return Serve(headers=headers, pieces=lambda: iter((compressed,)), length=len(compressed))


def packed(body: bytes) -> Serve:
    """Return a complete file, gzip-encoded although the client did not accept that."""
    small = gzip.compress(body)
    return Serve(headers={"content-encoding": "gzip"}, pieces=lambda: iter((small,)), length=len(small))


def cut_off(body: bytes) -> Serve:
    """Return a file that is cut off after its first half."""
    return Serve(
        headers={"content-type": "audio/wav"}, pieces=lambda: iter((body[: len(body) // 2],)), length=len(body)
    )


def in_turn(*responses: Serve) -> Callable[[], Serve]:
    """Return a function that returns the responses in turn, and repeats the last one."""
    queue = list(responses)
    return lambda: queue.pop(0) if len(queue) > 1 else queue[0]
