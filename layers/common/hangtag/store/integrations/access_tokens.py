"""PBXs' access tokens, encrypted: an item key("T", tenant) / key("PBX_TOKEN", integration, name)."""

import math
from dataclasses import dataclass
from typing import Any

from hangtag import secrets
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import key

__all__ = ["TablePbxTokens"]


@dataclass(frozen=True, slots=True)
class TablePbxTokens:
    """The access tokens of one integration. Implements `hangtag.outbound.TokenStore`; raises botocore's errors."""

    tenant_id: str
    integration_id: str

    def read(self, name: str) -> tuple[str, float] | None:
        """Return the token and its end (epoch seconds), or None."""
        response = dynamodb().get_item(TableName=table(), Key=self._key(name), ConsistentRead=True)
        item: Any = response.get("Item")
        if item is None:
            return None
        credentials = secrets.decrypt(self.tenant_id, self.integration_id, item["sealed"]["S"])
        return credentials["token"], float(item["ends_at"]["N"])

    def write(self, name: str, token: str, ends_at: float) -> None:
        """Store a token, replacing an existing one."""
        sealed = secrets.encrypt(self.tenant_id, self.integration_id, {"token": token})
        dynamodb().put_item(
            TableName=table(),
            Item={
                **self._key(name),
                "kind": {"S": "pbx_token"},
                "sealed": {"S": sealed},
                "ends_at": {"N": f"{ends_at:.3f}"},
                "expires_at": {"N": str(math.ceil(ends_at))},
            },
        )

    def delete(self, name: str) -> None:
        """Delete a token."""
        dynamodb().delete_item(TableName=table(), Key=self._key(name))

    def _key(self, name: str) -> Any:
        sk = key("PBX_TOKEN", self.integration_id, name)
        return {"pk": {"S": key("T", self.tenant_id)}, "sk": {"S": sk}}
