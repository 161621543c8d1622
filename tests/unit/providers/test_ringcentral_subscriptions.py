"""RingCentral's webhook subscription."""

from dataclasses import replace
from typing import Any

import pytest

from hangtag.errors import BadInputError
from local.simulator.rest import Response
from ringcentral_helpers import HOOK, RINGCENTRAL, TOKEN, api_account, sent_requests


def test_setup_subscribes_the_address_with_the_token() -> None:
    with api_account() as (api, server, account, client):
        assert RINGCENTRAL.setup(account, {"verification_token": TOKEN}, client).ok
        (subscription,) = api.subscriptions
        assert (subscription["deliveryMode"]["address"], subscription["token"], subscription["status"]) == (
            HOOK,
            TOKEN,
            "Active",
        )
        assert subscription["eventFilters"] == ["/restapi/v1.0/account/~/telephony/sessions"]
        assert sent_requests(server) == [("POST", "/subscription")]


def test_active_subscription_costs_one_light_request() -> None:
    with api_account() as (api, server, account, client):
        RINGCENTRAL.setup(account, {"verification_token": TOKEN}, client)
        before = [dict(item) for item in api.subscriptions]
        server.requests.clear()
        result = RINGCENTRAL.renew_subscription(account, client)
        assert (result.what, result.ok) == ("subscription", True)
        assert "active" in result.detail
        assert [(item.method, item.path) for item in server.requests] == [("GET", "/restapi/v1.0/subscription")]
        assert api.subscriptions == before


def test_expiring_subscription_is_renewed() -> None:
    with api_account() as (api, server, account, client):
        subscription = api.subscribed(HOOK, 30 * 86400)
        subscription["expiresIn"] = 6 * 86400
        result = RINGCENTRAL.renew_subscription(account, client)
        assert (result.ok, "renewed" in result.detail) == (True, True)
        assert [item["expiresIn"] for item in api.subscriptions] == [30 * 86400]
        assert sent_requests(server)[1:] == [("POST", f"/subscription/{subscription['id']}/renew")]
        assert "active" in RINGCENTRAL.renew_subscription(account, client).detail


@pytest.mark.parametrize("status", ["Blacklisted", "Suspended"])
def test_stopped_subscription_is_replaced(status: str) -> None:
    with api_account() as (api, server, account, client):
        stopped = api.subscribed(HOOK, 30 * 86400, status)
        result = RINGCENTRAL.renew_subscription(account, client)
        assert (result.ok, status in result.detail) == (True, True)
        (subscription,) = api.subscriptions
        assert (subscription["status"], subscription["deliveryMode"]["address"], subscription["token"]) == (
            "Active",
            HOOK,
            TOKEN,
        )
        assert sent_requests(server)[1:] == [("DELETE", f"/subscription/{stopped['id']}"), ("POST", "/subscription")]
        assert "active" in RINGCENTRAL.renew_subscription(account, client).detail


def test_missing_subscription_is_created() -> None:
    with api_account() as (api, server, account, client):
        result = RINGCENTRAL.renew_subscription(account, client)
        assert (result.ok, "missing" in result.detail) == (True, True)
        assert [item["deliveryMode"]["address"] for item in api.subscriptions] == [HOOK]
        assert sent_requests(server)[1:] == [("POST", "/subscription")]


def test_listed_but_expired_subscription_is_replaced() -> None:
    with api_account() as (api, _server, account, client):
        api.subscribed(HOOK, 30 * 86400)["expiresIn"] = 0
        assert "created again" in RINGCENTRAL.renew_subscription(account, client).detail
        assert [item["expiresIn"] for item in api.subscriptions] == [30 * 86400]


def test_failed_deletion_does_not_prevent_a_new_subscription() -> None:
    with api_account() as (api, server, account, client):
        gone = api.subscribed(HOOK, 30 * 86400)
        gone["expiresIn"] = 0
        original = api.respond

        def expired(request: Any) -> Response:
            refused = Response(404, {"errorCode": "SUB-507", "message": "Subscription was expired"})
            return refused if request.method == "DELETE" else original(request)

        api.respond = expired  # type: ignore[method-assign]
        assert "created again" in RINGCENTRAL.renew_subscription(account, client).detail
        assert [item["expiresIn"] for item in api.subscriptions if item is not gone] == [30 * 86400]
        assert sent_requests(server)[1:] == [("DELETE", f"/subscription/{gone['id']}"), ("POST", "/subscription")]
        assert "active" in RINGCENTRAL.renew_subscription(account, client).detail


def test_subscription_without_call_permission_raises_an_error() -> None:
    with api_account() as (api, _server, account, client):
        api.disabled = [{"filter": "/restapi/v1.0/account/~/telephony/sessions", "reason": "-", "message": "-"}]
        with pytest.raises(BadInputError, match="Call Control"):
            RINGCENTRAL.setup(account, {"verification_token": TOKEN}, client)
        with pytest.raises(BadInputError, match="Call Control"):
            RINGCENTRAL.renew_subscription(account, client)
        assert len(api.subscriptions) == 1
        # Once the user has the permission, the subscription is created again.
        api.disabled = []
        assert "created again" in RINGCENTRAL.renew_subscription(account, client).detail
        assert "active" in RINGCENTRAL.renew_subscription(account, client).detail
        assert len(api.subscriptions) == 1


def test_subscriptions_of_other_addresses_are_unchanged() -> None:
    with api_account() as (api, _server, account, client):
        others = ("https://crm.example.com/hook", HOOK + "x", HOOK.replace("hooks.", "hook."))
        for other in others:
            api.subscribed(other, 3600, "Blacklisted")
        RINGCENTRAL.renew_subscription(account, client)
        assert [item["deliveryMode"]["address"] for item in api.subscriptions] == [*others, HOOK]


def test_one_active_subscription_is_sufficient() -> None:
    with api_account() as (api, server, account, client):
        api.subscribed(HOOK, 3600, "Blacklisted")
        api.subscribed(HOOK, 30 * 86400)
        assert "active" in RINGCENTRAL.renew_subscription(account, client).detail
        assert len(sent_requests(server)) == 1


def test_subscribing_requires_address_and_token() -> None:
    with api_account() as (api, server, account, client):
        with pytest.raises(BadInputError, match="Rotate"):
            RINGCENTRAL.renew_subscription(replace(account, webhook_url=""), client)
        assert not server.requests
        bare = {name: value for name, value in account.credentials.items() if name != "verification_token"}
        with pytest.raises(BadInputError, match="verification_token"):
            RINGCENTRAL.renew_subscription(replace(account, credentials=bare), client)
        with pytest.raises(BadInputError, match="verification_token"):
            RINGCENTRAL.setup(account, {}, client)
        assert api.subscriptions == []
