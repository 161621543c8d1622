"""Fake issuer of JSON Web Tokens on loopback: its discovery document, its keys, and tokens signed with them."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from http_fake import Request, Response, Server, serving

AUDIENCE = "hangtag"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Key pair with its name (`kid`) and its signature algorithm."""

    kid: str
    algorithm: str
    private: Any

    def jwk(self, **other: Any) -> dict[str, Any]:
        """Return the public half in the form of an issuer; `other` replaces its fields, None removes one."""
        kinds = {"E": ECAlgorithm, "R": RSAAlgorithm, "P": RSAAlgorithm}
        kind: Any = OKPAlgorithm if self.algorithm == "EdDSA" else kinds[self.algorithm[0]]
        shown = {**kind.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid, "use": "sig", **other}
        return {name: value for name, value in shown.items() if value is not None}


@lru_cache(maxsize=16)
def make_key(kid: str, algorithm: str = "RS256") -> SigningKey:
    """Return a key. The same name returns the same key."""
    if algorithm == "ES256":
        return SigningKey(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
    if algorithm == "EdDSA":
        return SigningKey(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    return SigningKey(kid, algorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048))


@dataclass(slots=True)
class FakeIssuer:
    """Running issuer. Changes of `keys`, `document` or `down` apply from the next request on."""

    server: Server
    keys: list[dict[str, Any]] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    down: bool = False

    @property
    def url(self) -> str:
        """URL of the issuer, and its name in the `iss` claim."""
        return self.server.url

    @property
    def fetches(self) -> int:
        """Number of requests for the keys."""
        return sum(request.path == "/keys" for request in self.server.requests)

    def claims(self, **other: Any) -> dict[str, Any]:
        """Return the claims of a valid token; `other` replaces claims, None removes one."""
        at = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "user-1", "iat": at, "exp": at + 300, **other}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: SigningKey, *, headers: Any = None, **claims: Any) -> str:
        """Return a token signed with a key; `headers` replaces fields of its header."""
        named = {name: value for name, value in {"kid": key.kid, **(headers or {})}.items() if value is not None}
        return jwt.encode(self.claims(**claims), key.private, key.algorithm, headers=named)

    def respond(self, request: Request) -> Response:
        """Respond to one request."""
        if self.down:
            return Response(500, "down")
        if request.path == "/.well-known/openid-configuration":
            return Response(body={"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document})
        return Response(body={"keys": self.keys})


@contextmanager
def issuing(*keys: SigningKey) -> Iterator[FakeIssuer]:
    """Run an issuer with these keys during the block."""
    fake: FakeIssuer

    def respond(request: Request) -> Response:
        return fake.respond(request)

    with serving(respond) as server:
        fake = FakeIssuer(server, [key.jwk() for key in keys])
        yield fake


def by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    """Build a token that no library would write; text is used unchanged."""
    parts = (part.encode() if isinstance(part, str) else json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))
