"""Deliveries that led to nothing, kept for a week where an admin can see them.

The webhook writes them: this loads no PynamoDB.
"""

import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.store.keys import key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_BODY_BYTES = 4096
MAX_PATH = 512
KEPT = timedelta(days=7)
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


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it came, with its secrets masked. `reason` says why it led to nothing."""

    received_at: str
    status: int
    reason: str
    method: str
    path: str
    body: str
    truncated: bool

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "received_at": self.received_at,
            "status": self.status,
            "reason": self.reason,
            "method": self.method,
            "path": self.path,
            "body": self.body,
            "truncated": self.truncated,
        }


class Buckets:
    """A token bucket for each integration, within one process."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, who: tuple[str, str], at: float) -> bool:
        """Whether one more is allowed at this time (seconds, of a clock that does not go back)."""
        level, since = self._held.pop(who, (float(BURST), at))
        level = min(float(BURST), level + (at - since) * PER_SECOND)
        allowed = level >= 1
        self._held[who] = (level - 1 if allowed else level, at)
        if len(self._held) > MAX_BUCKETS:
            self._held.popitem(last=False)
        return allowed


_buckets = Buckets()


def keep(
    client: "DynamoDBClient",
    table: str,
    *,
    tenant_id: str,
    integration_id: str,
    received_at: datetime,
    method: str,
    path: str,
    body: bytes,
    status: int,
    reason: str,
) -> bool:
    """Keep a delivery for a week, by one PutItem; false if this integration had too many lately.

    Raises botocore's errors.
    """
    if not _buckets.take((tenant_id, integration_id), time.monotonic()):
        return False
    text, truncated = mask(body)
    moment = received_at.astimezone(UTC)
    client.put_item(
        TableName=table,
        Item={
            "pk": {"S": key("T", tenant_id, SK, integration_id)},
            "sk": {"S": key(SK, moment.isoformat(timespec="milliseconds"), secrets.token_hex(8))},
            "kind": {"S": "delivery"},
            "method": {"S": method[:16]},
            "path": {"S": mask(path.encode("utf-8", "replace"))[0][:MAX_PATH]},
            "body": {"S": text},
            "truncated": {"BOOL": truncated},
            "status": {"N": str(status)},
            "reason": {"S": reason[:512]},
            "expires_at": {"N": str(int((moment + KEPT).timestamp()))},
        },
    )
    return True


def mask(body: bytes) -> tuple[str, bool]:
    """A body as text of at most 4 KB without its secrets, and whether it was cut.

    Fields are masked by their names: whatever is called token, secret, password, key or signature.
    """
    # What is far over the limit is cut first, so that a huge body costs no time.
    text = body[: 4 * MAX_BODY_BYTES].decode("utf-8", "replace")
    for pattern in _MASKS:
        text = pattern.sub(r"\1***", text)
    encoded = text.encode()
    kept = encoded[:MAX_BODY_BYTES].decode("utf-8", "ignore")
    return kept, len(encoded) > MAX_BODY_BYTES or len(body) > 4 * MAX_BODY_BYTES


def recent(
    client: "DynamoDBClient",
    table: str,
    tenant_id: str,
    integration_id: str,
    limit: int,
    before: str | None,
) -> tuple[list[Delivery], str | None]:
    """Deliveries, the newest first, and where the next page begins. Raises botocore's errors."""
    pk = key("T", tenant_id, SK, integration_id)
    arguments: dict[str, Any] = {}
    if before is not None:
        arguments["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": before}}
    answer = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :delivery)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":delivery": {"S": key(SK, "")}},
        ScanIndexForward=False,
        Limit=limit,
        **arguments,
    )
    last = answer.get("LastEvaluatedKey", {}).get("sk", {}).get("S")
    return [_delivery(item) for item in answer["Items"]], last


def _delivery(item: Any) -> Delivery:
    return Delivery(
        received_at=item["sk"]["S"].split("#")[1],
        status=int(item["status"]["N"]),
        reason=item["reason"]["S"],
        method=item["method"]["S"],
        path=item["path"]["S"],
        body=item["body"]["S"],
        truncated=item["truncated"]["BOOL"],
    )
