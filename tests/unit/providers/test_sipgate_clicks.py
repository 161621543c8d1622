"""Requests to sipgate's REST API."""

from dataclasses import replace

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from hangtag.providers.base import Account, Click
from local.simulator.rest import Fault, Response
from sipgate_helpers import HOOK, SIPGATE, fake_sipgate

CLICK = Click(extension="101", number="+4912354678", reference="r", line="+49999999")


def test_click_rings_the_employees_device() -> None:
    with fake_sipgate() as (api, _, account):
        placed = SIPGATE.originate(account, CLICK, PlainClient())
        SIPGATE.originate(account, replace(CLICK, extension="102", line=None), PlainClient())
        first, second = api.placed
        assert first == {"deviceId": "e0", "caller": "e0", "callee": "+4912354678", "callerId": "+49999999"}
        # As it is entered in devices.
        assert second == {"deviceId": "e7", "caller": "e7", "callee": "+4912354678"}
        assert placed.call_id is not None
        assert placed.call_id.startswith("session-1")


@pytest.mark.parametrize("extension", ["anna", "103x", "", "1", "e1/../.."])
def test_invalid_device_is_never_requested(extension: str) -> None:
    with fake_sipgate(devices=None, users=None) as (_, server, account):
        with pytest.raises(BadInputError, match="devices"):
            SIPGATE.originate(account, replace(CLICK, extension=extension), PlainClient())
        assert not server.requests


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409])
def test_rejection_has_a_message_of_hangtags_own(status: int) -> None:
    with fake_sipgate() as (_, server, account):
        server.faults.append(Fault(Response(status, {"message": "+4912354678"})))
        with pytest.raises(BadInputError, match=f"\\(HTTP {status}\\)") as refused:
            SIPGATE.originate(account, CLICK, PlainClient())
        assert "4912354678" not in refused.value.message


def test_setup_enters_the_address_without_other_changes() -> None:
    with fake_sipgate() as (api, _, account):
        assert SIPGATE.setup(account, {}, PlainClient()).ok
        assert api.push == {"incomingUrl": HOOK, "outgoingUrl": HOOK, "log": True, "whitelist": ["p0"]}
    bare = Account(provider="sipgate", credentials={})
    assert "yourself" in SIPGATE.setup(bare, {}, PlainClient()).detail


def test_extensions_are_the_users_of_sipgate() -> None:
    with fake_sipgate() as (_, _server, account):
        extensions = SIPGATE.extensions(account, PlainClient())
        assert [(one.extension, one.name) for one in extensions] == [
            ("101", "Anna Petrova"),
            ("102", "Boris Orlov"),
            ("w9", ""),
        ]
        assert SIPGATE.ping(account, PlainClient()).ok
