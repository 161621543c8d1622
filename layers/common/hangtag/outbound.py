"""The only door to the internet.

Addresses come from tenants and PBXs, so that each is a try to reach what only this stack may reach: the name is
resolved here, every address that is not public is refused, and the connection goes to the very address that was
checked. Redirects are not followed, proxies and .netrc not read; the time and the size of an answer are limited.

OUTBOUND_LOOPBACK=true, which only the embedded stack sets, lets services be on this machine, and without encryption.
"""

import ipaddress
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout

from hangtag.errors import BadInputError, UnreachableError

__all__ = ["Address", "Answer", "check", "is_public", "send"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Rule = Callable[[Address], bool]

CONNECT_SECONDS = 3.0
MAX_BYTES = 1024 * 1024
_CHUNK = 64 * 1024
# Public for Python (for some versions of it), and yet ways into somebody's own network.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "5f00::/16",
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public(address: Address) -> bool:
    """Whether an address is anybody's on the internet: not ours, not a link's, not one in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None:
            return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10.0,
    max_bytes: int = MAX_BYTES,
    plain: bool = False,
    allowed: Rule = is_public,
) -> Answer:
    """One request to a service outside. Answers of any status are returned, redirects too.

    `seconds` is for all of it, `plain` allows http. Raises BadInputError for an address that is not allowed,
    UnreachableError for no answer, a late one, or one over `max_bytes`. Neither message holds the address.
    """
    _check(url, plain or _on_loopback())
    allowed = _with_loopback(allowed) if _on_loopback() else allowed
    deadline = time.monotonic() + seconds
    limits: Any = Timeout(total=seconds, connect=min(CONNECT_SECONDS, seconds), read=seconds)
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(allowed))
        try:
            response = session.request(
                method,
                url,
                headers=dict(headers or {}),
                data=body,
                timeout=limits,
                allow_redirects=False,
                stream=True,
            )
            content = _read(response, deadline, max_bytes)
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise UnreachableError("the service did not answer") from error
    kept = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, kept, content)


def check(url: str) -> None:
    """Whether an address can be a service's, as far as that is seen without asking anybody. Raises BadInputError."""
    _check(url, plain=_on_loopback())
    try:
        literal = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        # A name; where it leads is looked at with each request.
        return
    allowed = _with_loopback(is_public) if _on_loopback() else is_public
    if not allowed(literal):
        raise BadInputError("the address leads into a private network")


def _on_loopback() -> bool:
    return os.environ.get("OUTBOUND_LOOPBACK") == "true"


def _with_loopback(allowed: Rule) -> Rule:
    return lambda address: address.is_loopback or allowed(address)


def _check(url: str, plain: bool) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInputError("the address can't be read") from None
    if parts.scheme not in (("http", "https") if plain else ("https",)):
        raise BadInputError("the address must begin with https://")
    if not parts.hostname or port == 0 or parts.username is not None or parts.password is not None:
        raise BadInputError("the address must name a host, and nobody's password")


def _read(response: requests.Response, deadline: float, max_bytes: int) -> bytes:
    kept = bytearray()
    # As it comes, not as it unpacks: a small answer may unpack to a huge one.
    # By pieces as they arrive, so that a service which drips is given up in time.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        kept += chunk
        if len(kept) > max_bytes:
            raise UnreachableError("the service's answer is too long")
        if time.monotonic() > deadline:
            raise UnreachableError("the service's answer took too long")
    return bytes(kept)


class _Adapter(HTTPAdapter):
    """Connects to checked addresses only."""

    def __init__(self, allowed: Rule) -> None:
        self._allowed = allowed
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._allowed),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._allowed),
        }


def _pool(pool: Any, connection: Any, allowed: Rule) -> Any:
    class Checked(connection):  # type: ignore[misc]
        _dns_host: str

        def _new_conn(self) -> socket.socket:
            name = self._dns_host
            addresses = _resolve(name, self.port, allowed)
            try:
                for self._dns_host in addresses:
                    with suppress(NewConnectionError):
                        made: socket.socket = super()._new_conn()
                        return made
            finally:
                # Put back at once: the certificate is checked against the name, not the address.
                self._dns_host = name
            raise NewConnectionError(self, "none of its addresses answers")

    return type("CheckedPool", (pool,), {"ConnectionCls": Checked})


def _resolve(name: str, port: int, allowed: Rule) -> list[str]:
    """The addresses of a name. Raises BadInputError if any of them is not allowed."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(allowed(ipaddress.ip_address(address)) for address in addresses):
        raise BadInputError("the address leads into a private network")
    return addresses
