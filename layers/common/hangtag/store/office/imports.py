"""Imports of contacts and their progress. key("T", tenant) / key("IMPORT", id); expires after 90 days."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.errors import NotFoundError
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.paging import Page

SK = "IMPORT"
RETENTION = timedelta(days=90)
WAITING, RUNNING, STOPPED, DONE, FAILED = "waiting", "running", "stopped", "done", "failed"
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class RowError:
    """Reason why a row was rejected; rows are counted from 1, after the header. Contains no phone number."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import. `rows` is the number of processed rows: `created`, `existing` (already present) or `refused`.

    `reason` describes a failure. `run` counts the starts: a worker of an earlier run stops. `round` counts the starts
    from the first row.
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
        """Return the import as stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Import":
        """Return the import of a stored body, the inverse of `to_json`."""
        return cls(**{**body, "errors": tuple(RowError(**error) for error in body["errors"])})


def object_key(tenant_id: str, import_id: str) -> str:
    """Return the key of an import's file in the bucket."""
    return f"imports/{tenant_id}/{import_id}.csv"


def create_import(tenant_id: str, name: str | None) -> Import:
    """Create an import that waits for its file. Raises botocore's errors."""
    new_import = Import(id=secrets.token_hex(16), name=name, state=WAITING, created_at=iso(now()))
    dynamodb().put_item(**_put(tenant_id, new_import))
    return new_import


def get_import(tenant_id: str, import_id: str) -> Import:
    """Return an import. Raises NotFoundError."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, import_id), ConsistentRead=True)
    if "Item" not in response:
        raise NotFoundError("No such import.")
    return Import.from_json(json.loads(response["Item"]["body"]["S"]))


def list_imports(tenant_id: str, limit: int, after: str | None) -> Page[Import]:
    """Return the tenant's imports by id; `after` is a page's `next`."""
    pk = key("T", tenant_id)
    start: Any = {"ExclusiveStartKey": _key(tenant_id, after)} if after is not None else {}
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :import)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":import": {"S": key(SK, "")}},
        Limit=limit,
        ConsistentRead=True,
        **start,
    )
    imports = tuple(Import.from_json(json.loads(item["body"]["S"])) for item in response["Items"])
    return Page(imports, imports[-1].id if "LastEvaluatedKey" in response and imports else None)


def save(tenant_id: str, after: Import, before: Import) -> bool:
    """Replace a state; False if it was changed meanwhile."""
    put = _put(tenant_id, after)
    put |= {
        "ConditionExpression": "body = :before",
        "ExpressionAttributeValues": {":before": {"S": _text(before)}},
    }
    try:
        dynamodb().put_item(**put)
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def change(tenant_id: str, import_id: str, allowed: frozenset[str], **changes: Any) -> Import | None:
    """Change an import in an allowed state; None in another state. Raises NotFoundError."""
    while True:
        before = get_import(tenant_id, import_id)
        if before.state not in allowed:
            return None
        after = replace(before, **changes)
        if save(tenant_id, after, before):
            return after


def _key(tenant_id: str, import_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": key(SK, import_id)}}


def _put(tenant_id: str, record: Import) -> dict[str, Any]:
    until = datetime.fromisoformat(record.created_at) + RETENTION
    item = {
        **_key(tenant_id, record.id),
        "kind": {"S": "import"},
        "body": {"S": _text(record)},
        "expires_at": {"N": str(int(until.timestamp()))},
    }
    return {"TableName": table(), "Item": item}


def _text(record: Import) -> str:
    return json.dumps(record.to_json(), ensure_ascii=False)
