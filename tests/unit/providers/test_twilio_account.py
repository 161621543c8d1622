"""Connection check, extensions and credentials of Twilio."""

from base64 import b64decode
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from hangtag.providers.twilio.form import INFOS, TwilioCredentials
from local.simulator.providers.twilio import pbx as simulated
from local.simulator.providers.twilio.api import Api
from local.simulator.rest import serving
from twilio_helpers import ACCOUNT, CLICK, DIALLED, HOOK, TOKEN, account_of, fake_account, single_event, twilio


def test_account_request_uses_the_token_others_use_the_api_key() -> None:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        account = account_of(api.credentials(server.url), api.settings(server.url))
        assert twilio.ping(account, PlainClient()).ok
        users = [b64decode(one.headers["authorization"].removeprefix("Basic ")).decode() for one in server.requests]
        paths = [one.path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT}") for one in server.requests]
        assert paths == [".json", "/Calls.json"]
        assert [user.partition(":")[0] for user in users] == [ACCOUNT, simulated.CREDENTIALS["api_key_sid"]]
        twilio.originate(account, CLICK, PlainClient())
        wrong = account_of({**account.credentials, "api_key_secret": "wrong"}, account.settings)
        with pytest.raises(BadInputError, match="api_key_sid and api_key_secret"):
            twilio.ping(wrong, PlainClient())
        # Half an API key is ignored.
        half = {name: value for name, value in account.credentials.items() if name != "api_key_secret"}
        assert twilio.ping(account_of(half, account.settings), PlainClient()).ok


def test_suspended_account_fails_the_connection_check() -> None:
    with fake_account() as (account, api, _):
        api.status = "suspended"
        check = twilio.ping(account, PlainClient())
    assert not check.ok
    assert "suspended" in check.detail


def test_missing_credentials_are_rejected_without_a_request() -> None:
    with fake_account() as (account, _, server):
        for credentials in ({}, {"account_sid": ACCOUNT}, {"account_sid": "AC1/../x", "auth_token": "t"}):
            incomplete = account_of(credentials, account.settings)
            with pytest.raises(BadInputError, match="account_sid and auth_token"):
                twilio.ping(incomplete, PlainClient())
            with pytest.raises(BadInputError, match="account_sid and auth_token"):
                twilio.originate(incomplete, CLICK, PlainClient())
        assert not server.requests


def test_addresses_in_the_instructions_contain_valid_hints() -> None:
    steps = INFOS[0].instructions(HOOK)
    addresses = [unescape(word) for step in steps for word in step.split() if word.startswith(HOOK)]
    hints = [dict(parse_qsl(urlsplit(address).query)) for address in addresses]
    assert hints == [
        {"direction": "in"},
        {"direction": "in", "line": "74951230001", "extension": "101"},
        {"direction": "out", "leg": "contact", "extension": "101"},
        {},
    ]
    number = {**DIALLED, "To": "+79161112233"}
    assert (
        single_event(number, "ringing", **hints[1]).extension,
        single_event(DIALLED, "ringing", **hints[2]).leg,
    ) == ("101", "out")


@pytest.mark.parametrize("sid", ["", "AC123", "SK" + "a" * 32, "AC" + "g" * 32, "AC" + "a" * 33])
def test_malformed_account_sid_is_rejected(sid: str) -> None:
    with pytest.raises(ValidationError):
        TwilioCredentials.model_validate({"account_sid": sid, "auth_token": TOKEN})
