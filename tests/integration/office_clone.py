"""Tenants for tests, by the hundred: copies of a tenant that was set up through the public API."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from hangtag.auth import make_token, token_hash
from hangtag.store.db.keys import key
from local.stack import Stack


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that receives the calls of a test."""

    id: str
    integration_id: str
    token: str
    webhook_url: str
    planfix_token: str

    @property
    def marks(self) -> tuple[str, str]:
        """Return the texts that identify this tenant; each AWS call for it contains one of them."""
        return self.id, token_hash(self.token)


@dataclass(frozen=True, slots=True)
class Mould:
    """Items of the copied tenant."""

    original: Tenant
    items: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        """Return all items as JSON."""
        return json.dumps(self.items)


def take_mould(dynamodb: Any, table: str, original: Tenant) -> Mould:
    """Read all items of a tenant, and those of its webhook token."""
    items = []
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            pk = item["pk"]["S"]
            ours = pk.startswith("T#") and pk.split("#")[1] == original.id
            if ours or token_hash(original.token) in pk:
                # During set-up every webhook request would be logged.
                items.append({name: value for name, value in item.items() if name != "set_up_until"})
    return Mould(original, tuple(items))


def cast(dynamodb: Any, table: str, mould: Mould, token_key: str) -> Tenant:
    """Create a copy of the tenant, with another id and another webhook token."""
    old = mould.original
    token = make_token("hook", token_key)
    # Same length as the original, in case ids are truncated.
    tenant_id = secrets.token_hex(len(old.id))[: len(old.id)]
    text = mould.text.replace(old.id, tenant_id).replace(token_hash(old.token), token_hash(token))
    requests = [{"PutRequest": {"Item": item}} for item in json.loads(text)]
    while requests:
        response = dynamodb.batch_write_item(RequestItems={table: requests[:25]})
        requests = response["UnprocessedItems"].get(table, []) + requests[25:]
    url = old.webhook_url.replace(old.token, token)
    return Tenant(tenant_id, old.integration_id, token, url, old.planfix_token)


def end_set_up(stack: Stack, webhook_url: str) -> None:
    """End the set-up of a new webhook endpoint before any process reads it, to log no requests."""
    stack.client("dynamodb").update_item(
        TableName=stack.table,
        Key={"pk": {"S": key("TOKEN", token_hash(webhook_url.rsplit("/", 1)[1]))}, "sk": {"S": "HOOK"}},
        UpdateExpression="REMOVE set_up_until",
    )
