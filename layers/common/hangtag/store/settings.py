"""The tenant's telephony rules in the table.

The tracker only asks for the settle time: pydantic is loaded only by those who want all the rules.
"""

import json
from typing import TYPE_CHECKING, Any

from hangtag.store.cache import TtlCache
from hangtag.store.client import dynamodb
from hangtag.store.keys import key

if TYPE_CHECKING:
    from hangtag.settings import TelephonySettings

SK = "SETTINGS"
# The default of TelephonySettings; a test holds the two together.
DEFAULT_SETTLE_SECONDS = 10

_settle: TtlCache[str, int] = TtlCache(1000, 60.0)


def settle_seconds(table: str, tenant_id: str) -> int:
    """How long after the end of a leg a call is looked at again; remembered for a minute. Raises botocore's errors."""

    def load() -> int:
        said = _read(table, tenant_id)
        return int(said.get("settle_seconds", DEFAULT_SETTLE_SECONDS))

    return _settle.get_or(tenant_id, load)


def load_settings(table: str, tenant_id: str) -> "TelephonySettings":
    """All rules, with the defaults for what was never set. Raises botocore's errors."""
    return parse(_read(table, tenant_id))


def parse(said: dict[str, Any]) -> "TelephonySettings":
    """The rules from their JSON."""
    from hangtag.settings import TelephonySettings

    return TelephonySettings.model_validate(said)


def save_settings(table: str, tenant_id: str, settings: "TelephonySettings") -> None:
    """Replace the rules. Raises botocore's errors."""
    dynamodb().put_item(
        TableName=table,
        Item={
            **_key(tenant_id),
            "kind": {"S": "settings"},
            "body": {"S": settings.model_dump_json()},
        },
    )
    _settle.forget(tenant_id)


def _key(tenant_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": SK}}


def _read(table: str, tenant_id: str) -> dict[str, Any]:
    found = dynamodb().get_item(TableName=table, Key=_key(tenant_id))
    said: dict[str, Any] = json.loads(found["Item"]["body"]["S"]) if "Item" in found else {}
    return said
