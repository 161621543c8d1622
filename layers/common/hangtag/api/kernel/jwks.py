"""The public keys of an issuer of JSON Web Tokens, fetched and remembered.

Source: OpenID Connect Discovery 1.0 (the document at /.well-known/openid-configuration) and RFC 7517 (the keys).
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from hangtag import outbound
from hangtag.errors import UnavailableError
from hangtag.observability import logger

__all__ = ["IssuerKeys"]

Key = Mapping[str, Any]

DISCOVERY = "/.well-known/openid-configuration"
KEPT_SECONDS = 600.0
# Between two requests for keys while there are some: strangers' tokens may name any key.
PAUSE_SECONDS = 60.0
# The same while there are none, so that an issuer that is down is not asked by each request.
FIRST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 3.0
MAX_BYTES = 256 * 1024


class IssuerKeys:
    """One issuer's keys. They are kept for ten minutes, and for longer while the issuer does not answer."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: tuple[Key, ...] | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None

    def find(self, kid: str | None) -> tuple[Key, ...]:
        """The keys of that name, all of them for None; a name that is not known is asked for once a minute.

        Raises UnavailableError as long as no keys could be fetched at all.
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
            # Whatever is wrong with its answer: the keys that are known go on.
            logger.warning("the issuer's keys can't be fetched", extra={"reason": type(error).__name__})
        else:
            self._fetched_at = self._tried_at


def _named(keys: tuple[Key, ...], kid: str | None) -> tuple[Key, ...]:
    return tuple(key for key in keys if kid is None or key.get("kid") == kid)


def _fetch_keys(issuer: str) -> tuple[Key, ...]:
    """The keys, from where the issuer's own document says. Raises ValueError, and as `outbound.send` does."""
    document = _get(issuer.rstrip("/") + DISCOVERY)
    address = document.get("jwks_uri")
    if document.get("issuer") != issuer or not isinstance(address, str):
        raise ValueError("it is not the document of this issuer")
    keys = _get(address).get("keys")
    if not isinstance(keys, list):
        raise ValueError("it is no set of keys")
    return tuple(key for key in keys if isinstance(key, dict))


def _get(url: str) -> dict[str, Any]:
    answer = outbound.send(
        "GET", url, headers={"accept": "application/json"}, seconds=TIMEOUT_SECONDS, max_bytes=MAX_BYTES
    )
    if answer.status != 200:
        raise ValueError("the issuer refuses")
    said = json.loads(answer.body)
    if not isinstance(said, dict):
        raise ValueError("it is no object")
    return said
