"""Comments on calls. A comment also belongs to the call's contact or to a task, with the facts of the call.

key("T", tenant, "CALL-COMMENTS", call) / key("COMMENT", at, id): all comments on a call are in one partition; the index
by contact holds those of a contact, and key("T", tenant, "TASK", task) / key("COMMENT", at, id) a copy of those of a
task.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hangtag import representation
from hangtag.representation import Names
from hangtag.store.crm import outbox
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import DAY_SHARDS, key, shard
from hangtag.store.db.listing import of_partition
from hangtag.store.office.tenants import get_tenant

WORD = "CALL-COMMENTS"
SK = "COMMENT"
LIST = "COMMENTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """Facts of a call that a comment shows. Times are ISO 8601 in UTC; `number` has the form of the call."""

    id: str
    direction: str | None
    outcome: str | None
    started_at: str | None
    number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment. `author` has the form of the audit list's `who`; `at` is ISO 8601 in UTC."""

    id: str
    at: str
    author: str
    text: str
    contact_id: str | None
    task_id: str | None
    call: CallFacts

    def to_json(self) -> dict[str, Any]:
        """Return the comment as stored and shown."""
        return asdict(self)


def add_comment(
    tenant_id: str, author: str, text: str, call: CallFacts, *, contact_id: str | None, task_id: str | None
) -> Comment:
    """Store a comment with its CRM message. Raises botocore's errors."""
    moment = now()
    comment = Comment(
        id=secrets.token_hex(16),
        at=iso(moment),
        author=author,
        text=text,
        contact_id=contact_id,
        task_id=task_id,
        call=call,
    )
    names = Names(country=get_tenant(tenant_id).country, partial=True)
    message = {"comment": representation.comment(comment.to_json(), names)}
    messages = outbox.puts(tenant_id, "comment", comment.id, 1, message, moment)
    writes = [*({"Put": {"TableName": table(), "Item": item}} for item in _items(tenant_id, comment)), *messages]
    dynamodb().transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
    return comment


def of_call(tenant_id: str, call_id: str, limit: int, before: str | None) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return the comments on a call, newest first, and the key to continue before. Raises botocore's errors."""
    return of_partition(partition(tenant_id, call_id), SK, limit, before)


def of_task(tenant_id: str, task_id: str, limit: int, before: str | None) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return the comments on a task, newest first, and the key to continue before. Raises botocore's errors."""
    return of_partition(key("T", tenant_id, "TASK", task_id), SK, limit, before)


def partition(tenant_id: str, call_id: str) -> str:
    """Return the partition of the comments on a call, for its erasure."""
    return key("T", tenant_id, WORD, call_id)


def place(comment: Mapping[str, Any]) -> str:
    """Return the sort key of a comment in a list, from its JSON."""
    return key(SK, comment["at"], comment["id"])


def _items(tenant_id: str, comment: Comment) -> Iterator[dict[str, Any]]:
    order = f"{comment.at}#{comment.id}"
    sk = key(SK, comment.at, comment.id)
    body = {"kind": {"S": "comment"}, "body": {"S": json.dumps(comment.to_json(), ensure_ascii=False)}}
    whole = {
        "pk": {"S": key("T", tenant_id, WORD, comment.call.id)},
        "sk": {"S": sk},
        **body,
        "day_key": {"S": key("T", tenant_id, LIST, comment.at[:10], str(shard(comment.id, DAY_SHARDS)))},
        "day_order": {"S": order},
    }
    if comment.contact_id is not None:
        whole |= {
            "contact_key": {"S": key("T", tenant_id, "CONTACT", comment.contact_id)},
            "contact_order": {"S": order},
        }
    yield whole
    if comment.task_id is not None:
        yield {"pk": {"S": key("T", tenant_id, "TASK", comment.task_id)}, "sk": {"S": sk}, **body}
