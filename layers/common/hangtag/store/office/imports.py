"""Imports of contacts: how far each came. key("T", tenant) / key("IMPORT", id); kept for 90 days."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.errors import NotFoundError
from hangtag.store.db.client import dynamodb, is_refused, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.paging import Page

SK = "IMPORT"
KEPT = timedelta(days=90)
WAITING, RUNNING, STOPPED, DONE, FAILED = "waiting", "running", "stopped", "done", "failed"
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was refused; rows are counted from 1, behind the header. No number is told."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import. `rows` have been worked off, of which some were `created`, were there (`existing`), or were refused.

    `reason` says why it failed. `run` counts how often it was started: a worker of an earlier run does no more.
    `round` counts how often it was begun from the first row.
    """

    id: str
    name: str | None
    state: str
    created_at: str
    rows: int = 0
    created: int = 0
    existing: int = 0
    refused: int = 0
    errors: tuple[RowError, ...] = ()
    reason: str | None = None
    run: int = 0
    round: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Import":
        """The inverse of `to_json`."""
        return cls(**{**said, "errors": tuple(RowError(**error) for error in said["errors"])})


def object_key(tenant_id: str, import_id: str) -> str:
    """Where the file of an import lies in the bucket."""
    return f"imports/{tenant_id}/{import_id}.csv"


def create_import(tenant_id: str, name: str | None) -> Import:
    """A new import, whose file is still to come. Raises botocore's errors."""
    made = Import(id=secrets.token_hex(16), name=name, state=WAITING, created_at=iso(now()))
    dynamodb().put_item(**_put(tenant_id, made))
    return made


def get_import(tenant_id: str, import_id: str) -> Import:
    """Raises NotFoundError."""
    found = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, import_id), ConsistentRead=True)
    if "Item" not in found:
        raise NotFoundError("No such import.")
    return Import.from_json(json.loads(found["Item"]["body"]["S"]))


def list_imports(tenant_id: str, limit: int, after: str | None) -> Page[Import]:
    """The tenant's imports by id; `after` is a page's `next`."""
    pk = key("T", tenant_id)
    start: Any = {"ExclusiveStartKey": _key(tenant_id, after)} if after is not None else {}
    answer = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :import)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":import": {"S": key(SK, "")}},
        Limit=limit,
        ConsistentRead=True,
        **start,
    )
    found = tuple(Import.from_json(json.loads(item["body"]["S"])) for item in answer["Items"])
    return Page(found, found[-1].id if "LastEvaluatedKey" in answer and found else None)


def save(tenant_id: str, after: Import, before: Import) -> bool:
    """Put a state in place of the one that it was made from; false if somebody changed that meanwhile."""
    put = _put(tenant_id, after)
    put |= {
        "ConditionExpression": "body = :before",
        "ExpressionAttributeValues": {":before": {"S": _text(before)}},
    }
    try:
        dynamodb().put_item(**put)
    except ClientError as error:
        if not is_refused(error):
            raise
        return False
    return True


def change(tenant_id: str, import_id: str, allowed: frozenset[str], **changes: Any) -> Import | None:
    """Change an import whose state is an allowed one; None if it is another. Raises NotFoundError."""
    while True:
        before = get_import(tenant_id, import_id)
        if before.state not in allowed:
            return None
        after = replace(before, **changes)
        if save(tenant_id, after, before):
            return after


def _key(tenant_id: str, import_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": key(SK, import_id)}}


def _put(tenant_id: str, made: Import) -> dict[str, Any]:
    until = datetime.fromisoformat(made.created_at) + KEPT
    item = {
        **_key(tenant_id, made.id),
        "kind": {"S": "import"},
        "body": {"S": _text(made)},
        "expires_at": {"N": str(int(until.timestamp()))},
    }
    return {"TableName": table(), "Item": item}


def _text(made: Import) -> str:
    return json.dumps(made.to_json(), ensure_ascii=False)
