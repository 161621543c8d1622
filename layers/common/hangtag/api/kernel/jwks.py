"""Public keys of an issuer of JSON Web Tokens, fetched and cached.

Source: OpenID Connect Discovery 1.0 (the document at /.well-known/openid-configuration) and RFC 7517 (the keys).
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from hangtag import outbound
from hangtag.errors import UnavailableError
from hangtag.runtime import logger

__all__ = ["IssuerKeys"]

Key = Mapping[str, Any]

DISCOVERY = "/.well-known/openid-configuration"
KEPT_SECONDS = 600.0
# Minimum interval between fetches with keys in the cache: untrusted tokens can name any key.
PAUSE_SECONDS = 60.0
# Minimum interval without keys, so that requests do not each wait for an issuer that is down.
FIRST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 3.0
MAX_BYTES = 256 * 1024


class IssuerKeys:
    """Keys of one issuer, cached for ten minutes and for longer while the issuer does not respond."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: tuple[Key, ...] | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None

    def find(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys of a name, all keys for None; an unknown name causes one fetch per minute.

        Raises UnavailableError until the first successful fetch.
        """
        if self._is_due(kid):
            self._fetch()
        if self._keys is None:
            raise UnavailableError("The issuer of the token does not respond. Try again in a moment.")
        return _named(self._keys, kid)

    def _is_due(self, kid: str | None) -> bool:
        at = self._clock()
        since = at - self._tried_at if self._tried_at is not None else None
        if self._keys is None:
            return since is None or since >= FIRST_PAUSE_SECONDS
        is_old = at - self._fetched_at >= KEPT_SECONDS
        return (is_old or not _named(self._keys, kid)) and (since is None or since >= PAUSE_SECONDS)

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = _fetch_keys(self._issuer)
        except Exception as error:
            # The cached keys stay valid.
            logger.warning("auth.keys_fetch_failed", extra={"error": type(error).__name__})
        else:
            self._fetched_at = self._tried_at


def _named(keys: tuple[Key, ...], kid: str | None) -> tuple[Key, ...]:
    return tuple(key for key in keys if kid is None or key.get("kid") == kid)


def _fetch_keys(issuer: str) -> tuple[Key, ...]:
    """Fetch the keys that the discovery document links to. Raises ValueError, and the errors of `outbound.send`."""
    document = _get(issuer.rstrip("/") + DISCOVERY)
    address = document.get("jwks_uri")
    if document.get("issuer") != issuer or not isinstance(address, str):
        raise ValueError("The discovery document is not of this issuer.")
    keys = _get(address).get("keys")
    if not isinstance(keys, list):
        raise ValueError("The response is not a set of keys.")
    return tuple(key for key in keys if isinstance(key, dict))


def _get(url: str) -> dict[str, Any]:
    response = outbound.send(
        "GET", url, headers={"accept": "application/json"}, seconds=TIMEOUT_SECONDS, max_bytes=MAX_BYTES
    )
    if response.status != 200:
        raise ValueError("The issuer returned an error status.")
    document = json.loads(response.body)
    if not isinstance(document, dict):
        raise ValueError("The response is not an object.")
    return document
