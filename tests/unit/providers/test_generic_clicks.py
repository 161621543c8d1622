"""Signed commands to a bridge."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from fake_clients import PlainClient
from generic_helpers import GENERIC, KEY, NOW, parse, webhook_request
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import (
    Account,
    Click,
    KnownExtension,
    WebhookRejectedError,
)
from hangtag.providers.generic.form import INFOS, GenericCredentials
from local.simulator.providers.generic import pbx
from local.simulator.providers.generic.api import PATH, Api
from local.simulator.rest import base as rest

CLICK = Click(extension="101", number="+79101234567", reference="abc-1")


EVERY: Mapping[str, Callable[[Account, PlainClient], object]] = {
    "originate": lambda bridge_account, client: GENERIC.originate(bridge_account, CLICK, client),
    "recording": lambda bridge_account, client: GENERIC.recording(bridge_account, "r-1", client),
    "history": lambda bridge_account, client: list(GENERIC.history(bridge_account, NOW, NOW, client)),
    "extensions": GENERIC.extensions,
}


def test_click_is_a_signed_command_with_a_call_id(
    bridge_account: Account, bridge_server: rest.Server, bridge_api: Api
) -> None:
    assert GENERIC.originate(bridge_account, CLICK, PlainClient()).call_id == "call-abc-1"
    assert GENERIC.originate(bridge_account, CLICK, PlainClient()).call_id == "call-abc-1"
    assert list(bridge_api.placed) == ["abc-1"]
    assert "line" not in bridge_api.placed["abc-1"]
    assert {request.path for request in bridge_server.requests} == {PATH}


@pytest.mark.parametrize(("body", "call_id"), [("", None), ("{}", None), ('{"call_id": 17}', "17")])
def test_bridge_can_omit_the_call_id_of_a_click(
    bridge_account: Account, bridge_server: rest.Server, body: str, call_id: str | None
) -> None:
    bridge_server.faults.append(rest.Fault(rest.Response(200, body)))
    assert GENERIC.originate(bridge_account, CLICK, PlainClient()).call_id == call_id


def test_rejection_hides_numbers_with_keys(bridge_account: Account, bridge_server: rest.Server) -> None:
    with pytest.raises(BadInputError) as refused:
        GENERIC.originate(bridge_account, replace(CLICK, extension="199"), PlainClient())
    assert refused.value.message == "The bridge rejected the command (HTTP 422): 199 can't call ***"
    key = bridge_account.credentials["bridge_key"]
    bridge_server.faults.append(
        rest.Fault(rest.Response(409, f"busy\r\n\x1b[31m {key} +7 (910) 123-45-67 " + "x" * 900))
    )
    with pytest.raises(BadInputError) as refused:
        GENERIC.originate(bridge_account, CLICK, PlainClient())
    assert refused.value.message.startswith("The bridge rejected the command (HTTP 409): busy [31m *** *** x")
    assert len(refused.value.message) < 350


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "rejected the signature"),
        (403, "rejected the signature"),
        (404, "nothing at bridge_url"),
        (302, "redirects"),
        (400, "The bridge rejected the command"),
        (501, "The bridge rejected the command"),
    ],
)
def test_rejection_has_a_plain_message(
    bridge_account: Account, bridge_server: rest.Server, status: int, message: str
) -> None:
    for function in EVERY.values():
        bridge_server.faults.append(rest.Fault(rest.Response(status, "")))
        with pytest.raises(BadInputError, match=message):
            function(bridge_account, PlainClient())
    bridge_server.faults.append(rest.Fault(rest.Response(status, "")))
    finding = GENERIC.ping(bridge_account, PlainClient())
    assert not finding.ok
    assert message in finding.detail


@pytest.mark.parametrize(
    "junk", ["<html>", "[1]", "null", '{"a":', "[" * 5000, b"\xff\xfe\x00", '{"events": 1, "url": 5}']
)
def test_bad_response_is_unreachable(bridge_account: Account, bridge_server: rest.Server, junk: str | bytes) -> None:
    for name, function in EVERY.items():
        if name == "originate" and "url" in str(junk):
            continue
        bridge_server.faults.append(rest.Fault(rest.Response(200, junk)))
        with pytest.raises(UnreachableError):
            function(bridge_account, PlainClient())


def test_command_needs_an_address_with_a_key(bridge_account: Account, bridge_server: rest.Server) -> None:
    client = PlainClient()
    for credentials in ({}, {"bridge_key": KEY}):
        nowhere = replace(bridge_account, credentials=credentials)
        assert GENERIC.ping(nowhere, client).ok
        for function in EVERY.values():
            with pytest.raises(BadInputError, match="Enter bridge_url"):
                function(nowhere, client)
    for key in ("", "whsec_", "whsec_!"):
        keyless = replace(
            bridge_account, credentials={"bridge_url": bridge_account.credentials["bridge_url"], "bridge_key": key}
        )
        assert not GENERIC.ping(keyless, client).ok
        for function in EVERY.values():
            with pytest.raises(BadInputError, match="Enter bridge_key"):
                function(keyless, client)
    assert bridge_server.requests == []


def test_bridge_rejects_a_command_with_a_wrong_key(bridge_account: Account) -> None:
    wrong = replace(bridge_account, credentials={**bridge_account.credentials, "bridge_key": KEY})
    with pytest.raises(BadInputError, match="Check that bridge_key is the key that it expects"):
        GENERIC.originate(wrong, CLICK, PlainClient())
    assert GENERIC.ping(bridge_account, PlainClient()).ok


def test_recording_is_an_address_or_comes_from_the_bridge(bridge_account: Account, bridge_server: rest.Server) -> None:
    client = PlainClient()
    assert (
        GENERIC.recording(bridge_account, "https://pbx.example.com/1.mp3", client).url
        == "https://pbx.example.com/1.mp3"
    )
    assert bridge_server.requests == []
    (event,) = parse({"type": "recorded", "call_id": "c", "recording": {"reference": "r-1"}})
    assert event.recording == "r-1"
    assert GENERIC.recording(bridge_account, "r-1", client).url == "https://bridge.example.com/once/r-1.wav"
    bridge_server.faults.append(rest.Fault(rest.Response(200, {"url": "file:///etc/passwd"})))
    with pytest.raises(UnreachableError, match="does not contain an address"):
        GENERIC.recording(bridge_account, "r-1", client)


def test_extensions_of_the_bridge_are_listed(bridge_account: Account, bridge_server: rest.Server) -> None:
    assert GENERIC.extensions(bridge_account, PlainClient()) == (
        KnownExtension("101", "Anna Petrova"),
        KnownExtension("102", "Boris Orlov"),
        KnownExtension("103"),
    )
    for wrong in ([{"name": "x"}], ["101"], [{"extension": ["101"]}], {"101": "Anna"}):
        bridge_server.faults.append(rest.Fault(rest.Response(200, {"extensions": wrong})))
        with pytest.raises(UnreachableError):
            GENERIC.extensions(bridge_account, PlainClient())


def test_form_accepts_only_a_key_in_base64() -> None:
    for typed in (pbx.CREDENTIALS, {}, {"bridge_url": None, "bridge_key": None}):
        GenericCredentials.model_validate(typed)
    for wrong in ("secret", "whsec_", "whsec_!!!!", "whsec_" + base64.b64encode(b"short").decode()):
        with pytest.raises(ValueError, match="Enter a key of whsec_"):
            GenericCredentials.model_validate({"bridge_key": wrong})
    (info,) = INFOS
    assert "https://hook" in info.instructions("https://hook")[0]
    assert info.verified_with == info.made_keys == ("signing_key",)


def test_every_rejection_has_the_status_of_its_class() -> None:
    for wrong in (b"", b"[]", b"\xff", b'{"type": 5}', b'{"type":"ringing","type":"ended"}', b"{}"):
        with pytest.raises(WebhookRejectedError) as refused:
            GENERIC.parse(webhook_request(wrong, {}), {})
        assert refused.value.reply.status == 400
