"""Progress of the scheduled call-log reconciliation per integration, and the calls it recovered.

key("T", tenant) / key("COMPARED", integration) holds the progress. key("T", tenant, "RECOVERED", integration) /
key("RECOVERED", at, call's digest) is one recovered call, for 30 days. Neither contains a number.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.providers.base import Check
from hangtag.store.db.batch import delete_partition
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key
from hangtag.store.db.paging import Page

__all__ = ["Progress", "RecoveredCall", "add_recovered", "begin", "finish", "list_recovered", "load", "purge"]

WORD = "RECOVERED"
RETENTION = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Progress:
    """Reconciliation progress of one integration. Times are ISO 8601 in UTC.

    `until`: all calls that began before were compared. `whole_at`: last time that the last days were compared again.
    `at`: end of the last try; `error` describes its failure. `subscription` is the check of the renewed webhook
    subscription, for PBXs that need it.
    """

    until: str | None = None
    whole_at: str | None = None
    at: str | None = None
    error: str | None = None
    subscription: Check | None = None


@dataclass(frozen=True, slots=True)
class RecoveredCall:
    """A recovered call: `missing` is call, end, answer, recording or details. `at`: time of the recovery."""

    call_id: str
    missing: str
    started_at: str | None
    at: str

    def to_json(self) -> dict[str, Any]:
        """Return the call as the API shows it."""
        return asdict(self)


def load(tenant_id: str, integration_id: str) -> Progress:
    """Return the progress; all None before the first run. Raises botocore's errors."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, integration_id), ConsistentRead=True)
    return _parse_progress(response.get("Item", {}))


def begin(tenant_id: str, integration_id: str, now: datetime, lease: timedelta) -> Progress | None:
    """Take the lease for a run and return the progress; None if another run has it. Raises botocore's errors."""
    try:
        response = dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, integration_id),
            UpdateExpression="SET leased_until = :until, kind = :kind",
            ConditionExpression="attribute_not_exists(leased_until) OR leased_until < :now",
            ExpressionAttributeValues={
                ":until": {"N": str((now + lease).timestamp())},
                ":now": {"N": str(now.timestamp())},
                ":kind": {"S": "compared"},
            },
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return None
    return _parse_progress(response["Attributes"])


def finish(tenant_id: str, integration_id: str, stands: Progress) -> None:
    """Store the progress and return the lease; nothing if the integration was deleted. Raises botocore's errors."""
    fields = {"until": stands.until, "whole_at": stands.whole_at, "error": stands.error, "at": stands.at}
    if stands.subscription is not None:
        fields["well" if stands.subscription.ok else "trouble"] = stands.subscription.detail
        fields.setdefault("well", None)
        fields.setdefault("trouble", None)
    sets = {name: value for name, value in fields.items() if value is not None}
    absent = [name for name, value in fields.items() if value is None]
    update = f"REMOVE {', '.join(('leased_until', *(f'#{name}' for name in absent)))}"
    if sets:
        update = f"SET {', '.join(f'#{name} = :{name}' for name in sets)} {update}"
    values: Any = {f":{name}": {"S": value} for name, value in sets.items()}
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, integration_id),
            UpdateExpression=update,
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            **({"ExpressionAttributeValues": values} if values else {}),
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise


def add_recovered(tenant_id: str, integration_id: str, call: RecoveredCall, digest: str) -> None:
    """Store a recovered call. Raises botocore's errors."""
    item: Any = {
        "pk": {"S": key("T", tenant_id, WORD, integration_id)},
        "sk": {"S": key(WORD, call.at, digest)},
        "kind": {"S": "recovered"},
        "call_id": {"S": call.call_id},
        "missing": {"S": call.missing},
        "at": {"S": call.at},
        "expires_at": {"N": str(int((datetime.fromisoformat(call.at) + RETENTION).timestamp()))},
    }
    if call.started_at is not None:
        item["started_at"] = {"S": call.started_at}
    dynamodb().put_item(TableName=table(), Item=item)


def list_recovered(tenant_id: str, integration_id: str, limit: int, before: str | None) -> Page[RecoveredCall]:
    """Return the recovered calls, newest first. `before` is a page's `next`. Raises botocore's errors."""
    pk = key("T", tenant_id, WORD, integration_id)
    more: dict[str, Any] = {}
    if before is not None:
        more["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": key(WORD, *before.split("/", 1))}}
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ScanIndexForward=False,
        Limit=limit,
        ConsistentRead=True,
        **more,
    )
    last = response.get("LastEvaluatedKey")
    following = last["sk"]["S"].split("#", 1)[1].replace("#", "/") if last else None
    return Page(tuple(map(_parse_call, response["Items"])), following)


def purge(tenant_id: str, integration_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all data of an integration; False if time ran out first. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, integration_id))
    return delete_partition(key("T", tenant_id, WORD, integration_id), has_time)


def _parse_progress(item: Any) -> Progress:
    fields = {name: item[name]["S"] for name in ("until", "whole_at", "at", "error") if name in item}
    check = next(
        (Check("subscription", name == "well", item[name]["S"]) for name in ("well", "trouble") if name in item), None
    )
    return Progress(**fields, subscription=check)


def _parse_call(item: Any) -> RecoveredCall:
    return RecoveredCall(
        item["call_id"]["S"], item["missing"]["S"], item.get("started_at", {}).get("S"), item["at"]["S"]
    )


def _key(tenant_id: str, integration_id: str) -> Any:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": key("COMPARED", integration_id)}}
