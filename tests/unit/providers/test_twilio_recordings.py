"""Recordings of Twilio."""

import pytest

from fake_clients import PlainClient
from hangtag import outbound
from hangtag.errors import BadInputError
from local.simulator.providers.twilio import pbx as simulated
from twilio_helpers import RECORDED, account_of, fake_account, twilio


def test_recording_is_fetched_as_mp3_with_the_account_credentials() -> None:
    with fake_account() as (account, _, _):
        media = twilio.recording(account, RECORDED, PlainClient())
        fetched = outbound.send("GET", media.url, headers=media.headers, plain=True, allowed=lambda ip: ip.is_loopback)
        assert (fetched.status, fetched.body) == (200, b"ID3 sound")
        without = outbound.send("GET", media.url, plain=True, allowed=lambda ip: ip.is_loopback)
        assert without.status == 401
        usual = account_of(account.credentials, {})
        for payload in (RECORDED, f"{RECORDED}.wav", f"{RECORDED}.json"):
            assert twilio.recording(usual, payload, PlainClient()).url == f"{RECORDED}.mp3"
        region = RECORDED.replace("api.", "api.dublin.ie1.")
        assert twilio.recording(usual, region, PlainClient()).url == f"{region}.mp3"


@pytest.mark.parametrize(
    "reference",
    [
        RECORDED.replace("twilio.com", "twilio.com.evil.example"),
        RECORDED.replace("api.twilio.com", "eviltwilio.com"),
        RECORDED.replace("api.twilio.com", "evil.example/api.twilio.com"),
        RECORDED.replace("api.twilio.com", "user@api.twilio.com"),
        RECORDED.replace("https", "http"),
        RECORDED + "/../../Keys",
        RECORDED + "?x=1",
        f"{RECORDED}\n",
        "https://bucket.s3.amazonaws.com/RE1.wav",
        "",
    ],
)
def test_credentials_are_sent_to_recording_addresses_only(reference: str) -> None:
    account = account_of(simulated.CREDENTIALS, {})
    with pytest.raises(BadInputError, match="not stored at Twilio"):
        twilio.recording(account, reference, PlainClient())
