"""Rules that hold for every voice API."""

import inspect
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from hangtag.domain.calls.event import CallEvent
from hangtag.providers import Capability, Provider, load
from hangtag.providers.base import WebhookRequest
from hangtag.providers.voice_api import VoiceApiProvider

SHARED: tuple[Capability, ...] = ("originate", "recording", "history", "ping")
OWN: Mapping[str, tuple[str, ...]] = {
    "twilio": (),
    "vonage": (),
    "plivo": ("extensions",),
    "telnyx": ("extensions", "next_step", "connect"),
}
# A number made only of zeros, at both ends of the caller's leg.
ZEROS = {
    "twilio": {"CallSid": "CA1", "Direction": "inbound", "CallStatus": "ringing", "From": "000", "To": "+000"},
    "plivo": {"CallUUID": "c1", "Event": "Ring", "Direction": "inbound", "From": "000", "To": "000"},
}


def single_event(key: str, fields: Mapping[str, str], **hints: str) -> CallEvent:
    request = WebhookRequest(
        method="POST",
        path=f"/hooks/{key}/***",
        query=urlencode(hints),
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(fields).encode(),
        arrived_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    (one,) = load(key).parse(request, {}).events
    return one


@pytest.mark.parametrize("key", OWN)
def test_voice_api_claims_only_the_capabilities_it_has(key: str) -> None:
    provider = load(key)
    assert isinstance(provider, VoiceApiProvider)
    capabilities = {*SHARED, *OWN[key]} - {"next_step", "connect"}
    assert set(provider.capabilities()) == capabilities
    assert provider.supports("connect") == ("connect" in OWN[key])


@pytest.mark.parametrize("key", OWN)
def test_module_functions_have_the_signatures_of_the_methods(key: str) -> None:
    provider = load(key)
    assert isinstance(provider, VoiceApiProvider)
    for name in ("verify", "parse", *SHARED, *OWN[key]):
        module = provider.module("webhook" if name in ("verify", "parse", "next_step") else "api")
        parameters = list(inspect.signature(getattr(module, name)).parameters)
        assert ["self", *parameters] == list(inspect.signature(getattr(Provider, name)).parameters), name


@pytest.mark.parametrize(("key", "line"), [("twilio", "+000"), ("plivo", "000")])
def test_number_of_zeros_is_a_line_but_a_withheld_caller(key: str, line: str) -> None:
    event = single_event(key, ZEROS[key])
    assert (event.line, event.external) == (line, "")


@pytest.mark.parametrize("key", ZEROS)
def test_number_of_zeros_is_an_extension(key: str) -> None:
    dialled = {"ParentCallSid": "CA0", "DialAction": "answer", "DialBLegUUID": "b1", "DialBLegTo": "000", "To": "000"}
    event = single_event(key, {**ZEROS[key], **dialled}, direction="in")
    assert event.extension == "000"
