"""RingCentral's REST API: access tokens, extensions, form."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from fake_clients import NoTokens
from hangtag.errors import BadInputError, TooManyError
from hangtag.outbound import RateLimitedClient
from hangtag.providers.ringcentral.form import RingCentralCredentials, RingCentralSettings
from local.simulator.providers.ringcentral import pbx as simulator
from local.simulator.rest import Fault, Response
from provider_stories import NOON
from ringcentral_helpers import ANNA, BORIS, RINGCENTRAL, FakeLimiter, api_account


def test_rejected_access_token_is_replaced_once() -> None:
    with api_account() as (api, server, account, client):
        RINGCENTRAL.ping(account, client)
        RINGCENTRAL.ping(account, client)
        assert api.issued_tokens == 1
        api.tokens.clear()
        RINGCENTRAL.ping(account, client)
        assert api.issued_tokens == 2
        server.faults += [Fault(Response(401, {"errorCode": "OAU-213"}))]
        RINGCENTRAL.ping(account, client)
        assert api.issued_tokens == 3


def test_token_rejected_twice_raises_an_error() -> None:
    with api_account() as (api, server, account, client):
        RINGCENTRAL.ping(account, client)
        original = api.respond

        def refuse(request: Any) -> Response:
            return original(request) if request.path.endswith("/token") else Response(401, {"errorCode": "OAU-213"})

        api.respond = refuse  # type: ignore[method-assign]
        with pytest.raises(BadInputError, match="client_id"):
            RINGCENTRAL.ping(account, client)
        assert api.issued_tokens == 2
        assert len(server.requests) == 2 + 3


def test_new_credentials_get_their_own_token() -> None:
    with api_account() as (_, _server, account, client):
        RINGCENTRAL.ping(account, client)
        others = replace(account, credentials={**account.credentials, "jwt": "another-jwt-credential"})
        with pytest.raises(BadInputError, match="jwt"):
            RINGCENTRAL.ping(others, client)


def test_rate_limited_group_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")
    with api_account() as (_, server, account, _):
        limiter = FakeLimiter()
        client = RateLimitedClient(
            limiter=limiter, tokens=NoTokens(), limits=RINGCENTRAL.limits, hosts=RINGCENTRAL.hosts, seconds=5.0
        )
        RINGCENTRAL.ping(account, client)
        server.faults.append(Fault(Response(429, {"errorCode": "CMN-301"}, {"retry-after": "60"})))
        with pytest.raises(TooManyError):
            list(RINGCENTRAL.history(account, NOON - timedelta(hours=1), NOON, client))
        assert limiter.held == {"heavy": 60.0}
        count = len(server.requests)
        with pytest.raises(TooManyError):
            RINGCENTRAL.recording(account, "s-1", client)
        assert len(server.requests) == count
        # Other groups have limits of their own.
        assert RINGCENTRAL.extensions(account, client)


def test_extensions_are_the_users_of_the_account() -> None:
    with api_account() as (_, _server, account, client):
        extensions = RINGCENTRAL.extensions(account, client)
        assert [(item.extension, item.name) for item in extensions][:1] == [("101", "User 101 (101)")]
        assert len(extensions) == 4
        bare = replace(account, settings={"api_url": account.settings["api_url"]})
        assert [item.extension for item in RINGCENTRAL.extensions(bare, client)][:2] == [ANNA, BORIS]


def test_ping_lists_missing_extension_ids() -> None:
    with api_account() as (api, _server, account, client):
        result = RINGCENTRAL.ping(account, client)
        assert (result.ok, result.detail) == (True, "RingCentral responded. The account has 4 users.")
        api.extensions.append({"id": 62264425105, "extensionNumber": "105", "name": "New", "type": "DigitalUser"})
        api.page_size = 2
        assert "has 5 users" in RINGCENTRAL.ping(account, client).detail
        assert RINGCENTRAL.ping(account, client).detail.endswith("extensions: 62264425105=105")
        api.extensions.insert(0, {"id": 62264425999, "extensionNumber": "2", "name": "Sales", "type": "Department"})
        assert RINGCENTRAL.ping(account, client).detail.endswith("extensions: 62264425105=105, 62264425999=")


@pytest.mark.parametrize("good", ["400144455008=101", "1=101,2 = 102 , 3=", "62242421016="])
def test_form_accepts_valid_extensions(good: str) -> None:
    assert RingCentralSettings(extensions=good).extensions == good


@pytest.mark.parametrize("wrong", ["", "101", "=101", "a=101", "1=101,", "1=101;2=102", "1=101\n", "9" * 21 + "=1"])
def test_form_rejects_invalid_extensions(wrong: str) -> None:
    with pytest.raises(ValidationError):
        RingCentralSettings(extensions=wrong)


def test_form_requires_all_credentials() -> None:
    typed = RingCentralCredentials.model_validate(dict(simulator.CREDENTIALS))
    assert simulator.CREDENTIALS["jwt"] not in repr(typed)
    assert simulator.CREDENTIALS["client_secret"] not in repr(typed)
    for name in simulator.CREDENTIALS:
        with pytest.raises(ValidationError):
            RingCentralCredentials.model_validate({**simulator.CREDENTIALS, name: None})
