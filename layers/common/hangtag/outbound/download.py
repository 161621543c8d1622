"""A file from outside, piece by piece: of any size up to a limit, in bounded memory.

Each hop is checked like any request (`hangtag.outbound.http`); credentials go to the first only. What is packed is
unpacked piece by piece, and what it unpacks to counts.
"""

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import requests

from hangtag.errors import TooLargeError, UnreachableError
from hangtag.outbound.address import Rule, is_public, next_hop, rule
from hangtag.outbound.http import PACKINGS, REDIRECTS, opened

__all__ = ["PIECE_BYTES", "Download"]

PIECE_BYTES = 64 * 1024
MAX_HOPS = 5


@dataclass(slots=True)
class Download:
    """A GET whose answer is read piece by piece: `with Download(url, …) as download: … download.pieces()`.

    `seconds` is for all of it. So many redirects are followed as `hops` says. `plain` allows http. Entering raises
    BadInputError for an address that is not allowed, at any hop; UnreachableError for none that answers, or for too
    many redirects. `status` and `headers` (names in lower case) are those of the last hop.
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
    _response: requests.Response | None = None
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
        raise UnreachableError("the address leads to too many others")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def _open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        return self._stack.enter_context(
            opened("GET", url, headers, None, self._deadline, plain=self.plain, allowed=rule(self.allowed))
        )

    def pieces(self) -> Iterator[bytes]:
        """The body, unpacked, in pieces of at most 64 KB.

        Raises TooLargeError over `max_bytes`, UnreachableError for what is late, cut off, or can't be unpacked.
        """
        declared = self.answered.get("content-length", "")
        if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > self.max_bytes:
            raise TooLargeError("it is too long")
        packing = self.answered.get("content-encoding", "").strip().lower()
        if packing in ("", "identity"):
            yield from self._limited(self._raw())
        elif packing in PACKINGS:
            yield from self._limited(_unpacked(self._raw(), PACKINGS[packing]))
        else:
            raise UnreachableError("it is packed in an unknown way")

    def _raw(self) -> Iterator[bytes]:
        response = self._response
        if response is None:
            raise RuntimeError("a Download is read within: with")
        read = 0
        # By pieces as they arrive, so that a service which drips is given up in time.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=False):
            read += len(piece)
            if time.monotonic() > self._deadline:
                raise UnreachableError("it took too long")
            yield piece
        declared = self.answered.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) != read:
            raise UnreachableError("it was cut off")

    def _limited(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        total = 0
        for piece in pieces:
            total += len(piece)
            if total > self.max_bytes:
                raise TooLargeError("it is too long")
            yield piece


def _unpacked(pieces: Iterator[bytes], window: int) -> Iterator[bytes]:
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
        raise UnreachableError("it can't be unpacked") from None
    if not unpacking.eof:
        raise UnreachableError("it was cut off")
