"""How often a PBX was asked, kept for all functions together.

An item key("T", tenant) / key("LIMIT", integration, name) for each of its limits: a clock that every request moves on
by its share of the limit, so that one conditional write decides, and nothing is counted or cleared. Half of the limit
may come at once, the rest is spread: together never more than the limit in any stretch of its length.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.providers.base import Limit
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

__all__ = ["TableLimiter"]

# Forgotten when nothing is asked any more.
_KEPT_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class TableLimiter:
    """The limits of one integration. Implements `hangtag.outbound.Limiter`; raises botocore's errors.

    `clock` tells the seconds since 1970; the functions' clocks agree well enough for limits of seconds and minutes.
    """

    tenant_id: str
    integration_id: str
    clock: Callable[[], float] = time.time

    def take(self, name: str, limit: Limit) -> float:
        """Take a place, and return 0; or return for how many seconds there is none."""
        at_once = max(1, limit.count // 2)
        share = limit.seconds / (limit.count - at_once + 1)
        now = self.clock()
        latest = now + (at_once - 1) * share
        free = "(attribute_not_exists(held_until) OR held_until <= :now)"
        values = {":now": now, ":share": share, ":expires": now + _KEPT_SECONDS}
        # An idle clock is set; one that runs is moved on.
        if self._moved(
            name,
            "SET moves_at = :next, expires_at = :expires",
            f"(attribute_not_exists(moves_at) OR moves_at <= :now) AND {free}",
            {":next": now + share, ":now": now, ":expires": values[":expires"]},
        ):
            return 0.0
        if self._moved(
            name,
            "SET moves_at = moves_at + :share, expires_at = :expires",
            f"moves_at > :now AND moves_at <= :latest AND {free}",
            {**values, ":latest": latest},
        ):
            return 0.0
        item = self._read(name)
        # A moment at the least: another function may have been quicker between the two.
        return max(item.get("held_until", 0.0) - now, item.get("moves_at", 0.0) - latest, 0.05)

    def hold(self, name: str, seconds: float) -> None:
        """Let nobody take a place for so long; a longer hold stands."""
        until = self.clock() + seconds
        self._moved(
            name,
            "SET held_until = :until, expires_at = :expires",
            "attribute_not_exists(held_until) OR held_until < :until",
            {":until": until, ":expires": until + _KEPT_SECONDS},
        )

    def _moved(self, name: str, update: str, condition: str, values: dict[str, float]) -> bool:
        try:
            dynamodb().update_item(
                TableName=table(),
                Key=self._key(name),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={said: _number(said, value) for said, value in values.items()},
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def _read(self, name: str) -> dict[str, float]:
        found = dynamodb().get_item(TableName=table(), Key=self._key(name), ConsistentRead=True)
        item: Any = found.get("Item", {})
        return {said: float(item[said]["N"]) for said in ("moves_at", "held_until") if said in item}

    def _key(self, name: str) -> Any:
        sk = key("LIMIT", self.integration_id, name)
        return {"pk": {"S": key("T", self.tenant_id)}, "sk": {"S": sk}}


def _number(name: str, value: float) -> Any:
    # The table's expiry takes whole seconds only.
    return {"N": str(math.ceil(value)) if name == ":expires" else f"{value:.6f}"}
