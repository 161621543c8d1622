"""Requests to Zadarma's API: callback, recordings, extensions, set-up.

The shared suite (test_provider_outgoing.py) covers server errors, rate limits, timeouts, redirects and junk.
"""

from dataclasses import replace

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from hangtag.providers.base import Account, Click
from local.simulator.rest import Fault, Response
from zadarma_helpers import ZADARMA, fake_zadarma


def test_request_is_signed_like_the_vendors_python_client() -> None:
    """The worked example of that client, with equal parameters."""
    with fake_zadarma(api_key="user_key") as (account, _, server):
        server.faults.append(Fault(Response(200, {"status": "success"})))
        click = Click(extension="100", number="+442037691882", reference="r")
        ZADARMA.originate(account, click, PlainClient())
        (request,) = server.requests
    assert (request.path, request.query) == ("/v1/request/callback/", "format=json&from=100&sip=100&to=442037691882")
    expected = "user_key:YWJkNjVlNjllNTJmZWNiYTU5NzYyYTEyMjNkOWJmNTgwNTE2ODFmZA=="
    assert request.headers["authorization"] == expected


def test_click_rings_the_extension_before_the_contact() -> None:
    with fake_zadarma() as (account, _, server):
        placed = ZADARMA.originate(account, Click(extension="101", number="+74957654321", reference="r"), PlainClient())
        assert placed.call_id is None
        assert server.requests[0].parameters["from"] == "101"
        # `predicted` would ring the contact first.
        assert "predicted" not in server.requests[0].parameters


def test_recording_requests_a_temporary_link() -> None:
    with fake_zadarma() as (account, _, server):
        media = ZADARMA.recording(account, "1458313316.343456", PlainClient())
        assert media.url == "https://api.zadarma.com/v1/pbx/record/download/1458313316.343456.mp3"
        assert media.headers == {}
        links = {"status": "success", "links": ["https://api.zadarma.com/1.mp3", "https://api.zadarma.com/2.mp3"]}
        server.faults.append(Fault(Response(200, links)))
        assert ZADARMA.recording(account, "x", PlainClient()).url == "https://api.zadarma.com/1.mp3"


def test_error_contains_the_message_of_the_vendor() -> None:
    with fake_zadarma() as (account, _, server):
        server.faults.append(Fault(Response(400, {"status": "error", "message": "Wrong caller ID"})))
        with pytest.raises(BadInputError, match=r"rejected the request \(HTTP 400\): Wrong caller ID"):
            ZADARMA.extensions(account, PlainClient())
    with fake_zadarma(api_secret="wrong") as (account, _, _), pytest.raises(BadInputError, match="rejected api_key"):
        ZADARMA.extensions(account, PlainClient())
    with pytest.raises(BadInputError, match="Enter api_key and api_secret"):
        ZADARMA.extensions(Account(provider="zadarma", credentials={"api_secret": "x"}), PlainClient())


def test_setup_enters_the_address_with_all_notifications() -> None:
    with fake_zadarma() as (account, api, _):
        assert ZADARMA.setup(replace(account, webhook_url="https://h/1"), {}, PlainClient()).ok
        assert api.set_up.pop("url") == "https://h/1"
        assert set(api.set_up.values()) == {"true"}
        assert len(api.set_up) == 6
