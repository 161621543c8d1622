"""Rate limits of PBXs, shared by all functions.

Each limit is an item key("T", tenant) / key("LIMIT", integration, name): a clock that every request advances by its
share of the limit. One conditional write therefore decides, and nothing has to be counted or reset. Half of the limit
is available at once, the rest is spread over time; together never more than the limit in any window of its length.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.limits import Limit
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

__all__ = ["TableLimiter"]

# The item expires after this time without requests.
_RETENTION_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class TableLimiter:
    """The rate limits of one integration. Implements `hangtag.outbound.Limiter`; raises botocore's errors.

    `clock` returns seconds since 1970; the functions' clocks agree well enough for limits of seconds and minutes.
    """

    tenant_id: str
    integration_id: str
    clock: Callable[[], float] = time.time

    def take(self, name: str, limit: Limit) -> float:
        """Take a slot and return 0, or return the seconds to wait for one."""
        at_once = max(1, limit.count // 2)
        share = limit.seconds / (limit.count - at_once + 1)
        now = self.clock()
        latest = now + (at_once - 1) * share
        free = "(attribute_not_exists(held_until) OR held_until <= :now)"
        values = {":now": now, ":share": share, ":expires": now + _RETENTION_SECONDS}
        # An idle clock is set, a running one is advanced.
        if self._update(
            name,
            "SET moves_at = :next, expires_at = :expires",
            f"(attribute_not_exists(moves_at) OR moves_at <= :now) AND {free}",
            {":next": now + share, ":now": now, ":expires": values[":expires"]},
        ):
            return 0.0
        if self._update(
            name,
            "SET moves_at = moves_at + :share, expires_at = :expires",
            f"moves_at > :now AND moves_at <= :latest AND {free}",
            {**values, ":latest": latest},
        ):
            return 0.0
        item = self._read(name)
        # Never 0: another function can have been faster between the two writes.
        return max(item.get("held_until", 0.0) - now, item.get("moves_at", 0.0) - latest, 0.05)

    def hold(self, name: str, seconds: float) -> None:
        """Block all requests for `seconds`, for example after a 429; a longer block stays."""
        until = self.clock() + seconds
        self._update(
            name,
            "SET held_until = :until, expires_at = :expires",
            "attribute_not_exists(held_until) OR held_until < :until",
            {":until": until, ":expires": until + _RETENTION_SECONDS},
        )

    def _update(self, name: str, update: str, condition: str, values: dict[str, float]) -> bool:
        try:
            dynamodb().update_item(
                TableName=table(),
                Key=self._key(name),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={
                    value_name: _number(value_name, value) for value_name, value in values.items()
                },
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def _read(self, name: str) -> dict[str, float]:
        response = dynamodb().get_item(TableName=table(), Key=self._key(name), ConsistentRead=True)
        item: Any = response.get("Item", {})
        return {clock: float(item[clock]["N"]) for clock in ("moves_at", "held_until") if clock in item}

    def _key(self, name: str) -> Any:
        sk = key("LIMIT", self.integration_id, name)
        return {"pk": {"S": key("T", self.tenant_id)}, "sk": {"S": sk}}


def _number(name: str, value: float) -> Any:
    # The table's expiry accepts whole seconds only.
    return {"N": str(math.ceil(value)) if name == ":expires" else f"{value:.6f}"}
