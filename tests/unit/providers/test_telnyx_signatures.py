"""Signatures of Telnyx webhooks, compared with the vendor's own library."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module

import pytest
import telnyx as sdk
from telnyx.lib import webhook_verification

from hangtag.providers.base import (
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.providers.telnyx import pbx as simulated
from local.simulator.story import Story, message
from provider_stories import IDS, NOON
from telnyx_helpers import (
    OURS,
    STORIES,
    WORKED_BODY,
    WORKED_HEADERS,
    WORKED_KEY,
    each_story,
    telnyx,
    worked_example,
)


def verification_keys(*keys: str) -> VerificationKeys:
    return VerificationKeys(credentials={"public_key": keys or (simulated.CREDENTIALS["public_key"],)})


def is_accepted(request: WebhookRequest, keys: VerificationKeys) -> bool:
    try:
        telnyx.verify(request, keys)
    except SignatureError:
        return False
    return True


def test_worked_example_is_genuine_within_300_seconds() -> None:
    for later in (-300, -299.5, 0, 299.5, 300):
        telnyx.verify(worked_example(later=later), verification_keys(WORKED_KEY))
    for later in (-86400, -301, -300.5, 300.5, 301, 86400):
        assert not is_accepted(worked_example(later=later), verification_keys(WORKED_KEY))


def test_every_change_of_the_worked_example_is_rejected() -> None:
    right = WORKED_HEADERS["telnyx-signature-ed25519"]
    for wrong in (
        worked_example(WORKED_BODY + b" "),
        worked_example(b" " + WORKED_BODY),
        worked_example(WORKED_BODY[:-1]),
        worked_example(WORKED_BODY.replace(b"caller", b"callee")),
        worked_example(json.dumps(json.loads(WORKED_BODY)).encode()),
        worked_example(b""),
        worked_example(telnyx_timestamp="1795392001"),
        worked_example(telnyx_timestamp="01795392000"),
        worked_example(telnyx_timestamp="+1795392000"),
        worked_example(telnyx_timestamp="1795392000.0"),
        worked_example(telnyx_timestamp="١٧٩٥٣٩٢٠٠٠"),
        worked_example(telnyx_timestamp=""),
        worked_example(telnyx_timestamp="9" * 400),
        worked_example(telnyx_signature_ed25519=""),
        worked_example(telnyx_signature_ed25519=right.rstrip("=")),
        worked_example(telnyx_signature_ed25519=right.replace("/", "_")),
        worked_example(telnyx_signature_ed25519=right + "\n"),
        worked_example(telnyx_signature_ed25519=right[:-3] + "h=="),
        worked_example(telnyx_signature_ed25519=right.lower()),
        worked_example(telnyx_signature_ed25519=base64.b64decode(right).hex()),
        worked_example(telnyx_signature_ed25519="ï¿½" + right),
    ):
        assert not is_accepted(wrong, verification_keys(WORKED_KEY))


def test_any_of_several_public_keys_verifies_a_webhook() -> None:
    other = simulated.OTHER_CREDENTIALS["public_key"]
    for keys in ((other, WORKED_KEY), (WORKED_KEY, other), ("", "nonsense", "é", "AAAA", WORKED_KEY)):
        telnyx.verify(worked_example(), verification_keys(*keys))
    for wrong in ((other,), ("",), (WORKED_KEY.rstrip("="),), (base64.b64decode(WORKED_KEY).hex(),)):
        assert not is_accepted(worked_example(), verification_keys(*wrong))
    assert not is_accepted(worked_example(), VerificationKeys())
    assert not is_accepted(worked_example(), VerificationKeys(credentials={"public_key": ()}))


def test_rejection_reason_contains_no_value_of_the_webhook() -> None:
    for wrong in (
        worked_example(WORKED_BODY + b" "),
        worked_example(later=301),
        worked_example(telnyx_signature_ed25519="c2VjcmV0"),
    ):
        with pytest.raises(SignatureError) as error:
            telnyx.verify(wrong, verification_keys(WORKED_KEY))
        for value in (*wrong.headers.values(), WORKED_KEY, "+35319605860", "c2VjcmV0"):
            assert value not in error.value.reason


class Clock:
    """A stopped clock for the library, which uses the system time."""

    def __init__(self, at: datetime) -> None:
        self._at = at.timestamp()

    def time(self) -> float:
        return self._at


def library_accepts(body: bytes, headers: Mapping[str, str], key: str, at: datetime, patch: pytest.MonkeyPatch) -> bool:
    """Return whether both verifiers of the vendor's library accept a webhook."""
    patch.setattr(webhook_verification, "time", Clock(at))
    patch.setattr("time.time", Clock(at).time)
    try:
        webhook_verification.verify_webhook_signature(body, headers, key)
        with sdk.Telnyx(api_key="KEY", public_key=key) as client:
            client.webhooks.unwrap(body.decode(), headers=headers)
    except (webhook_verification.WebhookVerificationError, ValueError):
        return False
    finally:
        patch.undo()
    return True


def test_vendor_library_agrees_on_the_worked_example(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict_of(request: WebhookRequest) -> tuple[bool, bool]:
        library = library_accepts(request.body, request.headers, WORKED_KEY, request.arrived_at, monkeypatch)
        return library, is_accepted(request, verification_keys(WORKED_KEY))

    for later in (-300, 0, 300):
        assert verdict_of(worked_example(later=later)) == (True, True)
    for wrong in (
        worked_example(later=-301),
        worked_example(later=301),
        worked_example(WORKED_BODY + b" "),
        worked_example(telnyx_timestamp=""),
    ):
        assert verdict_of(wrong) == (False, False)


@each_story
def test_vendor_library_accepts_simulated_webhooks(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    for event in story.events[:3]:
        signed = OURS.signed(message(event, IDS, NOON, NOON))
        assert library_accepts(signed.body, signed.headers, OURS.secrets["public_key"], NOON, monkeypatch)
        assert not library_accepts(
            signed.body, signed.headers, OURS.secrets["public_key"], NOON + timedelta(seconds=301), monkeypatch
        )
        telnyx.verify(OURS.received(signed), OURS.verification_keys())


def test_vendor_library_rejects_forged_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = message(STORIES[0].events[0], IDS, NOON, NOON)
    for name, forged in simulated.forged(OURS.url, sent, OURS.secrets, NOON):
        assert not is_accepted(OURS.received(forged), OURS.verification_keys()), name
        if name in ("a time with a sign", "a time in other digits"):
            # Signed by the owner of the key in another notation; only the library accepts it.
            continue
        assert not library_accepts(forged.body, forged.headers, OURS.secrets["public_key"], NOON, monkeypatch), name


@each_story
def test_vendor_library_types_accept_the_story_messages(story: Story) -> None:
    for event in story.events:
        body = message(event, IDS, NOON, NOON).body
        assert body is not None
        name = body["data"]["event_type"].replace(".", "_")
        module = import_module(f"telnyx.types.{name}_webhook_event")
        model = getattr(module, "".join(part.title() for part in name.split("_")) + "WebhookEvent")
        read = model.model_validate(body)
        assert read.data.payload.call_session_id == IDS["call"]
        assert read.data.occurred_at == NOON
