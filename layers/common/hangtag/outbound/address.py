"""Address checks of outgoing requests (protection against server-side request forgery).

Tenants and PBXs supply URLs, and any of them can point into this stack's network. The name is resolved here, every
address that is not public is rejected, and the connection uses exactly the checked address.

OUTBOUND_LOOPBACK=true, which only the embedded stack sets, allows services on this machine, also without encryption.
"""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from hangtag import runtime
from hangtag.errors import BadInputError, FieldErrorCode

__all__ = [
    "Address",
    "Rule",
    "check",
    "check_url",
    "host_of",
    "is_public",
    "next_hop",
    "on_loopback",
    "resolve",
    "rule",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Rule = Callable[[Address], bool]

# Below this, only the web ports are allowed: mail, shells and name servers use the others.
_FIRST_FREE_PORT = 1024
_WEB_PORTS = (80, 443)
# Public according to some Python versions, but these networks can lead into a private network.
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


class UrlError(BadInputError):
    """A URL that is not allowed. `field_code` and `sentence` describe it to a caller of the API who entered it."""

    def __init__(self, message: str, field_code: FieldErrorCode) -> None:
        super().__init__(message)
        self.field_code = field_code

    @property
    def sentence(self) -> str:
        """Full sentence for the field that contains the URL."""
        return _SENTENCES[self.field_code]


_SENTENCES = {
    FieldErrorCode.HTTPS_REQUIRED: "Enter a URL that begins with https://.",
    FieldErrorCode.PRIVATE_ADDRESS: "The URL leads into a private network. Enter a public address.",
    FieldErrorCode.INVALID_URL: "Enter a valid URL without user name and password, at a usual port.",
}


def is_public(address: Address) -> bool:
    """Return True for a public internet address: not private, not link-local, not an embedded private address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None:
            return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def rule(allowed: Rule = is_public) -> Rule:
    """Return the rule for allowed addresses; the embedded stack also allows this machine."""
    return (lambda address: address.is_loopback or allowed(address)) if on_loopback() else allowed


def on_loopback() -> bool:
    """Return True if services on this machine are allowed."""
    return runtime.settings().loopback


def check(url: str) -> None:
    """Check the URL of a service without a DNS request. Raises UrlError."""
    check_url(url, plain=on_loopback())
    try:
        literal = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        # The addresses of a host name are checked with each request.
        return
    if not rule()(literal):
        raise UrlError("The address leads into a private network.", FieldErrorCode.PRIVATE_ADDRESS)


def check_url(url: str, *, plain: bool) -> None:
    """Check that a URL is of the web and has no user name and password. `plain` allows http. Raises UrlError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlError("The address is not a valid URL.", FieldErrorCode.INVALID_URL) from None
    if parts.scheme not in (("http", "https") if plain else ("https",)):
        raise UrlError("The address must begin with https://.", FieldErrorCode.HTTPS_REQUIRED)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise UrlError("The address must have a host, and no user name or password.", FieldErrorCode.INVALID_URL)
    if port is not None and port < _FIRST_FREE_PORT and port not in _WEB_PORTS:
        raise UrlError("The address has a port that is not usual on the web.", FieldErrorCode.INVALID_URL)


def next_hop(url: str, target: str) -> str:
    """Return the URL of a redirect's target. Raises BadInputError if it is invalid."""
    try:
        return urljoin(url, target)
    except ValueError:
        raise BadInputError("The address is not a valid URL.") from None


def host_of(url: str) -> str:
    """Return the host of a URL, in lower case and without a trailing dot; "" if the URL is invalid."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def resolve(name: str, port: int, allowed: Rule) -> list[str]:
    """Resolve a name. Raises BadInputError if one of its addresses is not allowed, OSError if there are none."""
    entries = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not all(allowed(ipaddress.ip_address(address)) for address in addresses):
        raise BadInputError("The address leads into a private network.")
    return addresses
