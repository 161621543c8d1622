"""Streaming download of an external file up to a size limit, in bounded memory.

Each redirect is checked like any request (`hangtag.outbound.http`); only the first address receives credentials. A
compressed file is decompressed piece by piece, and its decompressed size counts.
"""

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from hangtag.errors import TooLargeError, UnreachableError
from hangtag.outbound.address import Rule, is_public, next_hop, rule
from hangtag.outbound.http import PACKINGS, REDIRECTS, Response, opened

__all__ = ["PIECE_BYTES", "Download"]

PIECE_BYTES = 64 * 1024
MAX_HOPS = 5


@dataclass(slots=True)
class Download:
    """A GET whose response is read piece by piece: `with Download(url, …) as download: … download.pieces()`.

    `seconds` is the limit for the whole download. At most `hops` redirects are followed. `plain` allows http. Entering
    raises BadInputError for an address that is not allowed, at any hop; UnreachableError without a response, or for too
    many redirects. `status` and `answered` (headers, names in lower case) are those of the last hop.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 60.0
    max_bytes: int = 64 * 1024 * 1024
    hops: int = MAX_HOPS
    plain: bool = False
    allowed: Rule = is_public
    status: int = 0
    answered: Mapping[str, str] = field(default_factory=dict)
    _deadline: float = 0.0
    _response: Response | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._deadline = time.monotonic() + self.seconds
        url, headers = self.url, self.headers
        for _ in range(self.hops + 1):
            response = self._open(url, headers)
            target = response.headers.get("location", "")
            if response.status_code not in REDIRECTS or not target:
                self._response, self.status = response, response.status_code
                self.answered = {name.lower(): value for name, value in response.headers.items()}
                return self
            self._stack.close()
            url, headers = next_hop(url, target), {}
        raise UnreachableError("The address redirects too often.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def _open(self, url: str, headers: Mapping[str, str]) -> Response:
        return self._stack.enter_context(
            opened("GET", url, headers, None, self._deadline, plain=self.plain, allowed=rule(self.allowed))
        )

    def pieces(self) -> Iterator[bytes]:
        """Yield the decompressed body in pieces of at most 64 KB.

        Raises TooLargeError over `max_bytes`, UnreachableError for a late, truncated or corrupt body.
        """
        declared = self.answered.get("content-length", "")
        if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > self.max_bytes:
            raise TooLargeError("The file is too large.")
        packing = self.answered.get("content-encoding", "").strip().lower()
        if packing in ("", "identity"):
            yield from self._limited(self._raw())
        elif packing in PACKINGS:
            yield from self._limited(_decompress(self._raw(), PACKINGS[packing]))
        else:
            raise UnreachableError("The file has an unknown content encoding.")

    def _raw(self) -> Iterator[bytes]:
        response = self._response
        if response is None:
            raise RuntimeError("Use Download in a with statement.")
        read = 0
        # Piece by piece as they arrive: a slow service must not exceed the deadline.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=False):
            read += len(piece)
            if time.monotonic() > self._deadline:
                raise UnreachableError("The download took too long.")
            yield piece
        declared = self.answered.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) != read:
            raise UnreachableError("The file was cut off.")

    def _limited(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        total = 0
        for piece in pieces:
            total += len(piece)
            if total > self.max_bytes:
                raise TooLargeError("The file is too large.")
            yield piece


def _decompress(pieces: Iterator[bytes], window: int) -> Iterator[bytes]:
    unpacking = zlib.decompressobj(window)
    try:
        for packed in pieces:
            rest = packed
            while rest:
                piece = unpacking.decompress(rest, PIECE_BYTES)
                if piece:
                    yield piece
                rest = unpacking.unconsumed_tail
    except zlib.error:
        raise UnreachableError("The file cannot be decompressed.") from None
    if not unpacking.eof:
        raise UnreachableError("The file was cut off.")
