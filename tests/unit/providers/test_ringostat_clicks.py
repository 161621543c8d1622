"""Click-to-call through Ringostat."""

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from hangtag.providers.base import Account
from local.simulator.rest import Fault, Response
from ringostat_helpers import CLICK, RINGOSTAT, api_account


def test_click_rings_the_employee_first() -> None:
    with api_account() as (_, server, account):
        assert RINGOSTAT.originate(account, CLICK, PlainClient()).call_id is None
        (request,) = server.requests
        assert request.form == {"extension": "101", "destination": "380671112233"}
        assert request.headers["auth-key"] == "a-key-of-the-project"


@pytest.mark.parametrize(
    "reply",
    [
        Response(200, {"error": "extension 380441112233 is not connected"}),
        Response(400, {"message": "extension 380441112233 is not connected"}),
        Response(400, {"error": {"code": 1, "message": "extension 380441112233 is not connected"}}),
    ],
)
def test_error_message_contains_no_digits(reply: Response) -> None:
    with api_account() as (_, server, account):
        server.faults.append(Fault(reply))
        with pytest.raises(BadInputError, match="extension is not connected"):
            RINGOSTAT.originate(account, CLICK, PlainClient())


def test_missing_key_prevents_any_request() -> None:
    with api_account() as (_, server, account):
        bare = Account(provider="ringostat", credentials={}, settings=account.settings)
        with pytest.raises(BadInputError, match="auth_key"):
            RINGOSTAT.ping(bare, PlainClient())
        assert not server.requests
        assert "2 of its SIP accounts" in RINGOSTAT.ping(account, PlainClient()).detail
