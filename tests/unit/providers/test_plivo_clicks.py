"""Click-to-call at Plivo."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from hangtag.providers.base import (
    Account,
    Click,
)
from local.simulator.rest import Fault, Response
from plivo_helpers import HOOK, fake_account, plivo

CLICK = Click(extension="101", number="+79101234567", reference="ref-1", line="+74951230002")


def test_click_sends_the_webhook_address_for_every_callback() -> None:
    with fake_account() as (api, _, account):
        assert plivo.originate(account, CLICK, PlainClient()).call_id is None
        (request_log,) = api.placed
        assert (request_log["from"], request_log["to"]) == ("74951230002", "sip:101@phone.plivo.com")
        for name in ("answer_url", "ring_url", "hangup_url"):
            url = urlsplit(request_log[name])
            assert f"{url.scheme}://{url.netloc}{url.path}" == HOOK
            assert dict(parse_qsl(url.query))["reference"] == "ref-1"


@pytest.mark.parametrize(
    ("click", "settings", "webhook_url", "words"),
    [
        (CLICK, {}, "", "webhook"),
        (Click(extension="101", number="+79101234567", reference="r"), {"caller_id": None}, HOOK, "caller_id"),
        (Click(extension="1@evil", number="+79101234567", reference="r"), {}, HOOK, "extension"),
        (Click(extension="101", number="sip:x@y", reference="r"), {}, HOOK, "number"),
    ],
)
def test_invalid_click_is_rejected_without_a_request(
    click: Click, settings: Mapping[str, Any], webhook_url: str, words: str
) -> None:
    with fake_account() as (_, server, account):
        other = Account(
            provider="plivo",
            credentials=account.credentials,
            settings={**account.settings, **settings},
            webhook_url=webhook_url,
        )
        with pytest.raises(BadInputError, match=words):
            plivo.originate(other, click, PlainClient())
        assert not server.requests


def test_message_of_a_rejection_contains_no_number() -> None:
    with fake_account() as (_, server, account):
        server.faults.append(Fault(Response(400, {"error": "from parameter is invalid: 74951230002"})))
        with pytest.raises(BadInputError, match=r"\(HTTP 400\): from parameter is invalid:$"):
            plivo.originate(account, CLICK, PlainClient())
