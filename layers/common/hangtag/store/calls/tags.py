"""Stored tags: one item per call, whose revisions replace each other.

The item also stores the decision to write no tag. A call that loses its tag, or gains one late, therefore uses the same
write.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, cast

from botocore.exceptions import ClientError

from hangtag.domain.calls.classify import SkipReason
from hangtag.domain.tags import Tag
from hangtag.store.calls.items import CallKey
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import DAY_SHARDS, key, shard

SK = "TAG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One revision of the decision on a call: its tag as the API shows it, or the reason for none.

    `record` is the digest of the call's record at that time, `resolution` the snapshot of its parties. `awaits` is the
    number (E.164) whose contact is still missing. `employee_ids` are those whose phones took part.
    """

    tenant_id: str
    id: str
    call: CallKey
    revision: int
    record: str
    resolution: Mapping[str, Any]
    skip: SkipReason | None
    tag: Mapping[str, Any] | None
    employee_id: str | None
    contact_id: str | None
    employee_ids: tuple[str, ...] = ()
    awaits: str | None = None


def tag_view(tag: Tag, *, tag_id: str, call_id: str, revision: int, employee_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON of a tag. `call_id` is the call's id in the API; `at` is ISO 8601 in UTC."""
    return {
        "id": tag_id,
        "type": tag.type,
        "direction": tag.direction,
        "call_id": call_id,
        "contact_id": tag.contact_id,
        "task_id": tag.task_id,
        "employee_ids": list(employee_ids),
        "hidden": tag.hidden,
        "revision": revision,
        "end_unknown": tag.end_unknown,
        "at": tag.at.astimezone(UTC).isoformat(timespec="seconds"),
        "fields": [{"name": field.name, "type": field.type, "value": field.value} for field in tag.fields],
    }


def _key(tenant_id: str, tag_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id, "TAG", tag_id)}, "sk": {"S": SK}}


def load(tenant_id: str, tag_id: str) -> Emission | None:
    """Return the current decision on a call (a consistent read); None before the first."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, tag_id), ConsistentRead=True)
    item = response.get("Item")
    if item is None:
        return None
    skip = item.get("skip_reason", {}).get("S")
    return Emission(
        tenant_id=tenant_id,
        id=tag_id,
        call=CallKey(item["call_pk"]["S"], item["call_sk"]["S"]),
        revision=int(item["revision"]["N"]),
        record=item["record"]["S"],
        resolution=json.loads(item["resolution"]["S"]),
        skip=SkipReason(skip) if skip else None,
        tag=json.loads(item["body"]["S"]) if "body" in item else None,
        employee_id=item.get("employee_id", {}).get("S"),
        contact_id=item.get("contact_id", {}).get("S"),
        employee_ids=tuple(json.loads(item["employee_ids"]["S"])) if "employee_ids" in item else (),
        awaits=item.get("awaits", {}).get("S"),
    )


def write(emission: Emission, replacing: Emission | None, more: Sequence[Mapping[str, Any]] = ()) -> bool:
    """Replace a revision with the next one; False if another was written meanwhile.

    `more` are writes of the low-level client in the same transaction. Raises botocore's errors.
    """
    item = {
        **_key(emission.tenant_id, emission.id),
        "revision": {"N": str(emission.revision)},
        "record": {"S": emission.record},
        "resolution": {"S": json.dumps(emission.resolution, ensure_ascii=False)},
        "call_pk": {"S": emission.call.pk},
        "call_sk": {"S": emission.call.sk},
        **_optional("skip_reason", emission.skip),
        **_optional("employee_id", emission.employee_id),
        **_optional("contact_id", emission.contact_id),
        "employee_ids": {"S": json.dumps(emission.employee_ids)},
        **_optional("awaits", emission.awaits),
        **(_index_attributes(emission, emission.tag) if emission.tag is not None else {}),
    }
    if replacing is None:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    else:
        condition = {
            "ConditionExpression": "revision = :seen",
            "ExpressionAttributeValues": {":seen": {"N": str(replacing.revision)}},
        }
    put: Any = {"TableName": table(), "Item": item, **condition}
    try:
        if more:
            dynamodb().transact_write_items(TransactItems=cast("Any", [{"Put": put}, *more]))
        else:
            dynamodb().put_item(**put)
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        # Another writer was faster.
        return False
    return True


def _optional(name: str, value: str | None) -> dict[str, Any]:
    return {name: {"S": value}} if value else {}


def _index_attributes(emission: Emission, tag: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an existing tag: its JSON and its places in the indexes."""
    order = f"{tag['at']}#{emission.id}"
    bucket = str(shard(emission.id, DAY_SHARDS))
    attributes: dict[str, Any] = {
        "kind": {"S": "tag"},
        "body": {"S": json.dumps(tag, ensure_ascii=False)},
        "day_key": {"S": key("T", emission.tenant_id, "TAGS", tag["at"][:10], bucket)},
        "day_order": {"S": order},
    }
    if tag["contact_id"]:
        attributes["contact_key"] = {"S": key("T", emission.tenant_id, "CONTACT", tag["contact_id"])}
    elif emission.awaits:
        attributes["contact_key"] = {"S": _unclaimed(emission.tenant_id, emission.awaits)}
    if "contact_key" in attributes:
        attributes["contact_order"] = {"S": order}
    return attributes


def _unclaimed(tenant_id: str, number: str) -> str:
    return key("T", tenant_id, "UNCLAIMED", number)


def tags_without_contact(tenant_id: str, number: str) -> Iterator[str]:
    """Yield the ids of tags without a contact that have this number (E.164). Raises botocore's errors."""
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            IndexName="contact",
            KeyConditionExpression="contact_key = :number",
            ExpressionAttributeValues={":number": {"S": _unclaimed(tenant_id, number)}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield json.loads(item["body"]["S"])["id"]
