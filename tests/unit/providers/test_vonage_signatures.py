"""Signatures of Vonage webhooks, compared with the vendor's own library."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from vonage_jwt import JwtClient, VonageVerifyJwtError, verify_signature

from fake_clients import PlainClient
from hangtag.providers.base import (
    SignatureError,
)
from hangtag.providers.vonage.api import token
from local.simulator.pbx import Request
from local.simulator.pbx.base import JSON, json_body
from local.simulator.providers.vonage import pbx as simulated
from local.simulator.story import Message, Story, load_stories, message
from process import ROOT
from provider_stories import IDS, NOON
from vonage_helpers import (
    CALLER,
    OURS,
    SECRET,
    fake_account,
    is_accepted,
    parse,
    verification_keys,
    vonage,
    webhook_request,
)

STORIES = load_stories("vonage")
WORKED_BODY = (
    b'{"from":"442079460000","to":"447700900000","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab",'
    b'"conversation_uuid":"CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"answered","direction":"inbound",'
    b'"timestamp":"2020-01-01T12:00:00.000Z"}'
)
# Created with the vendor's library, independently of this code.
WORKED_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3OTUzOTIwMDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1M"
    "TFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6Ijk0MTdmZDBkMDNhNzQ1NDQ3NjcyOWVlMTMzMDdiNThlOTE5YzhhMjQ5OGNiNDdiNTIw"
    "NTdmYjQxMzRlNmI4NDUiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc"
    "4OWFiIn0.xpPAtikKAhkfPTsEV6QM7Ly8kEOJ2odvK7jC-Me8fNs"
)
WORKED_SECRET = "vonage-signature-secret-0123456789abcdef"
WORKED_AT = datetime.fromtimestamp(1795392000, UTC)
WORKED = webhook_request(WORKED_BODY, f"Bearer {WORKED_TOKEN}", WORKED_AT)


def test_worked_example_token_is_the_only_one_accepted() -> None:
    keys = verification_keys(WORKED_SECRET, keys=("a1b2c3d",))
    vonage.verify(WORKED, keys)
    vonage.verify(WORKED, verification_keys("another secret", WORKED_SECRET, keys=("d3c2b1a", "a1b2c3d")))
    for wrong in (
        replace(WORKED, body=WORKED_BODY + b"\n"),
        replace(WORKED, body=WORKED_BODY.replace(b"answered", b"rejected")),
        replace(WORKED, headers={"authorization": WORKED_TOKEN}),
        replace(WORKED, arrived_at=WORKED_AT + timedelta(seconds=301)),
        replace(WORKED, arrived_at=WORKED_AT - timedelta(seconds=301)),
    ):
        assert not is_accepted(wrong, keys)
    assert not is_accepted(WORKED, verification_keys("another secret", keys=("a1b2c3d",)))
    assert not is_accepted(WORKED, verification_keys(WORKED_SECRET, keys=("d3c2b1a",)))


def test_simulator_reproduces_the_worked_example_token() -> None:
    claims = jwt.decode(WORKED_TOKEN, options={"verify_signature": False})
    assert simulated.bearer(WORKED_SECRET, claims) == f"Bearer {WORKED_TOKEN}"
    assert simulated.claims(Message(body=json.loads(WORKED_BODY)), simulated.CREDENTIALS, WORKED_AT) == {
        **claims,
        # A different id.
        "jti": simulated.claims(Message(body=json.loads(WORKED_BODY)), simulated.CREDENTIALS, NOON)["jti"],
    }


def test_independent_library_agrees_on_tokens() -> None:
    body = json.dumps({**CALLER, "status": "ringing"}).encode()
    claims = simulated.claims(Message(body={**CALLER, "status": "ringing"}), simulated.CREDENTIALS, NOON)
    claims["payload_hash"] = hashlib.sha256(body).hexdigest()
    signed = jwt.encode(claims, SECRET, algorithm="HS256")
    vonage.verify(webhook_request(body, f"Bearer {signed}"), verification_keys())
    vonage.verify(webhook_request(body, f"bearer {signed}"), verification_keys())
    assert jwt.decode(WORKED_TOKEN, WORKED_SECRET, algorithms=["HS256"], options={"verify_iat": False})
    # The library also signs with another algorithm.
    for algorithm in ("HS384", "HS512"):
        other = jwt.encode(claims, SECRET * 2, algorithm=algorithm)
        assert not is_accepted(webhook_request(body, f"Bearer {other}"), verification_keys(SECRET * 2))


def library_accepts(request: Request) -> bool:
    """Return whether the vendor's library accepts a token; it checks the signature only."""
    scheme, _, token = request.headers["Authorization"].partition(" ")
    try:
        return scheme == "Bearer" and bool(verify_signature(token, SECRET))
    except VonageVerifyJwtError:
        return False


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_adapter_rejects_every_token_the_vendor_library_rejects(story: Story) -> None:
    for event in story.events:
        good = OURS.signed(message(event, IDS, NOON, NOON))
        assert library_accepts(good)
        vonage.verify(OURS.received(good), OURS.verification_keys())
    # The adapter rejects more than the library does.
    for other in simulated.tampered(good):
        assert library_accepts(other) or is_refused(other)
    for _, forged in simulated.forged(OURS.url, message(story.events[0], IDS, NOON, NOON), OURS.secrets, NOON):
        assert library_accepts(forged) or is_refused(forged)


def is_refused(request: Request) -> bool:
    return not is_accepted(OURS.received(request), OURS.verification_keys())


def test_api_tokens_have_the_claims_of_the_vendor_library() -> None:
    application, key = simulated.CREDENTIALS["application_id"], simulated.CREDENTIALS["private_key"]
    theirs = JwtClient(application, key).generate_application_jwt().decode()
    with fake_account() as (account, _, _):
        headers = {"authorization": f"Bearer {theirs}"}
        address = f"{account.settings['api_url']}/v1/calls?page_size=1"
        assert PlainClient().send("GET", address, headers=headers).status == 200
        ours = token(account)
    names = [set(jwt.decode(token, options={"verify_signature": False})) for token in (ours, theirs)]
    assert names[0] == names[1]
    assert jwt.get_unverified_header(ours) == jwt.get_unverified_header(theirs)


@pytest.mark.parametrize("missing", ["iat", "jti", "iss", "payload_hash", "api_key"])
def test_genuine_signature_without_a_claim_is_rejected(missing: str) -> None:
    """The vendor's library checks the signature only."""
    sent = Message(body={**CALLER, "status": "ringing"})
    claims = simulated.claims(sent, simulated.CREDENTIALS, NOON)
    body = json_body(sent)
    assert is_accepted(webhook_request(body, simulated.bearer(SECRET, claims)), verification_keys())
    del claims[missing]
    assert not is_accepted(webhook_request(body, simulated.bearer(SECRET, claims)), verification_keys())


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        # Vonage retries, with a signature.
        ({"content-type": JSON}, 503, "signed webhooks"),
        ({"authorization": ""}, 401, "does not contain a bearer token"),
        ({"authorization": "Bearer"}, 401, "does not contain a bearer token"),
    ],
)
def test_unsigned_webhook_is_rejected_with_a_reason(headers: Mapping[str, str], status: int, words: str) -> None:
    unsigned = replace(webhook_request({**CALLER, "status": "ringing"}), headers=headers)
    with pytest.raises(SignatureError, match=words) as error:
        vonage.verify(unsigned, verification_keys())
    assert error.value.reply.status == status


def test_webhook_does_not_import_a_token_library() -> None:
    modules = "hangtag.providers.vonage.webhook, hangtag.providers.vonage.webhook_token"
    code = f"import sys, {modules}; print([n for n in ('jwt', 'cryptography') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "layers" / "common")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_token_id_identifies_a_replayed_event() -> None:
    ringing = replace(WORKED, body=WORKED_BODY.replace(b"answered", b"ringing"))
    (event,) = vonage.parse(ringing, {}).events
    assert event.event_id == "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5"
    # Its time is implausible and replaced by the arrival, so only the id identifies the duplicate.
    for later in (timedelta(seconds=60), timedelta(hours=1)):
        (again,) = vonage.parse(replace(ringing, arrived_at=WORKED_AT + later), {}).events
        assert again.digest() == event.digest()


@pytest.mark.parametrize("authorization", ["", "***", "Bearer a.b.c", "Bearer a.W10.c", "Bearer é.é.é", "Bearer .."])
def test_event_has_no_id_if_the_token_is_unreadable(authorization: str) -> None:
    (event,) = parse({**CALLER, "status": "ringing"}, authorization).events
    assert event.event_id is None
