"""Subscription to the account's calls: RingCentral posts only while one is active."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from hangtag.errors import BadInputError
from hangtag.providers.base import Account, Check, PbxClient
from hangtag.providers.ringcentral.api import ACCOUNT, records, request

__all__ = ["renew_subscription", "setup"]

_PATH = "/restapi/v1.0/subscription"
_EVENTS = f"{ACCOUNT}/telephony/sessions"
_LIFETIME_SECONDS = 30 * 86400
# A subscription is renewed in its last week.
_RENEWAL_SECONDS = 7 * 86400


def setup(account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
    """Subscribe. RingCentral validates the address at once and posts to it from then on."""
    _subscribe(account, secrets.get("verification_token", ""), client)
    return Check("setup", True, "RingCentral accepted the address and posts all calls of the account to it.")


def renew_subscription(account: Account, client: PbxClient) -> Check:
    """Ensure that an active subscription posts to the account's webhook.

    A subscription expires, and RingCentral stops it for good (Blacklisted) after the address failed; it must then be
    deleted and created again. Subscriptions of other addresses are left alone.
    """
    if not account.webhook_url:
        raise BadInputError("The webhook's address is unknown. Rotate it.")
    rows = records(request(account, client, "GET", _PATH))
    ours = [row for row in rows if _address(row) == account.webhook_url]
    active = next((row for row in ours if row.get("status") == "Active" and _is_usable(row)), None)
    if active is not None and _seconds_left(active) > _RENEWAL_SECONDS:
        return Check("subscription", True, "The subscription is active.")
    if active is not None:
        request(account, client, "POST", f"{_path(active)}/renew", safe=True)
        return Check("subscription", True, "The subscription was about to expire and has been renewed.")
    for row in ours:
        # An expired subscription can still be listed after it is gone.
        with suppress(BadInputError):
            request(account, client, "DELETE", _path(row), limit="medium", safe=True)
    _subscribe(account, account.credentials.get("verification_token", ""), client)
    state = f"was {str(ours[0].get('status', ''))[:40] or 'expired'}" if ours else "was missing"
    return Check(
        "subscription",
        True,
        f"The subscription {state} and has been created again. Calls since it stopped come from the call log.",
    )


def _subscribe(account: Account, token: str, client: PbxClient) -> None:
    if not token:
        raise BadInputError("The verification_token is unknown. Rotate the webhook's address with its secrets.")
    mode = {"transportType": "WebHook", "address": account.webhook_url, "verificationToken": token}
    body = {"eventFilters": [_EVENTS], "deliveryMode": mode, "expiresIn": _LIFETIME_SECONDS}
    if _has_disabled_filters(request(account, client, "POST", _PATH, body=body, limit="medium")):
        raise BadInputError(
            "RingCentral does not report calls to this user. Give the app the permission Call Control, and use the "
            "JWT of an administrator."
        )


def _is_usable(row: Mapping[str, Any]) -> bool:
    return _seconds_left(row) > 0 and not _has_disabled_filters(row)


def _has_disabled_filters(row: Mapping[str, Any]) -> bool:
    """Return True for a subscription to events that its user may not see: it is active, but sends nothing."""
    return bool(row.get("disabledFilters"))


def _address(row: Mapping[str, Any]) -> object:
    mode = row.get("deliveryMode")
    return mode.get("address") if isinstance(mode, dict) else None


def _seconds_left(row: Mapping[str, Any]) -> float:
    seconds = row.get("expiresIn")
    return float(seconds) if type(seconds) is int else 0.0


def _path(row: Mapping[str, Any]) -> str:
    return f"{_PATH}/{quote(str(row.get('id', '')), safe='')}"
