"""Signatures of Plivo webhooks, compared with the vendor's own library."""

import base64
import hmac
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils.signature_v3 import validate_v3_signature

from hangtag.providers.base import (
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.providers.plivo import pbx as simulated
from local.simulator.story import Message
from plivo_helpers import HOOK, NONCE, STARTED, plivo, webhook_request
from provider_stories import NOON

# Worked examples, each accepted by the vendor's library.
TOKEN = "plivo_auth_token_example"
PARAMETERS = {
    "CallStatus": "completed", "CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "Direction": "outbound",
    "Duration": "42", "Event": "Hangup", "From": "14155550100", "HangupCause": "NORMAL_CLEARING", "To": "14155550199",
}  # fmt: skip
WITH_QUERY = "https://hooks.example.com/plivo/hangup?conn=7"
WITHOUT = "https://hooks.example.com/plivo/hangup"


def signed(url: str, signature: str, method: str = "POST", **more: str) -> WebhookRequest:
    headers = {"x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": NONCE, **more}
    return webhook_request(url, PARAMETERS, headers, method)


def verification_keys(token: str = TOKEN) -> VerificationKeys:
    return VerificationKeys(credentials={"auth_token": (token,)})


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        ("POST", WITH_QUERY, "RRKL5UiZA+MGjGJwgKBcpH1oskZtkOnrY2aqVoXWEC4="),
        ("POST", WITHOUT, "bmmYIBbFWAJHeFBmLWnHlsAnpOjYTx3rzELfEM41aT8="),
        ("GET", WITH_QUERY, "31b/subKsjzHhWgWFO8b/CaYubjKmZdON2767CJZUgA="),
    ],
)
def test_worked_example_signatures_are_the_only_ones_accepted(method: str, url: str, signature: str) -> None:
    plivo.verify(signed(url, signature, method), verification_keys())
    # Any signature of a list, and the main account's header.
    plivo.verify(signed(url, f"AAAA,{signature}", method), verification_keys())
    plivo.verify(signed(url, "", method, **{"x-plivo-signature-ma-v3": signature}), verification_keys())
    # The main account's own headers are equal; a subaccount's have different keys.
    plivo.verify(signed(url, signature, method, **{"x-plivo-signature-ma-v3": signature}), verification_keys())
    plivo.verify(signed(url, "AAAA", method, **{"x-plivo-signature-ma-v3": signature}), verification_keys())
    for other in (signature.lower(), signature[:-1], f"{signature},{signature}", ""):
        with pytest.raises(SignatureError):
            plivo.verify(signed(url, other, method), verification_keys())


def test_signed_text_has_no_dot_without_a_query() -> None:
    with pytest.raises(SignatureError):
        plivo.verify(signed(WITHOUT, "si1kB0LYteDox3vFERHohSWV/K6oHsHjpon7MRSpCKo="), verification_keys())


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# The library supports only ASCII in a query.
ASCII = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)
NAMES = st.text("abcXYZ019_-", min_size=1, max_size=8)


@given(
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(NAMES, ASCII, max_size=4),
    st.dictionaries(NAMES, WORDS, min_size=1, max_size=6),
    st.text("0123456789abcdef-", min_size=1, max_size=40),
)
def test_vendor_library_agrees_on_every_signature(
    method: str, request_log: dict[str, str], posted: dict[str, str], nonce: str
) -> None:
    """Promise: a signature is accepted if, and only if, the vendor's library accepts it."""
    query = {name: value for name, value in request_log.items() if name not in posted}
    posted = {name: value for name, value in posted.items() if method == "POST" or value.isascii()}
    url = f"{WITHOUT}?{urlencode(query)}" if query else WITHOUT
    request = webhook_request(url, posted, method=method)
    message = f"{simulated.signed(method, request.url, request.body)}.{nonce}"
    good = simulated.sign(TOKEN, message)
    # The library reads the whole address of a GET.
    verdict_of = validate_v3_signature(method, url, nonce, TOKEN, good, dict(posted))
    assert verdict_of
    headers = {"x-plivo-signature-v3": good, "x-plivo-signature-v3-nonce": nonce}
    plivo.verify(webhook_request(url, posted, headers, method), verification_keys())
    wrong = base64.b64encode(hmac.digest(b"x", message.encode(), "sha256")).decode()
    assert not validate_v3_signature(method, url, nonce, TOKEN, wrong, dict(posted))
    with pytest.raises(SignatureError):
        plivo.verify(
            webhook_request(url, posted, {**headers, "x-plivo-signature-v3": wrong}, method), verification_keys()
        )


def test_simulator_signs_as_the_vendor_library() -> None:
    for query in ({}, {"direction": "in", "ring": "101,102"}):
        message = Message(query=query, post=STARTED)
        sent = simulated.request(HOOK, message, simulated.CREDENTIALS, NOON)
        nonce, signature = sent.headers[simulated.NONCE_HEADER], sent.headers[simulated.SIGNATURE_HEADER]
        token = simulated.CREDENTIALS["auth_token"]
        assert validate_v3_signature("POST", sent.url, nonce, token, signature, dict(STARTED))


def test_nonce_is_required_as_the_event_id() -> None:
    signature = "bmmYIBbFWAJHeFBmLWnHlsAnpOjYTx3rzELfEM41aT8="
    for nonce in ("", "9" * 129):
        with pytest.raises(SignatureError, match="nonce"):
            plivo.verify(signed(WITHOUT, signature, **{"x-plivo-signature-v3-nonce": nonce}), verification_keys())
    # A duplicate has the same digest, however late it arrives.
    sent = webhook_request(f"{HOOK}?ring=101", STARTED, {"x-plivo-signature-v3-nonce": NONCE})
    later = replace(sent, arrived_at=NOON + timedelta(days=3))
    first, again = plivo.parse(sent, {}).events, plivo.parse(later, {}).events
    assert {event.event_id for event in first} == {NONCE}
    assert [event.digest() for event in first] == [event.digest() for event in again]
    assert len({event.digest() for event in first}) == len(first) == 2
