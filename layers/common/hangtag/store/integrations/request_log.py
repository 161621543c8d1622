"""Deliveries that are kept for a week where an admin can see them, with what each led to.

Kept are those in which something was wrong, the first ones of a new webhook address, and all while an admin watches.
Their secrets are masked before they are written, so that nobody ever reads them here; numbers are as they came, for
only admins get to see deliveries. The webhook writes them: this loads no PynamoDB.
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
# What stands for bytes that are no UTF-8.
UNREADABLE = "\ufffd"
MAX_BODY_BYTES = 16 * 1024
MAX_PATH = 512
MAX_QUERY = 4096
MAX_HEADERS = 40
MAX_HEADER = 256
MAX_JWT = 4096
# With it, what is left of a token fits into a header that is kept.
MAX_JTI = 128
KEPT = timedelta(days=7)
# How much of the hash of a webhook token tells one address of an integration from another.
ADDRESS = 16
# A PBX that is set up wrongly repeats itself: ten at once and one a second tell as much as all.
BURST = 10
PER_SECOND = 1.0
MAX_BUCKETS = 10_000
SK = "DELIVERY"

# Bounded, so that no body takes long.
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
# As long as a token of ours: a proxy may have put the address into a header.
_TOKEN = re.compile(r"(?<![\w-])[\w-]{40}(?![\w-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventResult:
    """What one event of a delivery came to: stored, duplicate, full (its call has 200) or, in a replay, left_out.

    `call_id` is the call's id in the API, None if the event never came to a call. `digest` is the event's own.
    """

    kind: str
    extension: str | None
    call_id: str | None
    result: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"kind": self.kind, "extension": self.extension, "call_id": self.call_id, "result": self.result}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLogEntry:
    """One webhook request as it came, with its secrets masked.

    `status` is what the PBX was told, `reason` why in words, `kept` why it is kept, `events` what it said of calls.
    `truncated`: the body is longer than what is kept of it. `address`: how the hash of its webhook token begins.
    """

    id: str
    received_at: str
    status: int
    reason: str
    kept: LogReason
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str
    truncated: bool
    events: tuple[EventResult, ...]
    address: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        shown = asdict(self)
        del shown["address"]
        return {**shown, "events": [event.to_json() for event in self.events]}


class Buckets:
    """A token bucket for each integration and cause, within one process."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def take(self, who: tuple[str, ...], at: float) -> bool:
        """Whether one more is allowed at this time (seconds, of a clock that does not go back)."""
        level, since = self._held.pop(who, (float(BURST), at))
        level = min(float(BURST), level + (at - since) * PER_SECOND)
        allowed = level >= 1
        self._held[who] = (level - 1 if allowed else level, at)
        if len(self._held) > MAX_BUCKETS:
            self._held.popitem(last=False)
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
    kept: LogReason,
    events: Sequence[EventResult] = (),
) -> bool:
    """Keep a delivery for a week, by one PutItem; false if this integration had too many lately.

    `address` is the hash of the webhook token. Those of a set-up are counted elsewhere. Raises botocore's errors.
    """
    if kept != "set_up" and not _buckets.take((tenant_id, integration_id, kept), time.monotonic()):
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
            "path": {"S": _masked(request.path)[:MAX_PATH]},
            "query": {"S": _masked(request.query)[:MAX_QUERY]},
            "headers": {"S": json.dumps(mask_headers(request.headers))},
            "body": {"S": text},
            "truncated": {"BOOL": truncated or len(request.query) > MAX_QUERY},
            "status": {"N": str(status)},
            "reason": {"S": reason[:512]},
            "kept": {"S": kept},
            "events": {"S": json.dumps([asdict(event) for event in events])},
            "address": {"S": address[:ADDRESS]},
            "expires_at": {"N": str(int((moment + KEPT).timestamp()))},
        },
    )
    return True


def _make_id(moment: datetime) -> str:
    """A fresh id of 32 hexadecimal characters; ids sort by their time."""
    return f"{int(moment.timestamp() * 1000):016x}{secrets.token_hex(8)}"


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without their secrets, and without what looks like a webhook's token; at most 40 of them."""
    return {_storable(name): _shown(name, value) for name, value in list(headers.items())[:MAX_HEADERS]}


def _shown(name: str, value: str) -> str:
    if name.endswith("-nonce"):
        # It is no secret, and tells a replay from another event.
        return _storable(value)
    if _SECRET_HEADER.search(name):
        return _identified(value) or MASK
    # A message's own id may be as long as a token; without it, a replay would be another event.
    return _storable(value) if name == "webhook-id" else _TOKEN.sub(MASK, _storable(value))


def _identified(value: str) -> str:
    """A JWT's id alone, in the form of one: without it, a replay would be another event. "" if it has none."""
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
    kept = base64.urlsafe_b64encode(json.dumps({"jti": jti}).encode()).decode().rstrip("=")
    return f"Bearer {MASK}.{kept}.{MASK}"


def _storable(text: str) -> str:
    """A name or value of a header as text that UTF-8 can hold, cut to its limit."""
    return text[:MAX_HEADER].encode("utf-8", "replace").decode()


def _masked(text: str) -> str:
    return _TOKEN.sub(MASK, mask(text.encode("utf-8", "replace"))[0])


def mask(body: bytes) -> tuple[str, bool]:
    """A body as text of at most 16 KB without its secrets, and whether it was cut.

    Fields are masked by their names: whatever is called token, secret, password, key or signature.
    """
    # What is far over the limit is cut first, so that a huge body costs no time.
    text = body[: 4 * MAX_BODY_BYTES].decode("utf-8", "replace")
    for pattern in _MASKS:
        text = pattern.sub(rf"\1{MASK}", text)
    encoded = text.encode()
    kept = encoded[:MAX_BODY_BYTES].decode("utf-8", "ignore")
    return kept, len(encoded) > MAX_BODY_BYTES or len(body) > 4 * MAX_BODY_BYTES


def recent(
    tenant_id: str,
    integration_id: str,
    limit: int,
    before: str | None,
) -> tuple[list[RequestLogEntry], str | None]:
    """Deliveries, the newest first, and the id of the last one if there are more. Raises botocore's errors."""
    pk = key("T", tenant_id, SK, integration_id)
    arguments: dict[str, Any] = {}
    if before is not None:
        arguments["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": key(SK, before)}}
    answer = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :delivery)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":delivery": {"S": key(SK, "")}},
        ScanIndexForward=False,
        Limit=limit,
        **arguments,
    )
    last = answer.get("LastEvaluatedKey", {}).get("sk", {}).get("S")
    return [_delivery(item) for item in answer["Items"]], last.removeprefix(key(SK, "")) if last else None


def purge(tenant_id: str, integration_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all deliveries of an integration; false when time ran out before. Raises botocore's errors."""
    # Loaded by those who delete.
    from hangtag.store.db.batch import delete_partition

    return delete_partition(key("T", tenant_id, SK, integration_id), has_time)


def find(tenant_id: str, integration_id: str, delivery_id: str) -> RequestLogEntry:
    """One delivery. Raises NotFoundError, and botocore's errors."""
    place: Any = {"pk": {"S": key("T", tenant_id, SK, integration_id)}, "sk": {"S": key(SK, delivery_id)}}
    item = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True).get("Item")
    if item is None:
        raise NotFoundError("No such webhook request. Requests are stored for a week.")
    return _delivery(item)


def _delivery(item: Any) -> RequestLogEntry:
    return RequestLogEntry(
        id=item["sk"]["S"].removeprefix(key(SK, "")),
        received_at=item["received_at"]["S"],
        status=int(item["status"]["N"]),
        reason=item["reason"]["S"],
        kept=item["kept"]["S"],
        method=item["method"]["S"],
        path=item["path"]["S"],
        query=item["query"]["S"],
        headers=json.loads(item["headers"]["S"]),
        body=item["body"]["S"],
        truncated=item["truncated"]["BOOL"],
        events=tuple(EventResult(**said) for said in json.loads(item["events"]["S"])),
        address=item["address"]["S"],
    )
