"""Webhook endpoints as the webhook reads them, by token. On its path: botocore only."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from hangtag.providers.base import VerificationKeys
from hangtag.runtime import TtlCache
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

if TYPE_CHECKING:
    pass

REMEMBERED = 10_000
REMEMBERED_SECONDS = 60.0
# Number of accepted webhook requests that are logged for a new endpoint.
SET_UP_DELIVERIES = 20

# Reason for logging a webhook request.
LogReason = Literal["set_up", "watched", "error", "unknown"]


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Integration and verification data behind a webhook token.

    `secrets` maps the names of the integration's secrets to the SHA-256 of the valid ones; `sealed` are the valid
    encrypted credentials, newest first. Times are epoch seconds: accepted webhook requests are logged until then,
    because the token is new or an admin watches.
    """

    tenant_id: str
    integration_id: str
    provider: str
    country: str
    secrets: Mapping[str, tuple[str, ...]]
    sealed: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    set_up_until: float = 0.0
    watched_until: float = 0.0

    def verification_keys(self) -> VerificationKeys:
        """Return the keys that verify this endpoint's webhook requests. Raises botocore's errors."""
        if not self.sealed:
            return VerificationKeys(hashes=self.secrets)
        from hangtag.secrets import opened

        decrypted = [opened(self.tenant_id, self.integration_id, one) for one in self.sealed]
        names = dict.fromkeys(name for one in decrypted for name in one)
        credentials = {name: tuple(dict.fromkeys(one[name] for one in decrypted if name in one)) for name in names}
        return VerificationKeys(hashes=self.secrets, credentials=credentials)

    def log_reason(self, at: float) -> LogReason | None:
        """Return the reason to log an accepted webhook request of this time, or None."""
        if at < self.watched_until:
            return "watched"
        return "set_up" if at < self.set_up_until else None


_endpoints: TtlCache[str, WebhookEndpoint | None] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)


def find_endpoint(token_hash: str) -> WebhookEndpoint | None:
    """Return the endpoint of a token's hash; None if it is unknown or expired. Raises botocore's errors.

    Cached for a minute, absences too, so a revoked token is valid for up to a minute.
    """
    return _endpoints.get_or(token_hash, lambda: _read_endpoint(token_hash))


def _read_endpoint(token_hash: str) -> WebhookEndpoint | None:
    item = _get(key("TOKEN", token_hash), "HOOK")
    at = time.time()
    if item is None or _number(item, "expires_at", at + 1) <= at:
        return None
    secrets = {name: (value["S"],) for name, value in item["secrets"]["M"].items()}
    if _number(item, "old_secrets_until") > at:
        for name, value in item["old_secrets"]["M"].items():
            secrets[name] = (*secrets.get(name, ()), value["S"])
    is_set_up = _number(item, "set_up_kept") >= SET_UP_DELIVERIES
    return WebhookEndpoint(
        tenant_id=item["tenant_id"]["S"],
        integration_id=item["integration_id"]["S"],
        provider=item["provider"]["S"],
        country=item["country"]["S"],
        secrets=MappingProxyType(secrets),
        sealed=tuple(_sealed(item, at)),
        settings=MappingProxyType(json.loads(item.get("settings", {}).get("S", "{}"))),
        set_up_until=0.0 if is_set_up else _number(item, "set_up_until"),
        watched_until=_number(item, "watched_until"),
    )


def _sealed(item: Any, at: float) -> Iterator[str]:
    if "S" in item.get("sealed", {}):
        yield item["sealed"]["S"]
    if _number(item, "old_sealed_until") > at and "S" in item.get("old_sealed", {}):
        yield item["old_sealed"]["S"]


def count_set_up(token_hash: str) -> bool:
    """Count one more webhook request to a new endpoint; False if there were enough. Raises botocore's errors.

    After the last one, this process reads the endpoint again, once, and stops counting.
    """
    try:
        dynamodb().update_item(
            TableName=table(),
            Key={"pk": {"S": key("TOKEN", token_hash)}, "sk": {"S": "HOOK"}},
            UpdateExpression="ADD set_up_kept :one",
            ConditionExpression=(
                "attribute_exists(pk) AND (attribute_not_exists(set_up_kept) OR set_up_kept < :enough)"
            ),
            ExpressionAttributeValues={":one": {"N": "1"}, ":enough": {"N": str(SET_UP_DELIVERIES)}},
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        _endpoints.discard(token_hash)
        return False
    return True


def _number(item: Any, name: str, otherwise: float = 0.0) -> float:
    """Return a number of an item, which can be absent or null."""
    return float(item.get(name, {}).get("N", otherwise))


def _get(pk: str, sk: str) -> Any:
    # Consistent, because absences are cached and an item can be a moment old.
    response = dynamodb().get_item(TableName=table(), Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)
    return response.get("Item")
