"""The token of Vonage's webhooks: a JWT over the hash of the body.

The signature is that of the vendor's library (vonage-jwt 1.1.5), which checks the HMAC alone: the claims are checked
here.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from hangtag.providers import call_control
from hangtag.providers.base import SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.reading import json_of, same

# Maximum age of a webhook's token, and how far it can be in the future, in seconds.
_TOLERANCE_SECONDS = 300
_MAX_TOKEN = 4096
_URL_SAFE = str.maketrans("+/", "-_")


class _MissingTokenError(SignatureError):
    """No token. Vonage omits it if it fails itself; a 5xx makes it sign and send the webhook again.

    Source: Nexmo/nexmo-developer, messages/concepts/signed-webhooks, which the Voice API's guide refers to.
    """

    status = 503
    title = "Service Unavailable"


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify `Authorization: Bearer <JWT>`: HMAC-SHA256 under the account's signature secret, and claims that fit."""
    if "authorization" not in request.headers:
        raise _MissingTokenError("The Authorization header has no token. Switch signed webhooks on at Vonage.")
    head, claims, signature = _parts(request)
    expected = call_control.signatures(keys, "signature_secret", [f"{head}.{claims}"])
    if not same(signature, [value.translate(_URL_SAFE).rstrip("=") for value in expected]):
        raise SignatureError("The token's signature is wrong. Check that signature_secret is the account's.")
    if _object(head).get("alg") != "HS256":
        raise SignatureError("The token is not signed with HS256.")
    _check_claims(_object(claims), request, keys)


def _parts(request: WebhookRequest) -> tuple[str, str, str]:
    """Return the three parts of the token, encoded."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    parts = token.split(".") if scheme.lower() == "bearer" and len(token) <= _MAX_TOKEN else []
    if len(parts) != 3:
        raise SignatureError("The Authorization header does not contain a bearer token.")
    return parts[0], parts[1], parts[2]


def _object(part: str) -> Mapping[str, Any]:
    """Return a part of a token as an object; {} if it is unreadable."""
    try:
        content = json_of(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _check_claims(claims: Mapping[str, Any], request: WebhookRequest, keys: VerificationKeys) -> None:
    """Raise SignatureError unless a genuine token is of this request, of this account, and recent."""
    issued = claims.get("iat")
    if not same(_claim(claims, "iss"), ["Vonage"]):
        raise SignatureError("The token is not issued by Vonage.")
    if type(issued) is not int or abs(int(request.arrived_at.timestamp()) - issued) > _TOLERANCE_SECONDS:
        raise SignatureError("The token is too old, or from the future.")
    if not same(_claim(claims, "payload_hash"), _body_hashes(request)):
        raise SignatureError("The token is of another body.")
    if not same(_claim(claims, "api_key"), call_control.entered(keys, "api_key")):
        raise SignatureError("The token is of another account. Check api_key.")
    if not _claim(claims, "jti"):
        raise SignatureError("The token has no id.")


def _body_hashes(request: WebhookRequest) -> list[str]:
    """Return the valid values of payload_hash. Its value for a request without a body is not documented."""
    digest = hashlib.sha256(request.body).hexdigest()
    if request.method != "GET" or request.body:
        return [digest]
    return ["", digest, hashlib.sha256(request.query.encode("utf-8", "surrogatepass")).hexdigest()]


def _claim(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def event_id(request: WebhookRequest) -> str | None:
    """Return the id of the token, which identifies duplicates. A logged request has no signature, but has the id."""
    try:
        jti = _claim(_object(_parts(request)[1]), "jti")
    except SignatureError:
        return None
    return jti if 0 < len(jti) <= 128 else None
