"""What the webhook reads: whose token it is, and who is calling. On its path: a client that the caller brings."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hangtag.store.cache import TtlCache
from hangtag.store.keys import key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

REMEMBERED = 10_000
REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Hook:
    """What a webhook token stands for. `secrets` maps the names of the integration's secrets to their SHA-256."""

    tenant_id: str
    integration_id: str
    provider: str
    country: str
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContactCard:
    """A contact's name, and the short number of who is responsible, on the asking integration."""

    name: str
    responsible_extension: str | None


_hooks: TtlCache[str, Hook | None] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)
_extensions: TtlCache[tuple[str, str], Mapping[str, str]] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)


def find_hook(client: "DynamoDBClient", table: str, token_hash: str) -> Hook | None:
    """The hook of a token's hash; None if there is none or it expired. Raises botocore's errors.

    Remembered for a minute, an absence as well: a revoked token lives so long, at most.
    """
    return _hooks.get_or(token_hash, lambda: _read_hook(client, table, token_hash))


def _read_hook(client: "DynamoDBClient", table: str, token_hash: str) -> Hook | None:
    item = _get(client, table, key("TOKEN", token_hash), "HOOK")
    if item is None or float(item.get("expires_at", {}).get("N", "inf")) <= time.time():
        return None
    secrets = {name: value["S"] for name, value in item["secrets"]["M"].items()}
    return Hook(
        tenant_id=item["tenant_id"]["S"],
        integration_id=item["integration_id"]["S"],
        provider=item["provider"]["S"],
        country=item["country"]["S"],
        secrets=MappingProxyType(secrets),
    )


def lookup_contact(
    client: "DynamoDBClient", table: str, tenant_id: str, integration_id: str, e164: str
) -> ContactCard | None:
    """The contact that has a number; None if nobody does. Raises botocore's errors.

    One read; the supervisor's extensions are remembered for a minute.
    """
    claim = _get(client, table, key("T", tenant_id, "PHONE", e164), "CONTACT")
    if claim is None:
        return None
    supervisor = claim.get("supervisor_id", {}).get("S")
    extension = None
    if supervisor is not None:
        held = _extensions.get_or(
            (tenant_id, supervisor), lambda: _read_extensions(client, table, tenant_id, supervisor)
        )
        extension = held.get(integration_id)
    return ContactCard(claim["name"]["S"], extension)


def _read_extensions(client: "DynamoDBClient", table: str, tenant_id: str, employee_id: str) -> Mapping[str, str]:
    """The first extension that an employee has on each integration."""
    item = _get(client, table, key("T", tenant_id), key("EMPLOYEE", employee_id))
    if item is None:
        return {}
    first: dict[str, str] = {}
    for held in json.loads(item["extensions"]["S"]):
        first.setdefault(held["integration_id"], held["extension"])
    return first


def _get(client: "DynamoDBClient", table: str, pk: str, sk: str) -> Any:
    # Consistent: an absence is remembered too, and must not be that of an item written a moment ago.
    found = client.get_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)
    return found.get("Item")
