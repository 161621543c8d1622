"""Recordings of Vonage."""

from dataclasses import replace

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError
from vonage_helpers import fake_account, vonage


def test_recording_is_fetched_from_the_vendors_hosts_only() -> None:
    with fake_account() as (account, _, _):
        media = vonage.recording(
            replace(account, settings={}), "https://api-us-3.vonage.com/v1/files/bbbbbbbb-aaaa", PlainClient()
        )
        assert media.url == "https://api-us-3.vonage.com/v1/files/bbbbbbbb-aaaa"
        here = vonage.recording(account, "https://api.nexmo.com/v1/files/bbbbbbbb-aaaa", PlainClient())
        assert PlainClient().send("GET", here.url, headers=here.headers).status == 200
        for reference in (
            "https://api.nexmo.com.evil.example/v1/files/x",
            "https://evilnexmo.com/v1/files/x",
            "http://api.nexmo.com/v1/files/x",
            "https://api.nexmo.com/v1/files/../calls",
            "https://user@api.nexmo.com/v1/files/x",
            "https://api.nexmo.com/v1/files/x?y=1",
            "",
        ):
            with pytest.raises(BadInputError):
                vonage.recording(account, reference, PlainClient())
