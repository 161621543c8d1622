"""Idempotency keys: a POST that is sent again under the same key runs once per day.

The response is stored and returned again, encrypted if it contains secrets. If a function stops between the operation
and storing its response, the same key can run it a second time after half a minute.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from hangtag import runtime, secrets
from hangtag.errors import (
    BadInputError,
    ConflictError,
    ErrorCode,
    FieldError,
    FieldErrorCode,
    TooLargeError,
    UnprocessableError,
)
from hangtag.store.db.client import dynamodb, is_condition_failure
from hangtag.store.db.keys import digest, key

__all__ = ["IdempotencyRecord", "check_key"]

STORED_SECONDS = 24 * 3600
# Maximum run time of a function.
RUNNING_SECONDS = 30
MAX_KEY = 255
SK = "IDEMPOTENCY"


def check_key(caller_key: str) -> None:
    """Raise BadInputError for a key that is not 1 to 255 visible ASCII characters."""
    printable = caller_key.isascii() and caller_key.isprintable()
    if not printable or not 0 < len(caller_key) <= MAX_KEY:
        field = FieldError(
            "Idempotency-Key", FieldErrorCode.INVALID_FORMAT, f"Use 1 to {MAX_KEY} visible ASCII characters."
        )
        raise BadInputError("The Idempotency-Key is not valid.", (field,), code=ErrorCode.IDEMPOTENCY_KEY_INVALID)


class IdempotencyRecord:
    """One operation under one key. `scope` is the tenant's id, or "" for the operator."""

    def __init__(self, scope: str, what: str, caller_key: str, payload: Any, *, sealed: bool) -> None:
        check_key(caller_key)
        owner = ("T", scope) if scope else ("OPERATOR",)
        self._scope = scope or "operator"
        self._key = {"pk": {"S": key(*owner, SK, digest(what, caller_key))}, "sk": {"S": SK}}
        canonical = json.dumps(payload, sort_keys=True).encode()
        self._request = hashlib.sha256(canonical).hexdigest()
        self._sealed = sealed

    def run(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the response of `work`, or the stored one.

        Raises ConflictError while the same request runs, UnprocessableError if the key was used for another request.
        """
        stored = self._begin()
        if stored is not None:
            return stored
        try:
            response = work()
        except BaseException:
            dynamodb().delete_item(TableName=_table(), Key=self._key)
            raise
        self._finish(response)
        return response

    def _begin(self) -> dict[str, Any] | None:
        at = int(time.time())
        item: Any = {
            **self._key,
            "request": {"S": self._request},
            "running_until": {"N": str(at + RUNNING_SECONDS)},
            "expires_at": {"N": str(at + STORED_SECONDS)},
        }
        try:
            dynamodb().put_item(
                TableName=_table(),
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR expires_at < :now OR running_until < :now",
                ExpressionAttributeValues={":now": {"N": str(at)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return self._stored(error.response.get("Item", {}))
        return None

    def _stored(self, item: Any) -> dict[str, Any]:
        if item.get("request", {}).get("S") != self._request:
            raise UnprocessableError("This Idempotency-Key was used for another request. Use a new key.")
        text = item.get("answer", {}).get("S")
        if text is None:
            raise ConflictError(
                "A request with this key is running, or its response was not stored. Try again in a moment."
            )
        if self._sealed:
            text = secrets.decrypt(self._scope, SK, text)["answer"]
        response: dict[str, Any] = json.loads(text)
        return response

    def _finish(self, response: dict[str, Any]) -> None:
        """Store the response. A response too long for encryption is not stored; the operation still counts as done."""
        text = json.dumps(response, ensure_ascii=False)
        values: Any = {}
        with suppress(TooLargeError):
            values = {":a": {"S": secrets.encrypt(self._scope, SK, {"answer": text}) if self._sealed else text}}
        dynamodb().update_item(
            TableName=_table(),
            Key=self._key,
            UpdateExpression=("SET answer = :a " if values else "") + "REMOVE running_until",
            **({"ExpressionAttributeValues": values} if values else {}),
        )


def _table() -> str:
    return runtime.settings().table
