"""Request log: webhook requests with their results, stored for a week for admins.

Logged are failed webhook requests, the first ones of a new endpoint, and all while an admin watches. Secrets are masked
before writing and can't be read here. Numbers stay as they came, because only admins see the log. The webhook writes
it, so this module does not load PynamoDB.
"""

import base64
import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.errors import NotFoundError
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import key
from hangtag.store.integrations.endpoints import LogReason

if TYPE_CHECKING:
    from hangtag.providers.base import WebhookRequest

MASK = "***"
# Replacement of bytes that are not UTF-8.
UNREADABLE = "\ufffd"
MAX_BODY_BYTES = 16 * 1024
MAX_PATH = 512
MAX_QUERY = 4096
MAX_HEADERS = 40
MAX_HEADER = 256
MAX_JWT = 4096
# Leaves room for the shortened token in a stored header.
MAX_JTI = 128
RETENTION = timedelta(days=7)
# Length of the part of a webhook token's hash that distinguishes an integration's endpoints.
ADDRESS = 16
# A misconfigured PBX repeats itself: ten at once and one per second are enough to see the cause.
BURST = 10
PER_SECOND = 1.0
MAX_BUCKETS = 10_000
SK = "DELIVERY"

# Bounded, which limits the time for any body.
_WORD = r"[\w.\-\[\]%]{0,64}"
_SECRET_NAME = rf"{_WORD}(?:token|secret|passw|pwd|api_?key|auth|sign|hash|crc){_WORD}"
_MASKS = (
    # form and query: name=value
    re.compile(rf"(?i)((?:^|[?&;\s]){_SECRET_NAME}=)[^&;\s]+"),
    # JSON, also cut off in the middle: "name": "value" or "name": value
    re.compile(rf'(?i)("{_SECRET_NAME}"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|[^\s,}}\]]+)'),
    # multipart: name="name" … blank line, value
    re.compile(rf'(?i)(name="?{_SECRET_NAME}"?[^\r\n]{{0,200}}(?:\r?\n[^\r\n]{{1,200}}){{0,4}}\r?\n\r?\n)[^\r\n]*'),
    # XML: <name>value
    re.compile(rf"(?i)(<{_SECRET_NAME}>)[^<]+"),
)
_SECRET_HEADER = re.compile(r"(?i)token|secret|passw|pwd|key|auth|sign|hash|crc|cookie")
# Length of our tokens: a proxy can copy the address into a header.
_TOKEN = re.compile(r"(?<![\w-])[\w-]{40}(?![\w-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventResult:
    """Result of one event of a webhook request: stored, duplicate, full (200 events) or, in a replay, left_out.

    `call_id` is the call's id in the API, None if the event did not reach a call. `digest` is the event's own.
    """

    kind: str
    extension: str | None
    call_id: str | None
    result: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as the API shows it."""
        return {"kind": self.kind, "extension": self.extension, "call_id": self.call_id, "result": self.result}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLogEntry:
    """One webhook request as received, with its secrets masked.

    `status` is the HTTP status of the response, `reason` its explanation, `log_reason` the reason for logging, `events`
    the results of its events. `truncated`: the body was cut. `address`: first characters of its token's hash.
    """

    id: str
    received_at: str
    status: int
    reason: str
    log_reason: LogReason
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str
    truncated: bool
    events: tuple[EventResult, ...]
    address: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the API shows it."""
        shown = asdict(self)
        del shown["address"]
        shown["kept"] = shown.pop("log_reason")
        return {**shown, "events": [event.to_json() for event in self.events]}


class Buckets:
    """A token bucket per integration and cause, within one process."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def take(self, who: tuple[str, ...], at: float) -> bool:
        """Take a token and return True if one is available at this time (seconds, of a monotonic clock)."""
        level, since = self._levels.pop(who, (float(BURST), at))
        level = min(float(BURST), level + (at - since) * PER_SECOND)
        allowed = level >= 1
        self._levels[who] = (level - 1 if allowed else level, at)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return allowed


_buckets = Buckets()


def append(
    *,
    tenant_id: str,
    integration_id: str,
    address: str,
    request: "WebhookRequest",
    status: int,
    reason: str,
    log_reason: LogReason,
    events: Sequence[EventResult] = (),
) -> bool:
    """Log a webhook request for a week, by one PutItem; False if this integration had too many recently.

    `address` is the hash of the webhook token. Requests during the set-up are counted by `count_set_up`. Raises
    botocore's errors.
    """
    if log_reason != "set_up" and not _buckets.take((tenant_id, integration_id, log_reason), time.monotonic()):
        return False
    text, truncated = mask(request.body)
    moment = request.arrived_at.astimezone(UTC)
    dynamodb().put_item(
        TableName=table(),
        Item={
            "pk": {"S": key("T", tenant_id, SK, integration_id)},
            "sk": {"S": key(SK, _make_id(moment))},
            "kind": {"S": "delivery"},
            "received_at": {"S": moment.isoformat(timespec="milliseconds")},
            "method": {"S": request.method[:16]},
            "path": {"S": _mask_text(request.path)[:MAX_PATH]},
            "query": {"S": _mask_text(request.query)[:MAX_QUERY]},
            "headers": {"S": json.dumps(mask_headers(request.headers))},
            "body": {"S": text},
            "truncated": {"BOOL": truncated or len(request.query) > MAX_QUERY},
            "status": {"N": str(status)},
            "reason": {"S": reason[:512]},
            "kept": {"S": log_reason},
            "events": {"S": json.dumps([asdict(event) for event in events])},
            "address": {"S": address[:ADDRESS]},
            "expires_at": {"N": str(int((moment + RETENTION).timestamp()))},
        },
    )
    return True


def _make_id(moment: datetime) -> str:
    """Return a new id of 32 hexadecimal characters; ids sort by their time."""
    return f"{int(moment.timestamp() * 1000):016x}{secrets.token_hex(8)}"


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without secrets and without values that look like a webhook's token; at most 40 of them."""
    return {_storable(name): _mask_header(name, value) for name, value in list(headers.items())[:MAX_HEADERS]}


def _mask_header(name: str, value: str) -> str:
    if name.endswith("-nonce"):
        # Not a secret; the nonce distinguishes a replay from a new event.
        return _storable(value)
    if _SECRET_HEADER.search(name):
        return _shorten_jwt(value) or MASK
    # The message's own id can be as long as a token; a replay without it would be a new event.
    return _storable(value) if name == "webhook-id" else _TOKEN.sub(MASK, _storable(value))


def _shorten_jwt(value: str) -> str:
    """Return a JWT reduced to its id, still in JWT form, or "": a replay without the id would be a new event."""
    scheme, _, token = value.partition(" ")
    parts = token.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3 or len(token) > MAX_JWT:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return ""
    jti = claims.get("jti") if isinstance(claims, dict) else None
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        return ""
    claim = base64.urlsafe_b64encode(json.dumps({"jti": jti}).encode()).decode().rstrip("=")
    return f"Bearer {MASK}.{claim}.{MASK}"


def _storable(text: str) -> str:
    """Return a header's name or value as valid UTF-8, cut to its limit."""
    return text[:MAX_HEADER].encode("utf-8", "replace").decode()


def _mask_text(text: str) -> str:
    return _TOKEN.sub(MASK, mask(text.encode("utf-8", "replace"))[0])


def mask(body: bytes) -> tuple[str, bool]:
    """Return a body as text of at most 16 KB without its secrets, and True if it was cut.

    Fields are masked by name: token, secret, password, key, signature and the like.
    """
    # A huge body is cut first to limit the time of masking.
    text = body[: 4 * MAX_BODY_BYTES].decode("utf-8", "replace")
    for pattern in _MASKS:
        text = pattern.sub(rf"\1{MASK}", text)
    encoded = text.encode()
    shortened = encoded[:MAX_BODY_BYTES].decode("utf-8", "ignore")
    return shortened, len(encoded) > MAX_BODY_BYTES or len(body) > 4 * MAX_BODY_BYTES


def list_entries(
    tenant_id: str,
    integration_id: str,
    limit: int,
    before: str | None,
) -> tuple[list[RequestLogEntry], str | None]:
    """Return request log entries, newest first, and the last one's id if there are more. Raises botocore's errors."""
    pk = key("T", tenant_id, SK, integration_id)
    arguments: dict[str, Any] = {}
    if before is not None:
        arguments["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": key(SK, before)}}
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :delivery)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":delivery": {"S": key(SK, "")}},
        ScanIndexForward=False,
        Limit=limit,
        **arguments,
    )
    last = response.get("LastEvaluatedKey", {}).get("sk", {}).get("S")
    return [_parse(item) for item in response["Items"]], last.removeprefix(key(SK, "")) if last else None


def purge(tenant_id: str, integration_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all entries of an integration; False if time ran out first. Raises botocore's errors."""
    # Imported here, because only deletions need it.
    from hangtag.store.db.batch import delete_partition

    return delete_partition(key("T", tenant_id, SK, integration_id), has_time)


def find(tenant_id: str, integration_id: str, delivery_id: str) -> RequestLogEntry:
    """Return one entry. Raises NotFoundError, and botocore's errors."""
    place: Any = {"pk": {"S": key("T", tenant_id, SK, integration_id)}, "sk": {"S": key(SK, delivery_id)}}
    item = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True).get("Item")
    if item is None:
        raise NotFoundError("No such webhook request. Requests are stored for a week.")
    return _parse(item)


def _parse(item: Any) -> RequestLogEntry:
    return RequestLogEntry(
        id=item["sk"]["S"].removeprefix(key(SK, "")),
        received_at=item["received_at"]["S"],
        status=int(item["status"]["N"]),
        reason=item["reason"]["S"],
        log_reason=item["kept"]["S"],
        method=item["method"]["S"],
        path=item["path"]["S"],
        query=item["query"]["S"],
        headers=json.loads(item["headers"]["S"]),
        body=item["body"]["S"],
        truncated=item["truncated"]["BOOL"],
        events=tuple(EventResult(**result) for result in json.loads(item["events"]["S"])),
        address=item["address"]["S"],
    )
