"""RingCentral's REST API: access tokens for a JWT, subscriptions that end or are blacklisted, RingOut, the call log."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.simulator.past import Sent, iso
from local.simulator.pbx.ringcentral import EXTENSIONS, MENU, SETTINGS
from local.simulator.rest.base import Asked, Reply

_ACCOUNT = "/restapi/v1.0/account/~"
_SUBSCRIPTION = "/restapi/v1.0/subscription"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
_FILTERS = re.compile(r"/restapi/v1\.0/account/~(/extension/(~|\d+))?/telephony/sessions(\?.*)?")
_CALL_LOG = {"view", "type", "dateFrom", "dateTo", "perPage", "page", "telephonySessionId", "recordingType"}
# A subscription to webhooks may stand for twenty years.
_LONGEST = 20 * 365 * 86400
_MOST_ROWS = 250
_RESULTS = {"TargetBusy": "Busy", "NoAnswer": "No Answer", "InvalidNumber": "Wrong Number"}
_MEDIA = "https://media.ringcentral.com:443/restapi/v1.0/account/809646016/recording"


class Api:
    """One account. `rows` are its call log, `placed` what RingOut was asked for, `subscriptions` those of this user.

    `tokens` are the access tokens that are good. The log begins with a call of yesterday that was recorded.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self.numbers = ["+74951230001", "+74951230002"]
        self.page_size = _MOST_ROWS
        self.tokens: set[str] = set()
        self.given = 0
        self.placed: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        # Filters of which the user may not know, as a new subscription tells them.
        self.disabled: list[dict[str, Any]] = []
        self.made = 0
        # Whether an address is the subscriber's, as the real one asks before it posts there; None: it is believed.
        self.asks_back: Callable[[str], bool] | None = None
        self.extensions: list[dict[str, Any]] = [
            {"id": int(extension_id), "extensionNumber": number, "name": f"User {number}", "type": "User"}
            for extension_id, number in EXTENSIONS.items()
        ]
        self.extensions.append({"id": int(MENU), "extensionNumber": "1001", "name": "IVR Menu", "type": "IvrMenu"})
        self.phones = {extension_id: f"+7495123{number.zfill(4)}" for extension_id, number in EXTENSIONS.items()}
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self.rows: list[dict[str, Any]] = [_row("A1", "Inbound", "Accepted", yesterday, yesterday, recorded=True)]

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {**SETTINGS, "api_url": url}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events say it
        """Have its history know the calls of a story that began then."""
        calls: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
        for one in sent:
            said: Any = (one.message.body or {}).get("body", {})
            for party in said.get("parties", []):
                calls.setdefault(said["telephonySessionId"], []).append((one.at, party))
        self.rows += [_record(call_id, told) for call_id, told in calls.items()]

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names no session
        """See `TakesClicks`."""
        return "" if asked.path.endswith("/ring-out") else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        if (asked.method, asked.path) == ("POST", "/restapi/oauth/token"):
            return self._token(asked)
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "OAU-213", "Token not found")
        if asked.path == _SUBSCRIPTION or asked.path.startswith(f"{_SUBSCRIPTION}/"):
            return self._subscription(asked, *asked.path.removeprefix(_SUBSCRIPTION).strip("/").split("/"))
        found = re.fullmatch(rf"{_ACCOUNT}/extension/(\d+)/(ring-out|forwarding-number)", asked.path)
        extension_id = found[1] if found is not None and found[1] in self.phones else ""
        routes = {
            ("POST", f"{_ACCOUNT}/extension/{extension_id}/ring-out"): lambda: self._ring_out(asked, extension_id),
            ("GET", f"{_ACCOUNT}/extension/{extension_id}/forwarding-number"): lambda: self._forwarding(extension_id),
            ("GET", f"{_ACCOUNT}/extension"): lambda: self._page(asked, self.extensions),
            ("GET", f"{_ACCOUNT}/call-log"): lambda: self._call_log(asked),
        }
        route = routes.get((asked.method, asked.path))
        return route() if route is not None else _error(404, "CMN-102", "Resource is not found")

    def _token(self, asked: Asked) -> Reply:
        typed = f"{self._typed['client_id']}:{self._typed['client_secret']}"
        if asked.headers.get("authorization") != f"Basic {base64.b64encode(typed.encode()).decode()}":
            return Reply(401, {"error": "invalid_client", "error_description": "Invalid client credentials"})
        form = asked.form
        if form.get("grant_type") != _JWT_BEARER:
            return Reply(400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type"})
        if form.get("assertion") != self._typed["jwt"]:
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid assertion"})
        self.given += 1
        token = f"U1BCMDFUMDRKV1MwMXxz{self.given:06d}"
        self.tokens.add(token)
        return Reply(200, {"access_token": token, "token_type": "bearer", "expires_in": 3600, "scope": "CallControl"})

    # ------------------------------------------------------------------ subscriptions

    def _subscription(self, asked: Asked, known: str, action: str = "") -> Reply:
        if not known:
            routes = {
                "GET": lambda: Reply(200, {"records": self.subscriptions}),
                "POST": lambda: self._subscribe(asked),
            }
            return routes[asked.method]() if asked.method in routes else _error(405, "CMN-101", "Not allowed")
        found = next((one for one in self.subscriptions if one["id"] == known), None)
        if found is None:
            return _error(404, "SUB-507", "Subscription was expired")
        if (asked.method, action) == ("DELETE", ""):
            self.subscriptions.remove(found)
            return Reply(204)
        if (asked.method, action) != ("POST", "renew"):
            return _error(404, "CMN-102", "Resource is not found")
        if found["status"] != "Active":
            return _error(400, "SUB-509", "Subscription is blacklisted")
        found["expiresIn"] = found["asked"]
        return Reply(200, _shown(found))

    def _subscribe(self, asked: Asked) -> Reply:
        said = asked.json
        mode, seconds = said.get("deliveryMode", {}), said.get("expiresIn", 0)
        filters = said.get("eventFilters", [])
        if not filters or not all(_FILTERS.fullmatch(one) for one in filters):
            return _error(400, "SUB-502", "Event filter is invalid")
        secure = urlsplit(mode.get("address", "")).scheme in ("https", "http")
        if mode.get("transportType") != "WebHook" or not secure or not mode.get("verificationToken"):
            return _error(400, "SUB-521", "WebHook is not reachable")
        if not 0 < seconds <= _LONGEST:
            return _error(400, "CMN-101", "Parameter [expiresIn] value is invalid")
        if self.asks_back is not None and not self.asks_back(mode["address"]):
            return _error(400, "SUB-525", "WebHook response does not contain validation token")
        made = self.subscribed(mode["address"], seconds)
        made["token"] = mode["verificationToken"]
        return Reply(200, _shown(made))

    def subscribed(self, address: str, seconds: int, status: str = "Active") -> dict[str, Any]:
        """A subscription more."""
        self.made += 1
        made = {
            "id": f"1423e408-e25c-4421-8dd1-{self.made:012x}",
            "status": status,
            "eventFilters": [f"{_ACCOUNT}/telephony/sessions"],
            "expiresIn": seconds,
            "asked": seconds,
            "deliveryMode": {"transportType": "WebHook", "encryption": False, "address": address},
        }
        if self.disabled:
            made["disabledFilters"] = list(self.disabled)
        if status == "Blacklisted":
            made["blacklistedData"] = {"reason": "I/O operation is failed. Details: [Read timed out]"}
        self.subscriptions.append(made)
        return made

    # ------------------------------------------------------------------ calls

    def _forwarding(self, extension_id: str) -> Reply:
        rows = [
            {"id": "11", "phoneNumber": "+79161112233", "label": "Mobile", "type": "Mobile"},
            {"id": "12", "phoneNumber": self.phones[extension_id], "label": "Desk Phone", "type": "PhoneLine"},
        ]
        return Reply(200, {"records": rows, "paging": {"page": 1}, "navigation": {}})

    def _ring_out(self, asked: Asked, extension_id: str) -> Reply:
        if asked.headers.get("content-type") != "application/json":
            return _error(415, "CMN-415", "Unsupported Media Type")
        said = asked.json
        called, own = said.get("to", {}).get("phoneNumber", ""), said.get("from", {}).get("phoneNumber", "")
        if not _NUMBER.fullmatch(called):
            # A real refusal names the parameter, and repeats its value.
            return _error(400, "CMN-101", f"Parameter [to.phoneNumber] value [{called}] is invalid")
        if own != self.phones[extension_id]:
            return _error(400, "TEL-103", f"Parameter [from.phoneNumber] value [{own}] is invalid")
        if said.get("callerId", {}).get("phoneNumber", self.numbers[0]) not in self.numbers:
            return _error(400, "TEL-107", "Parameter [callerId.phoneNumber] value is invalid")
        self.placed.append({**said, "extension": extension_id})
        status = {"callStatus": "InProgress", "callerStatus": "InProgress", "calleeStatus": "InProgress"}
        number = f"{234343434 + len(self.placed)}"
        return Reply(200, {"id": number, "uri": f"{asked.path}/{number}", "status": status})

    def _call_log(self, asked: Asked) -> Reply:
        fields = asked.parameters
        if not fields.keys() <= _CALL_LOG or fields.get("view") not in ("Simple", "Detailed"):
            return _error(400, "CMN-101", "Parameter value is invalid")
        # Without it, the last day is meant.
        since = datetime.fromisoformat(fields.get("dateFrom", iso(datetime.now(UTC) - timedelta(days=1))))
        until = datetime.fromisoformat(fields.get("dateTo", "9999-12-31T00:00:00Z"))
        rows = [row for row in self.rows if since <= datetime.fromisoformat(row["startTime"]) < until]
        if "telephonySessionId" in fields:
            rows = [row for row in rows if row["telephonySessionId"] == fields["telephonySessionId"]]
        if fields.get("recordingType") == "All":
            rows = [row for row in rows if "recording" in row]
        if fields["view"] == "Simple":
            rows = [{name: value for name, value in row.items() if name != "legs"} for row in rows]
        # The newest first.
        return self._page(asked, sorted(rows, key=lambda row: str(row["startTime"]), reverse=True))

    def _page(self, asked: Asked, rows: Sequence[Mapping[str, Any]]) -> Reply:
        size = min(int(asked.parameters.get("perPage", "100")), self.page_size)
        page = int(asked.parameters.get("page", "1"))
        more = {"nextPage": {"uri": f"{asked.path}?page={page + 1}"}} if page * size < len(rows) else {}
        shown = rows[(page - 1) * size : page * size]
        return Reply(200, {"records": shown, "paging": {"page": page, "perPage": size}, "navigation": more})


def _shown(subscription: Mapping[str, Any]) -> dict[str, Any]:
    """A subscription without what only the fake knows of it."""
    return {name: value for name, value in subscription.items() if name not in ("asked", "token")}


def _record(call_id: str, told: Sequence[tuple[datetime, Mapping[str, Any]]]) -> dict[str, Any]:
    """A session as the call log has it, by what was told of its parties."""
    parties = [party for _, party in told]
    own = next((one for one in parties if one["direction"] == "Outbound" and "extensionId" in one), None)
    codes = [(party.get("extensionId"), party["status"]["code"]) for party in parties]
    answered = any(code == "Answered" for extension_id, code in codes if own is None or extension_id is None)
    took = {extension_id for extension_id, code in codes if code == "Answered" and extension_id}
    reasons = [party["status"].get("reason", "") for party in parties]
    failed = next((_RESULTS[reason] for reason in reasons if reason in _RESULTS), "Hang Up")
    result = ("Call connected" if answered else failed) if own is not None else "Accepted" if took else "Missed"
    way = "Outbound" if own is not None else "Inbound"
    recorded = any("recordings" in party for party in parties)
    row = _row(call_id, way, result, told[0][0], told[-1][0], recorded=recorded)
    row |= {"from": parties[0]["from"], "to": {"phoneNumber": parties[0]["to"]["phoneNumber"]}}
    row["legs"] = []
    for extension_id in dict.fromkeys(party["extensionId"] for party in parties if "extensionId" in party):
        times = [at for at, party in told if party.get("extensionId") == extension_id]
        leg = _row(call_id, way, "Accepted" if extension_id in took else "Missed", times[0], times[-1])
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


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]})
