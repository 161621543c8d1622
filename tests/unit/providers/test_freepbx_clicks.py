"""Commands to a FreePBX, as in the telephony API."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fake_clients import PlainClient
from freepbx_helpers import FREEPBX, TOKEN
from hangtag.errors import BadInputError
from hangtag.providers.base import (
    Account,
    Click,
)
from local.simulator.providers.freepbx.api import Api
from local.simulator.rest import base as rest


@pytest.fixture
def api() -> Api:
    return Api({})


@pytest.fixture
def server(api: Api) -> Iterator[rest.Server]:
    with rest.serving(api) as running:
        yield running


@pytest.fixture
def account(api: Api, server: rest.Server) -> Account:
    return Account(
        provider="freepbx", credentials=api.credentials(server.url), webhook_url="https://hangtag.example.com/h"
    )


CLICK = Click(extension="101", number="+79101234567", reference="r-1")


def test_commands_are_not_sent_without_pbx_url(account: Account, server: rest.Server) -> None:
    plain = replace(account, credentials={})
    with pytest.raises(BadInputError, match="Enter pbx_url"):
        FREEPBX.originate(plain, CLICK, PlainClient())
    assert FREEPBX.ping(plain, PlainClient()).ok
    assert FREEPBX.setup(plain, {"planfix_token": TOKEN}, PlainClient()).ok
    assert server.requests == []


def test_commands_go_out_as_in_the_telephony_api(account: Account, server: rest.Server, api: Api) -> None:
    assert FREEPBX.originate(account, CLICK, PlainClient()).call_id is None
    assert api.calls == [{"cmd": "makeCall", "from": "101", "to": "79101234567"}]
    assert FREEPBX.setup(account, {"planfix_token": TOKEN}, PlainClient()).ok
    assert api.set_up == {"cmd": "setup", "planfix_token": TOKEN, "planfix_url": "https://hangtag.example.com/h"}
    assert FREEPBX.ping(account, PlainClient()).ok
    assert {request.path for request in server.requests} == {"/planfix_api.php"}


def test_wrong_key_is_reported_to_the_admin(account: Account) -> None:
    wrong = replace(account, credentials={**account.credentials, "pbx_token": "wrong"})
    assert not FREEPBX.ping(wrong, PlainClient()).ok
    with pytest.raises(BadInputError, match="401"):
        FREEPBX.originate(wrong, CLICK, PlainClient())
