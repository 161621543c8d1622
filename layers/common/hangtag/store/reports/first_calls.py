"""First incoming calls of contacts, as far as reports exist: key("T", tenant, "FIRST", contact) / "FIRST".

Listed by the day of that call, for the erasure of a tenant.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from hangtag.store.db import batch
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import DAY_SHARDS, key, shard
from hangtag.store.reports.marks import hour_of

WORD = "FIRST"
LIST = "FIRSTS"


@dataclass(frozen=True, slots=True, order=True)
class First:
    """A call: its beginning (ISO 8601, UTC), and its tag's id, which orders calls of the same moment."""

    at: str
    tag_id: str

    @property
    def hour(self) -> datetime:
        """The UTC hour of the call's beginning."""
        return hour_of(datetime.fromisoformat(self.at))


def place(tenant_id: str, contact_id: str) -> tuple[str, str]:
    """Return the key of a contact's first call."""
    return key("T", tenant_id, WORD, contact_id), WORD


def load(tenant_id: str, contact_ids: Iterable[str]) -> dict[str, First]:
    """Return the known first calls of contacts. Raises botocore's errors."""
    places = {place(tenant_id, contact_id): contact_id for contact_id in contact_ids}
    items = batch.read_all(places)
    return {places[at]: First(item["at"]["S"], item["tag_id"]["S"]) for at, item in items.items()}


def replace(tenant_id: str, contact_id: str, before: First | None, after: First | None) -> bool:
    """Replace a first call; None means absent. False if it was changed meanwhile. Raises botocore's errors."""
    pk, sk = place(tenant_id, contact_id)
    condition: Mapping[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    if before is not None:
        condition = {
            "ConditionExpression": "#at = :at AND tag_id = :tag",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":at": {"S": before.at}, ":tag": {"S": before.tag_id}},
        }
    try:
        if after is None:
            dynamodb().delete_item(TableName=table(), Key={"pk": {"S": pk}, "sk": {"S": sk}}, **condition)
        else:
            dynamodb().put_item(TableName=table(), Item=_item(tenant_id, pk, after), **condition)
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def of_contact(tenant_id: str, contact_id: str, but: datetime) -> First | None:
    """Return a contact's first incoming call outside the hour `but`, by its tags. Raises botocore's errors."""
    query = dynamodb().get_paginator("query")
    pages = query.paginate(
        TableName=table(),
        IndexName="contact",
        KeyConditionExpression="contact_key = :contact",
        ExpressionAttributeValues={":contact": {"S": key("T", tenant_id, "CONTACT", contact_id)}},
        PaginationConfig={"PageSize": 20},
    )
    for page in pages:
        for item in page["Items"]:
            if item["kind"]["S"] != "tag":
                continue
            first = _of_tag(item["body"]["S"])
            if first is not None and first.hour != but:
                return first
    return None


def _of_tag(text: str) -> First | None:
    tag = json.loads(text)
    return First(tag["at"], tag["id"]) if tag["direction"] == "in" else None


def _item(tenant_id: str, pk: str, first: First) -> dict[str, Any]:
    day = key("T", tenant_id, LIST, first.at[:10], str(shard(pk, DAY_SHARDS)))
    return {
        "pk": {"S": pk},
        "sk": {"S": WORD},
        "kind": {"S": "report_first"},
        "at": {"S": first.at},
        "tag_id": {"S": first.tag_id},
        "day_key": {"S": day},
        "day_order": {"S": f"{first.at}#{first.tag_id}"},
    }
