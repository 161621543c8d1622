"""Signatures of Twilio webhooks, compared with the vendor's own library."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator, get_signature_algorithm

from hangtag.providers.base import (
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.pbx import Request
from local.simulator.pbx.base import JSON, with_header
from local.simulator.providers.twilio import pbx as simulated
from local.simulator.story import Message, Story
from twilio_helpers import (
    ACCOUNT,
    HOOK,
    INCOMING,
    OURS,
    TOKEN,
    each_story,
    story_messages,
    twilio,
    verification_keys,
    webhook_request,
)


def is_accepted(request: WebhookRequest, keys: VerificationKeys) -> bool:
    try:
        twilio.verify(request, keys)
    except (SignatureError, PayloadError):
        return False
    return True


COMPANY = "https://mycompany.com/myapp.php"
FIRST = {
    "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
    "To": "+18005551212",
}  # fmt: skip
HOOKS = "https://hooks.example.com/t/acme/twilio/status?conn=7"
SECOND = {
    "AccountSid": "AC" + "a" * 32, "CallDuration": "42", "CallSid": "CA1234567890abcdef1234567890abcdef",
    "CallStatus": "completed", "CallbackSource": "call-progress-events", "Direction": "outbound-api",
    "From": "+14155550100", "SequenceNumber": "3", "Timestamp": "Mon, 23 Nov 2026 00:00:00 +0000",
    "To": "+14155550199",
}  # fmt: skip
BODY = b'{"property":"value","boolean":true}'
HASHED = f"{COMPANY}?bodySHA256=d5729c000e5de6b3a10698fec78d482db85d744f1be820d1382b6bda1cfb7795"
SHARED = {simulated.SETTINGS_HEADER: "key=k1,algorithm=HMAC_SHA256"}
# The second and the SHA-256 signature were computed with the vendor's library, independently of this code.
WORKED: list[tuple[str, Mapping[str, str] | bytes, dict[str, str], str, str]] = [
    (f"{COMPANY}?foo=1&bar=2", FIRST, {}, "12345", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (HOOKS, SECOND, {}, "twilio_auth_token_example", "CsdTyvs86geR1WR6QzkUI82N5T4="),
    (HOOKS, SECOND, SHARED, "twilio_auth_token_example", "9Mgxh0nCMJpDOE6nsbKuhqdq08lQqkh0B10hMiyULX4="),
    (HASHED, BODY, {"Content-Type": JSON}, "12345", "S3fW4swDzulE1VJfHiZwCjkucXI="),
]
each_worked = pytest.mark.parametrize(
    ("url", "payload", "headers", "key", "signature"), WORKED, ids=["form", "callback", "SHA-256", "JSON"]
)


@each_worked
def test_worked_example_signatures_are_the_only_ones_accepted(
    url: str, payload: Mapping[str, str] | bytes, headers: dict[str, str], key: str, signature: str
) -> None:
    keys = VerificationKeys(
        credentials={
            "auth_token" if headers != SHARED else "shared_key_secret": (key,), "account_sid": (SECOND["AccountSid"],)
        }
    )  # fmt: skip
    good = webhook_request(url, payload, {**headers, "X-Twilio-Signature": signature})
    twilio.verify(good, keys)
    for wrong in (
        replace(good, url=url + "&x=1"),
        replace(good, url=url.replace("https", "http")),
        replace(good, body=good.body + b"&x=1"),
        replace(good, headers={**good.headers, "x-twilio-signature": signature.lower()}),
        replace(good, headers={**good.headers, "x-twilio-signature": signature.rstrip("=")}),
    ):
        assert not is_accepted(wrong, keys)


@each_worked
def test_simulator_reproduces_the_worked_example_signatures(
    url: str, payload: Mapping[str, str] | bytes, headers: dict[str, str], key: str, signature: str
) -> None:
    algorithm = "sha256" if headers == SHARED else "sha1"
    pairs = list(payload.items()) if isinstance(payload, dict) else []
    assert simulated.sign(key, simulated.signed(url, pairs), algorithm) == signature
    params: Any = payload.decode() if isinstance(payload, bytes) else payload
    named = get_signature_algorithm(headers.get(simulated.SETTINGS_HEADER))
    assert RequestValidator(key).validate(url, params, signature, named)


def library_accepts(request: Request, secrets: Mapping[str, str] = simulated.CREDENTIALS) -> bool:
    """Return whether the vendor's library accepts a request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    algorithm = get_signature_algorithm(headers.get(simulated.SETTINGS_HEADER.lower()))
    key = secrets["shared_key_secret" if algorithm.upper() == "HMAC_SHA256" else "auth_token"]
    try:
        body = request.body.decode()
        params = body if headers["content-type"] == JSON else dict(parse_qsl(body, keep_blank_values=True))
        return bool(RequestValidator(key).validate(request.url, params, headers["x-twilio-signature"], algorithm))
    except (ValueError, TypeError):
        # If the address has no hash, the library expects a form and fails on JSON.
        return False


FORMS = {
    "form": Message(post={**INCOMING, "CallStatus": "ringing", "ToCity": "", "FromCity": "São Paulo & +, ü"}),
    "query": Message(post=FIRST, query={"direction": "in", "extension": "101"}),
    "GET": Message(method="GET", post={**INCOMING, "CallStatus": "ringing"}, query={"direction": "in"}),
    "JSON": Message(body={**INCOMING, "CallStatus": "ringing"}, query={"direction": "in"}),
    "SHA-256": Message(
        post=FIRST,
        headers={simulated.SETTINGS_HEADER: f"key={simulated.CREDENTIALS['shared_key_id']},algorithm=HMAC_SHA256"},
    ),
}
each_form = pytest.mark.parametrize("sent", FORMS.values(), ids=FORMS)


@each_story
def test_vendor_library_accepts_every_simulated_message(story: Story) -> None:
    for sent in story_messages(story):
        assert library_accepts(OURS.signed(sent))


@each_form
def test_adapter_accepts_vendor_library_signatures_in_every_encoding(sent: Message) -> None:
    good = OURS.signed(sent)
    assert library_accepts(good)
    twilio.verify(OURS.received(good), OURS.verification_keys())
    tried = 0
    for wrong in simulated.tampered(good):
        assert not library_accepts(wrong)
        assert not is_accepted(OURS.received(wrong), OURS.verification_keys()), wrong
        tried += 1
    assert tried > 60


class Repeated(dict[str, list[str]]):
    """Parameters with several values, as Django gives them to the library."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"To": ["+1"]},
        {"MediaUrl": ["b", "a", "b"], "MediaUrl0": ["z"]},
        {"b": [""], "a": ["", "1"], "B": ["é", "e"]},
        {"StatusCallbackEvent": ["ringing", "initiated", "ringing", "answered"]},
    ],
)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
@pytest.mark.parametrize("query", ["", "?", "?direction=in&line=74951230001", "?x=%C3%A9+%2B"])
def test_adapter_accepts_signatures_of_the_vendor_library(
    params: dict[str, list[str]], algorithm: str, query: str
) -> None:
    body = urlencode([(name, value) for name, values in params.items() for value in values]).encode()
    key = {"HMAC_SHA1": TOKEN, "HMAC_SHA256": "shared"}[algorithm]
    signature = RequestValidator(key).compute_signature(HOOK + query, Repeated(params), algorithm)
    headers = {"X-Twilio-Signature": signature}
    if algorithm == "HMAC_SHA256":
        headers[simulated.SETTINGS_HEADER] = "key=k1,algorithm=HMAC_SHA256"
    request = webhook_request(HOOK + query, body, headers)
    twilio.verify(request, verification_keys(shared_key_id=("k0", "k1"), shared_key_secret=("older", "shared")))
    assert not is_accepted(request, verification_keys(auth_token=("another",), shared_key_secret=("another",)))


@pytest.mark.parametrize(
    ("signed", "ours"),
    [
        ("https://hooks.example.com:443/h?x=1", "https://hooks.example.com/h?x=1"),
        ("https://hooks.example.com/h?x=1", "https://hooks.example.com:443/h?x=1"),
        ("https://hooks.example.com/h", "https://hooks.example.com:8443/h"),
        ("https://hooks.example.com:8443/h", "https://hooks.example.com:8443/h"),
        ("http://127.0.0.1:80/h", "http://127.0.0.1/h"),
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("https://hooks.example.com/a:80/b@c?d=e:99", "https://hooks.example.com/a:80/b@c?d=e:99"),
    ],
)
def test_signature_matches_address_with_or_without_its_port(signed: str, ours: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(signed, FIRST)
    assert RequestValidator(TOKEN).validate(ours, FIRST, signature)
    twilio.verify(webhook_request(ours, FIRST, {"X-Twilio-Signature": signature}), verification_keys())


@pytest.mark.parametrize("port", ["80", "8080", "4430"])
def test_signature_for_another_port_is_rejected(port: str) -> None:
    other = HOOK.replace("example.com", f"example.com:{port}")
    signature = RequestValidator(TOKEN).compute_signature(other, FIRST)
    assert not is_accepted(webhook_request(HOOK, FIRST, {"X-Twilio-Signature": signature}), verification_keys())


def signed_by_shared_key(settings: str) -> WebhookRequest:
    signature = simulated.sign("shared", simulated.signed(HOOK, FIRST.items()), "sha256")
    return webhook_request(HOOK, FIRST, {"X-Twilio-Signature": signature, simulated.SETTINGS_HEADER: settings})


@pytest.mark.parametrize(
    ("settings", "ids", "good"),
    [
        ("key=k1,algorithm=HMAC_SHA256", ("k1",), True),
        (" key = k1 , algorithm = hmac_sha256 ", ("k1",), True),
        # The id is public: if none is entered, the secret decides.
        ("key=k1,algorithm=HMAC_SHA256", (), True),
        ("key=k1,algorithm=HMAC_SHA256", ("",), True),
        ("key=k2,algorithm=HMAC_SHA256", ("k1",), False),
        ("algorithm=HMAC_SHA256", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA512", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA1", ("k1",), False),
        ("key=k1", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA256,key=k1,algorithm=HMAC_SHA256", ("k1",), False),
        ("key=k1,algorithm=é", ("k1",), False),
        ("", ("k1",), False),
    ],
)
def test_settings_header_selects_the_signing_key(settings: str, ids: tuple[str, ...], good: bool) -> None:
    keys = verification_keys(shared_key_id=ids, shared_key_secret=("shared",))
    assert is_accepted(signed_by_shared_key(settings), keys) is good


def test_shared_key_signature_is_rejected_without_a_shared_key() -> None:
    for secrets in ((), ("",)):
        assert not is_accepted(
            signed_by_shared_key("key=k1,algorithm=HMAC_SHA256"),
            verification_keys(shared_key_secret=secrets, shared_key_id=()),
        )


def test_signed_callback_of_another_account_is_rejected() -> None:
    for account, good in ((ACCOUNT, True), ("AC" + "f" * 32, False), (ACCOUNT.lower(), False)):
        fields = {**FIRST, "AccountSid": account}
        signature = RequestValidator(TOKEN).compute_signature(HOOK, fields)
        assert (
            is_accepted(webhook_request(HOOK, fields, {"X-Twilio-Signature": signature}), verification_keys()) is good
        )


def test_json_is_accepted_only_with_its_hash_in_the_address() -> None:
    def sent(url: str, body: bytes = BODY) -> WebhookRequest:
        signature = RequestValidator(TOKEN).compute_signature(url, {})
        return webhook_request(url, body, {"Content-Type": JSON, "X-Twilio-Signature": signature})

    digest = hashlib.sha256(BODY).hexdigest()
    assert is_accepted(sent(f"{HOOK}?bodySHA256={digest}"), verification_keys())
    assert not is_accepted(sent(f"{HOOK}?bodySHA256={digest.upper()}"), verification_keys())
    assert not is_accepted(sent(f"{HOOK}?bodySHA256="), verification_keys())
    assert not is_accepted(sent(HOOK), verification_keys())
    assert not is_accepted(sent(f"{HOOK}?bodySHA256={digest}", BODY + b" "), verification_keys())
    assert not is_accepted(sent(f"{HOOK}?bodySHA256={digest}&bodySHA256={digest}"), verification_keys())


def test_non_ascii_header_is_rejected() -> None:
    good = OURS.signed(FORMS["form"])
    for name in (simulated.SIGNATURE_HEADER, simulated.SETTINGS_HEADER):
        with pytest.raises(SignatureError):
            twilio.verify(OURS.received(with_header(good, name, "algorithm=é\udcff")), OURS.verification_keys())
