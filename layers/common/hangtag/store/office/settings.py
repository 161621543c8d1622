"""The tenant's telephony rules and tag definitions in the table: one item.

The tracker needs only two rules; pydantic is loaded only for all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags.definition import DefinedField, Definition, define, fields_of, standard
from hangtag.runtime import TtlCache
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import key

if TYPE_CHECKING:
    from hangtag.settings import TelephonySettings

SK = "SETTINGS"
# The defaults of TelephonySettings; a test compares them.
DEFAULT_SETTLE_SECONDS = 10
DEFAULT_CREATE_UNKNOWN = "always"

Definitions = Mapping[TagType, Definition]


@dataclass(frozen=True, slots=True)
class TrackerRules:
    """Rules of the tracker. `create_unknown`: always, answered_only or never."""

    settle_seconds: int
    create_unknown: str


_tracker_rules: TtlCache[str, TrackerRules] = TtlCache(1000, 60.0)


def tracker_rules(tenant_id: str) -> TrackerRules:
    """Return the tracker's rules, cached for a minute. Raises botocore's errors."""

    def load() -> TrackerRules:
        rules = _rules(_read(tenant_id))
        return TrackerRules(
            int(rules.get("settle_seconds", DEFAULT_SETTLE_SECONDS)),
            rules.get("contacts", {}).get("create_unknown", DEFAULT_CREATE_UNKNOWN),
        )

    return _tracker_rules.get_or(tenant_id, load)


def load_settings(tenant_id: str) -> "TelephonySettings":
    """Return all rules, with defaults for those never set. Raises botocore's errors."""
    return parse(_read(tenant_id))


def parse(item: Mapping[str, Any]) -> "TelephonySettings":
    """Parse the rules of an item in DynamoDB's form; an empty item has the defaults."""
    from hangtag.settings import TelephonySettings

    return TelephonySettings.model_validate(_rules(item))


def save_settings(tenant_id: str, settings: "TelephonySettings") -> None:
    """Replace the rules. Raises botocore's errors."""
    _put(tenant_id, "body", settings.model_dump_json())
    _tracker_rules.discard(tenant_id)


def load_definitions(tenant_id: str) -> Definitions:
    """Return the definitions of the tenant's tags. Raises botocore's errors."""
    return parse_definitions(_read(tenant_id))


def parse_definitions(item: Mapping[str, Any]) -> Definitions:
    """Parse the definitions of an item in DynamoDB's form; an empty item has the standard ones."""
    stored = json.loads(item["tags"]["S"]) if "tags" in item else {}
    return {
        kind: define(kind, [DefinedField(**field) for field in stored[kind]]) if kind in stored else standard(kind)
        for kind in TagType
    }


def save_definitions(tenant_id: str, definitions: Definitions) -> None:
    """Replace the definitions; standard ones are not stored. Raises botocore's errors."""
    own = {
        kind: [{"name": field.name, "type": field.type} for field in fields_of(kind, definition)]
        for kind, definition in definitions.items()
        if not definition.takes_all
    }
    _put(tenant_id, "tags", json.dumps(own, ensure_ascii=False))


def _put(tenant_id: str, name: str, text: str) -> None:
    dynamodb().update_item(
        TableName=table(),
        Key=_key(tenant_id),
        UpdateExpression=f"SET kind = :kind, {name} = :text",
        ExpressionAttributeValues={":kind": {"S": "settings"}, ":text": {"S": text}},
    )


def _key(tenant_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": SK}}


def _read(tenant_id: str) -> Mapping[str, Any]:
    item: Mapping[str, Any] = dynamodb().get_item(TableName=table(), Key=_key(tenant_id)).get("Item", {})
    return item


def _rules(item: Mapping[str, Any]) -> dict[str, Any]:
    rules: dict[str, Any] = json.loads(item["body"]["S"]) if "body" in item else {}
    return rules
