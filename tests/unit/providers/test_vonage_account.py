"""Connection check, extensions and credentials of Vonage."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from fake_clients import PlainClient
from hangtag.providers.vonage.form import VonageCredentials, VonageSettings
from local.simulator.providers.vonage import pbx as simulated
from vonage_helpers import API_KEY, SECRET, fake_account, vonage


def test_connection_check_only_reads() -> None:
    with fake_account() as (account, _, server):
        assert vonage.ping(account, PlainClient()).ok
        assert [one.method for one in server.requests] == ["GET"]
        webhooks_only = replace(account, credentials={"api_key": API_KEY, "signature_secret": SECRET})
        results = vonage.ping(webhooks_only, PlainClient())
        assert results.ok
        assert "To place calls" in results.detail
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"},
        {"private_key": ""},
        {"application_id": "x"},
        {"signature_secret": "short"},
        {"signature_secret": None},
        {"api_key": None},
        {"api_secret": "x"},
    ],
)
def test_malformed_credentials_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VonageCredentials.model_validate({**simulated.CREDENTIALS, **changes})


def test_extensions_to_ring_are_separated_by_commas() -> None:
    assert VonageSettings(ring="101, 102,anna").ring == "101, 102,anna"
    with pytest.raises(ValidationError):
        VonageSettings(ring="sip:101@x")
