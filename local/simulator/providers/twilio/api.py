"""Twilio's REST API: HTTP Basic, forms in and JSON out, lists in pages."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree as ET

from local.simulator.past import Sent, post_of
from local.simulator.rest.base import Request, Response

_EVENTS = ("initiated", "ringing", "answered", "completed")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_CALLED = re.compile(r"\+[1-9]\d{6,14}|client:[\w.*-]+|sips?:[^@\s]+@[\w.-]+", re.ASCII)
_MOST_TWIML = 4000


class Api:
    """One account. `calls` and `recordings` are its lists, `placed` the forms of requested calls."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self._account = f"/2010-04-01/Accounts/{credentials['account_sid']}"
        self.numbers = ["+74951230001", "+74951230002"]
        self.status = "active"
        self.page_size = 1000
        self.calls: list[dict[str, Any]] = []
        self.recordings: list[dict[str, Any]] = []
        self.placed: list[dict[str, list[str]]] = []

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the credentials of the account."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of the integration."""
        return {"api_url": url, "sip_domain": "acme.sip.twilio.com", "caller_id": self.numbers[0]}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story that began at `started` to the call log."""
        calls: dict[str, dict[str, Any]] = {}
        for one in sent:
            payload, when = post_of(one), format_datetime(one.at)
            if "RecordingStatus" in payload:
                self.recordings.append(
                    {"sid": payload["RecordingSid"], "call_sid": payload["CallSid"], "status": "completed",
                     "date_created": when, "media_url": payload["RecordingUrl"], "uri": "/2010-04-01/x.json"}
                )  # fmt: skip
                continue
            # The first leg is the call. Other legs can be reported only at their end.
            late = one.at - timedelta(seconds=int(payload.get("CallDuration", "0")))
            begun = format_datetime(late if payload.get("ParentCallSid") else started)
            row = calls.setdefault(
                payload["CallSid"],
                {
                    "sid": payload["CallSid"], "parent_call_sid": payload.get("ParentCallSid"),
                    "direction": payload["Direction"], "from": payload["From"],
                    "to": payload["To"].removeprefix("sip:"), "forwarded_from": None,
                    "date_created": begun, "start_time": begun, "duration": None,
                },
            )  # fmt: skip
            if payload["CallStatus"] == "in-progress":
                row["start_time"] = when
            row |= {"status": payload["CallStatus"], "end_time": when, "duration": payload.get("CallDuration")}
        self.calls += calls.values()

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        return str(response.body["sid"]) if request.method == "POST" and request.path.endswith("/Calls.json") else None

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        as_owner = self._is(request, "account_sid", "auth_token")
        if not as_owner and not self._is(request, "api_key_sid", "api_key_secret"):
            return _error(401, 20003, "Authenticate")
        path = request.path.removeprefix(self._account)
        if (request.method, path) == ("GET", ".json"):
            # An API key cannot read the account itself.
            account = {"sid": self._typed["account_sid"], "status": self.status, "friendly_name": "Acme"}
            return Response(200, account) if as_owner else _error(401, 20003, "Authenticate")
        if request.method == "GET" and re.fullmatch(r"/Recordings/\w+\.mp3", path):
            return Response(200, b"ID3 sound", {"content-type": "audio/mpeg"})
        routes = {
            ("POST", "/Calls.json"): self._call,
            ("GET", "/Calls.json"): self._calls,
            ("GET", "/Recordings.json"): self._recordings,
        }
        route = routes.get((request.method, path))
        return route(request) if route is not None else _error(404, 20404, f"{request.path} was not found")

    def _is(self, request: Request, name: str, secret: str) -> bool:
        typed = f"{self._typed.get(name, '')}:{self._typed.get(secret, '')}"
        good = f"Basic {base64.b64encode(typed.encode()).decode()}"
        return bool(self._typed.get(secret)) and request.headers.get("authorization", "") == good

    def _call(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _error(400, 21201, "No 'To' number is specified")
        form = parse_qs(request.body.decode())
        refusal = self._refusal(form)
        if refusal is not None:
            return refusal
        self.placed.append(form)
        sid = f"CA{len(self.placed):032x}"
        uri = f"{self._account}/Calls/{sid}.json"
        return Response(201, {"sid": sid, "status": "queued", "direction": "outbound-api", "uri": uri})

    def _refusal(self, form: Mapping[str, list[str]]) -> Response | None:
        called, shown = form.get("To", [""])[0], form.get("From", [""])[0]
        if not _CALLED.fullmatch(called):
            return _error(400, 21211, f"The 'To' number {called} is not a valid phone number.")
        if not _NUMBER.fullmatch(shown):
            return _error(400, 21212, f"The 'From' number {shown} is not a valid phone number.")
        if shown not in self.numbers:
            return _error(400, 21210, f"The source phone number provided, {shown}, is not yet verified.")
        if not set(form.get("StatusCallbackEvent", [])) <= set(_EVENTS):
            return _error(400, 21626, "Invalid status callback event")
        callbacks = [*form.get("StatusCallback", []), *_callbacks(form.get("Twiml", [""])[0])]
        if not all(urlsplit(url).scheme in ("https", "http") and urlsplit(url).hostname for url in callbacks):
            return _error(400, 21205, "Url is not a valid URL")
        return None if callbacks else _error(400, 21205, "Url parameter is required.")

    def _calls(self, request: Request) -> Response:
        return self._list(request, "calls", "StartTime", "start_time", self.calls)

    def _recordings(self, request: Request) -> Response:
        return self._list(request, "recordings", "DateCreated", "date_created", self.recordings)

    def _list(self, request: Request, key: str, by: str, column: str, rows: list[dict[str, Any]]) -> Response:
        fields = request.parameters
        size = min(int(fields.get("PageSize", "50")), self.page_size)
        page = int(fields.get("Page", "0"))
        since, until = fields.get(f"{by}>", "0001-01-01"), fields.get(f"{by}<", "9999-12-31")
        fits = [row for row in rows if since <= _iso(row[column]) <= until]
        # The newest first.
        fits.sort(key=lambda row: _iso(row[column]), reverse=True)
        more = len(fits) > (page + 1) * size
        following = urlencode({**fields, "PageSize": size, "Page": page + 1, "PageToken": f"PA{page}"})
        return Response(
            200,
            {
                key: fits[page * size : (page + 1) * size],
                "page": page,
                "page_size": size,
                "next_page_uri": f"{request.path}?{following}" if more else None,
            },
        )


def _callbacks(twiml: str) -> list[str]:
    """Return the callback addresses in a TwiML document; [""] unless it dials one number."""
    try:
        root = ET.fromstring(twiml)  # noqa: S314 - our own document
    except ET.ParseError:
        return [""]
    number = root.find("./Dial/Number")
    if root.tag != "Response" or len(twiml) > _MOST_TWIML or number is None or not _NUMBER.fullmatch(number.text or ""):
        return [""]
    names = ("statusCallback", "recordingStatusCallback")
    return [url for element in root.iter() for name in names if (url := element.get(name)) is not None]


def _iso(payload: str | datetime) -> str:
    moment = payload if isinstance(payload, datetime) else parsedate_to_datetime(payload)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Response(status, {"code": code, "message": message, "more_info": more, "status": status})
