"""Requests to the two APIs of ITooLabs' VATS."""

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import (
    Account,
    Click,
)
from itoolabs_helpers import ITOOLABS, LEGACY, fake_vats
from local.simulator.rest import Fault, Response

CLICK = Click(extension="101", number="+74957654321", reference="r")


@pytest.mark.parametrize("path", ["", "/", "/crmapi/v1", LEGACY])
def test_click_sends_the_user_with_a_number_of_digits_only(path: str) -> None:
    with fake_vats(path) as (account, api, _):
        assert ITOOLABS.originate(account, CLICK, PlainClient()).call_id == "call-1"
    assert (api.calls[0]["user"], api.calls[0]["phone"]) == ("101", "74957654321")


@pytest.mark.parametrize(
    ("body", "call_id"),
    [("c-9", "c-9"), ('{"callid":"c-9"}', "c-9"), ('"c-9"', "c-9"), ("", None), ("{}", None)],
)
def test_call_id_is_read_from_text_or_an_object(body: str, call_id: str | None) -> None:
    with fake_vats(LEGACY) as (account, _, server):
        server.faults.append(Fault(Response(200, body)))
        assert ITOOLABS.originate(account, CLICK, PlainClient()).call_id == call_id


def test_page_instead_of_a_call_id_is_an_error() -> None:
    with fake_vats(LEGACY) as (account, _, server):
        server.faults.append(Fault(Response(200, "<html>log in</html>")))
        with pytest.raises(UnreachableError):
            ITOOLABS.originate(account, CLICK, PlainClient())


@pytest.mark.parametrize("path", ["", LEGACY])
def test_extensions_are_the_users_of_the_vats(path: str) -> None:
    with fake_vats(path) as (account, _, _):
        extensions = ITOOLABS.extensions(account, PlainClient())
    assert [(one.extension, one.name) for one in extensions] == [("101", "Anna Petrova"), ("102", "Boris Orlov")]


def test_recording_key_is_sent_to_the_vats_host_only() -> None:
    account = Account(provider="kcell", credentials={"pbx_url": "https://a.kcell.example", "api_key": "k"})
    own = ITOOLABS.recording(account, "https://a.kcell.example/rec/1.mp3", PlainClient())
    assert own.headers == {"x-api-key": "k"}
    for elsewhere in ("https://evil.example/a.kcell.example", "https://a.kcell.example.evil.example/1", "junk"):
        assert ITOOLABS.recording(account, elsewhere, PlainClient()).headers == {}


@pytest.mark.parametrize(
    ("status", "words"),
    [(301, "name of the company"), (401, "rejected api_key"), (403, "api_key"), (404, "not found at pbx_url")],
)
def test_error_status_has_a_plain_message(status: int, words: str) -> None:
    with fake_vats() as (account, _, server):
        server.faults.append(Fault(Response(status, "")))
        with pytest.raises(BadInputError, match=words):
            ITOOLABS.extensions(account, PlainClient())


def test_error_message_hides_numbers_with_the_key() -> None:
    with fake_vats() as (account, _, server):
        key = account.credentials["api_key"]
        server.faults.append(Fault(Response(400, {"error": f"no such user 74957654321 for {key}"})))
        with pytest.raises(BadInputError, match=r"rejected the request \(HTTP 400\): no such user for \*\*\*$"):
            ITOOLABS.originate(account, CLICK, PlainClient())


def test_requests_need_an_address_with_a_key() -> None:
    account = Account(provider="kcell", credentials={})
    assert ITOOLABS.ping(account, PlainClient()).ok
    with pytest.raises(BadInputError, match="Enter pbx_url and api_key"):
        ITOOLABS.originate(account, CLICK, PlainClient())
