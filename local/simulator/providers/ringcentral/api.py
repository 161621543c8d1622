"""RingCentral's REST API: access tokens for a JWT, subscriptions, RingOut, the call log."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.simulator.past import Sent, iso
from local.simulator.providers.ringcentral.pbx import EXTENSIONS, MENU, SETTINGS
from local.simulator.rest.base import Request, Response

_ACCOUNT = "/restapi/v1.0/account/~"
_SUBSCRIPTION = "/restapi/v1.0/subscription"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
_FILTERS = re.compile(r"/restapi/v1\.0/account/~(/extension/(~|\d+))?/telephony/sessions(\?.*)?")
_CALL_LOG = {"view", "type", "dateFrom", "dateTo", "perPage", "page", "telephonySessionId", "recordingType"}
# A webhook subscription lasts twenty years at most.
_LONGEST = 20 * 365 * 86400
_MOST_ROWS = 250
_RESULTS = {"TargetBusy": "Busy", "NoAnswer": "No Answer", "InvalidNumber": "Wrong Number"}
_MEDIA = "https://media.ringcentral.com:443/restapi/v1.0/account/809646016/recording"


class Api:
    """One account. `rows` are its call log, `placed` the RingOut requests, `subscriptions` those of this user.

    `tokens` are the valid access tokens. The log starts with a recorded call of yesterday.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = dict(credentials)
        self.numbers = ["+74951230001", "+74951230002"]
        self.page_size = _MOST_ROWS
        self.tokens: set[str] = set()
        self.issued_tokens = 0
        self.placed: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        # Filters without permission, which the response to a new subscription lists.
        self.disabled: list[dict[str, Any]] = []
        self.created = 0
        # Validates an address before the subscription, as RingCentral does; None accepts any.
        self.validate: Callable[[str], bool] | None = None
        self.extensions: list[dict[str, Any]] = [
            {"id": int(extension_id), "extensionNumber": number, "name": f"User {number}", "type": "User"}
            for extension_id, number in EXTENSIONS.items()
        ]
        self.extensions.append({"id": int(MENU), "extensionNumber": "1001", "name": "IVR Menu", "type": "IvrMenu"})
        self.phones = {extension_id: f"+7495123{number.zfill(4)}" for extension_id, number in EXTENSIONS.items()}
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self.rows: list[dict[str, Any]] = [_row("A1", "Inbound", "Accepted", yesterday, yesterday, recorded=True)]

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return dict(self._credentials)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        return {**SETTINGS, "api_url": url}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain it
        """Add the calls of a story to the history."""
        calls: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
        for item in sent:
            session: Any = (item.message.body or {}).get("body", {})
            for party in session.get("parties", []):
                calls.setdefault(session["telephonySessionId"], []).append((item.at, party))
        self.rows += [_record(call_id, steps) for call_id, steps in calls.items()]

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - the response names no session
        """See `ClickToCallRest`."""
        return "" if request.path.endswith("/ring-out") else None

    def respond(self, request: Request) -> Response:
        """Respond to one request."""
        if (request.method, request.path) == ("POST", "/restapi/oauth/token"):
            return self._token(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "OAU-213", "Token not found")
        if request.path == _SUBSCRIPTION or request.path.startswith(f"{_SUBSCRIPTION}/"):
            return self._subscription(request, *request.path.removeprefix(_SUBSCRIPTION).strip("/").split("/"))
        match = re.fullmatch(rf"{_ACCOUNT}/extension/(\d+)/(ring-out|forwarding-number)", request.path)
        extension_id = match[1] if match is not None and match[1] in self.phones else ""
        routes = {
            ("POST", f"{_ACCOUNT}/extension/{extension_id}/ring-out"): lambda: self._ring_out(request, extension_id),
            ("GET", f"{_ACCOUNT}/extension/{extension_id}/forwarding-number"): lambda: self._forwarding(extension_id),
            ("GET", f"{_ACCOUNT}/extension"): lambda: self._page(request, self.extensions),
            ("GET", f"{_ACCOUNT}/call-log"): lambda: self._call_log(request),
        }
        route = routes.get((request.method, request.path))
        return route() if route is not None else _error(404, "CMN-102", "Resource is not found")

    def _token(self, request: Request) -> Response:
        login = f"{self._credentials['client_id']}:{self._credentials['client_secret']}"
        if request.headers.get("authorization") != f"Basic {base64.b64encode(login.encode()).decode()}":
            return Response(401, {"error": "invalid_client", "error_description": "Invalid client credentials"})
        form = request.form
        if form.get("grant_type") != _JWT_BEARER:
            return Response(400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type"})
        if form.get("assertion") != self._credentials["jwt"]:
            return Response(400, {"error": "invalid_grant", "error_description": "Invalid assertion"})
        self.issued_tokens += 1
        token = f"U1BCMDFUMDRKV1MwMXxz{self.issued_tokens:06d}"
        self.tokens.add(token)
        return Response(
            200, {"access_token": token, "token_type": "bearer", "expires_in": 3600, "scope": "CallControl"}
        )

    # ------------------------------------------------------------------ subscriptions

    def _subscription(self, request: Request, subscription_id: str, action: str = "") -> Response:
        if not subscription_id:
            routes = {
                "GET": lambda: Response(200, {"records": self.subscriptions}),
                "POST": lambda: self._subscribe(request),
            }
            return routes[request.method]() if request.method in routes else _error(405, "CMN-101", "Not allowed")
        subscription = next((one for one in self.subscriptions if one["id"] == subscription_id), None)
        if subscription is None:
            return _error(404, "SUB-507", "Subscription was expired")
        if (request.method, action) == ("DELETE", ""):
            self.subscriptions.remove(subscription)
            return Response(204)
        if (request.method, action) != ("POST", "renew"):
            return _error(404, "CMN-102", "Resource is not found")
        if subscription["status"] != "Active":
            return _error(400, "SUB-509", "Subscription is blacklisted")
        subscription["expiresIn"] = subscription["lifetime"]
        return Response(200, _public(subscription))

    def _subscribe(self, request: Request) -> Response:
        body = request.json
        mode, seconds = body.get("deliveryMode", {}), body.get("expiresIn", 0)
        filters = body.get("eventFilters", [])
        if not filters or not all(_FILTERS.fullmatch(one) for one in filters):
            return _error(400, "SUB-502", "Event filter is invalid")
        secure = urlsplit(mode.get("address", "")).scheme in ("https", "http")
        if mode.get("transportType") != "WebHook" or not secure or not mode.get("verificationToken"):
            return _error(400, "SUB-521", "WebHook is not reachable")
        if not 0 < seconds <= _LONGEST:
            return _error(400, "CMN-101", "Parameter [expiresIn] value is invalid")
        if self.validate is not None and not self.validate(mode["address"]):
            return _error(400, "SUB-525", "WebHook response does not contain validation token")
        subscription = self.subscribed(mode["address"], seconds)
        subscription["token"] = mode["verificationToken"]
        return Response(200, _public(subscription))

    def subscribed(self, address: str, seconds: int, status: str = "Active") -> dict[str, Any]:
        """Add a subscription and return it."""
        self.created += 1
        subscription = {
            "id": f"1423e408-e25c-4421-8dd1-{self.created:012x}",
            "status": status,
            "eventFilters": [f"{_ACCOUNT}/telephony/sessions"],
            "expiresIn": seconds,
            "lifetime": seconds,
            "deliveryMode": {"transportType": "WebHook", "encryption": False, "address": address},
        }
        if self.disabled:
            subscription["disabledFilters"] = list(self.disabled)
        if status == "Blacklisted":
            subscription["blacklistedData"] = {"reason": "I/O operation is failed. Details: [Read timed out]"}
        self.subscriptions.append(subscription)
        return subscription

    # ------------------------------------------------------------------ calls

    def _forwarding(self, extension_id: str) -> Response:
        rows = [
            {"id": "11", "phoneNumber": "+79161112233", "label": "Mobile", "type": "Mobile"},
            {"id": "12", "phoneNumber": self.phones[extension_id], "label": "Desk Phone", "type": "PhoneLine"},
        ]
        return Response(200, {"records": rows, "paging": {"page": 1}, "navigation": {}})

    def _ring_out(self, request: Request, extension_id: str) -> Response:
        if request.headers.get("content-type") != "application/json":
            return _error(415, "CMN-415", "Unsupported Media Type")
        body = request.json
        called, own = body.get("to", {}).get("phoneNumber", ""), body.get("from", {}).get("phoneNumber", "")
        if not _NUMBER.fullmatch(called):
            # The real error names the parameter and repeats its value.
            return _error(400, "CMN-101", f"Parameter [to.phoneNumber] value [{called}] is invalid")
        if own != self.phones[extension_id]:
            return _error(400, "TEL-103", f"Parameter [from.phoneNumber] value [{own}] is invalid")
        if body.get("callerId", {}).get("phoneNumber", self.numbers[0]) not in self.numbers:
            return _error(400, "TEL-107", "Parameter [callerId.phoneNumber] value is invalid")
        self.placed.append({**body, "extension": extension_id})
        status = {"callStatus": "InProgress", "callerStatus": "InProgress", "calleeStatus": "InProgress"}
        number = f"{234343434 + len(self.placed)}"
        return Response(200, {"id": number, "uri": f"{request.path}/{number}", "status": status})

    def _call_log(self, request: Request) -> Response:
        fields = request.parameters
        if not fields.keys() <= _CALL_LOG or fields.get("view") not in ("Simple", "Detailed"):
            return _error(400, "CMN-101", "Parameter value is invalid")
        # Defaults to the last day.
        since = datetime.fromisoformat(fields.get("dateFrom", iso(datetime.now(UTC) - timedelta(days=1))))
        until = datetime.fromisoformat(fields.get("dateTo", "9999-12-31T00:00:00Z"))
        rows = [row for row in self.rows if since <= datetime.fromisoformat(row["startTime"]) < until]
        if "telephonySessionId" in fields:
            rows = [row for row in rows if row["telephonySessionId"] == fields["telephonySessionId"]]
        if fields.get("recordingType") == "All":
            rows = [row for row in rows if "recording" in row]
        if fields["view"] == "Simple":
            rows = [{name: value for name, value in row.items() if name != "legs"} for row in rows]
        # Newest first.
        return self._page(request, sorted(rows, key=lambda row: str(row["startTime"]), reverse=True))

    def _page(self, request: Request, rows: Sequence[Mapping[str, Any]]) -> Response:
        size = min(int(request.parameters.get("perPage", "100")), self.page_size)
        page = int(request.parameters.get("page", "1"))
        more = {"nextPage": {"uri": f"{request.path}?page={page + 1}"}} if page * size < len(rows) else {}
        page_rows = rows[(page - 1) * size : page * size]
        return Response(200, {"records": page_rows, "paging": {"page": page, "perPage": size}, "navigation": more})


def _public(subscription: Mapping[str, Any]) -> dict[str, Any]:
    """Return a subscription without the fields that only the fake needs."""
    return {name: value for name, value in subscription.items() if name not in ("lifetime", "token")}


def _record(call_id: str, steps: Sequence[tuple[datetime, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the call log's record of a session, from the steps of its parties."""
    parties = [party for _, party in steps]
    own = next((one for one in parties if one["direction"] == "Outbound" and "extensionId" in one), None)
    codes = [(party.get("extensionId"), party["status"]["code"]) for party in parties]
    answered = any(code == "Answered" for extension_id, code in codes if own is None or extension_id is None)
    answered_by = {extension_id for extension_id, code in codes if code == "Answered" and extension_id}
    reasons = [party["status"].get("reason", "") for party in parties]
    failed = next((_RESULTS[reason] for reason in reasons if reason in _RESULTS), "Hang Up")
    result = ("Call connected" if answered else failed) if own is not None else "Accepted" if answered_by else "Missed"
    way = "Outbound" if own is not None else "Inbound"
    recorded = any("recordings" in party for party in parties)
    row = _row(call_id, way, result, steps[0][0], steps[-1][0], recorded=recorded)
    row |= {"from": parties[0]["from"], "to": {"phoneNumber": parties[0]["to"]["phoneNumber"]}}
    row["legs"] = []
    for extension_id in dict.fromkeys(party["extensionId"] for party in parties if "extensionId" in party):
        times = [at for at, party in steps if party.get("extensionId") == extension_id]
        leg = _row(call_id, way, "Accepted" if extension_id in answered_by else "Missed", times[0], times[-1])
        row["legs"].append({**leg, "legType": "Accept", "extension": {"id": int(extension_id)}})
    return row


def _row(
    call_id: str, way: str, result: str, begun: datetime, ended: datetime, *, recorded: bool = False
) -> dict[str, Any]:
    milliseconds = round((ended - begun) / timedelta(milliseconds=1))
    row: dict[str, Any] = {
        "telephonySessionId": call_id,
        "type": "Voice",
        "direction": way,
        "result": result,
        "startTime": iso(begun),
        "duration": milliseconds // 1000,
        "durationMs": milliseconds,
        "from": {"phoneNumber": "+79101234567"},
        "to": {"phoneNumber": "+74951230001"},
    }
    if recorded:
        row["recording"] = {"id": "1662272004", "type": "Automatic", "contentUri": f"{_MEDIA}/1662272004/content"}
    return row


def _error(status: int, code: str, message: str) -> Response:
    return Response(
        status, {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]}
    )
