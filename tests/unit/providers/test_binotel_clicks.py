"""Click-to-call through Binotel."""

from dataclasses import replace

import pytest

from binotel_helpers import BINOTEL, CLICK, api_account
from fake_clients import PlainClient
from hangtag.errors import BadInputError, TooManyError
from hangtag.providers.base import (
    Click,
)
from local.simulator.rest import Fault, Response


def test_national_number_is_dialled_in_ten_digits() -> None:
    with api_account() as (api, server, account):
        placed = BINOTEL.originate(account, CLICK, PlainClient())
        assert placed.call_id == "1700000001"
        BINOTEL.originate(account, Click(extension="901", number="+48221112233", reference="r"), PlainClient())
        assert [call["externalNumber"] for call in api.placed] == ["0671112233", "48221112233"]
        assert server.requests[0].path == "/api/4.0/calls/internal-number-to-external-number.json"


def test_click_is_asynchronous() -> None:
    """Otherwise Binotel responds only when the employee answers, or after half a minute."""
    with api_account() as (api, _, account):
        BINOTEL.originate(account, replace(CLICK, line="+380443334000"), PlainClient())
        BINOTEL.originate(account, replace(CLICK, line="0443334000"), PlainClient())
        BINOTEL.originate(account, CLICK, PlainClient())
        assert [call.get("pbxNumber") for call in api.placed] == ["0443334000", "0443334000", None]
        assert [call["async"] for call in api.placed] == [True] * 3


def test_click_without_a_call_id_is_placed() -> None:
    with api_account() as (_, server, account):
        server.faults.append(Fault(Response(200, {"status": "success"})))
        assert BINOTEL.originate(account, CLICK, PlainClient()).call_id is None


def test_error_message_contains_no_digits() -> None:
    with api_account() as (_, server, account):
        body = {"status": "error", "code": "104", "message": "line 901 can't call 0671112233"}
        server.faults.append(Fault(Response(200, body)))
        with pytest.raises(BadInputError, match=r"rejected the request \(104\): line can't call$"):
            BINOTEL.originate(account, CLICK, PlainClient())


@pytest.mark.parametrize("code", [106, "106"])
def test_rate_limit_code_pauses_all_requests(code: object) -> None:
    with api_account() as (_, server, account):
        client = PlainClient()
        server.faults.append(
            Fault(Response(200, {"status": "error", "code": code, "message": "Requests are too frequent"}))
        )
        with pytest.raises(TooManyError, match="in 10 seconds"):
            BINOTEL.originate(account, CLICK, client)
        assert client.held == {"": 10.0}


def test_error_message_contains_no_request_data() -> None:
    with api_account() as (_, server, account):
        for code in ("0671112233", {"phone": "0671112233"}, "binotel-secret"):
            body = {"status": "error", "code": code, "message": "no binotel-secret 0671112233"}
            server.faults.append(Fault(Response(200, body)))
            with pytest.raises(BadInputError, match=r"rejected the request \(HTTP 200\): no \*\*\*$"):
                BINOTEL.originate(account, CLICK, PlainClient())
