"""Click-to-call through RingCentral."""

from dataclasses import replace

import pytest

from hangtag.errors import BadInputError
from local.simulator.rest import Fault, Response
from ringcentral_helpers import BORIS, CLICK, CONTACT, OWN, RINGCENTRAL, api_account, sent_requests


def test_click_rings_the_desk_phone_of_the_employee() -> None:
    with api_account() as (api, server, account, client):
        assert RINGCENTRAL.originate(account, CLICK, client).call_id is None
        assert RINGCENTRAL.originate(account, replace(CLICK, line=None, extension=BORIS), client).call_id is None
    expected = {"from": {"phoneNumber": "+74951230102"}, "to": {"phoneNumber": CONTACT}, "playPrompt": False}
    assert api.placed == [
        {**expected, "callerId": {"phoneNumber": OWN}, "extension": BORIS},
        {**expected, "extension": BORIS},
    ]
    assert sent_requests(server)[:2] == [
        ("GET", f"/account/~/extension/{BORIS}/forwarding-number"),
        ("POST", f"/account/~/extension/{BORIS}/ring-out"),
    ]


@pytest.mark.parametrize("extension", ["105", "anna", "../~", "", "6226442510x"])
def test_click_of_an_unknown_extension_sends_no_request(extension: str) -> None:
    with api_account() as (_, server, account, client):
        with pytest.raises(BadInputError, match="extensions"):
            RINGCENTRAL.originate(account, replace(CLICK, extension=extension), client)
        assert not server.requests


def test_click_without_a_phone_explains_the_problem() -> None:
    with api_account() as (_, server, account, client):
        RINGCENTRAL.ping(account, client)
        server.faults.append(Fault(Response(200, {"records": []})))
        with pytest.raises(BadInputError, match="no phone"):
            RINGCENTRAL.originate(account, CLICK, client)


def test_rejected_click_shows_the_message_of_ringcentral() -> None:
    with api_account() as (_, _server, account, client), pytest.raises(BadInputError, match="callerId"):
        RINGCENTRAL.originate(account, replace(CLICK, line="+74950000000"), client)
