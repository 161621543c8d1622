"""Idempotency-Key: a POST that is sent again under the same key is carried out once, for a day.

The answer is kept and given again. Where it holds secrets it is kept encrypted. If a function dies between the deed
and the keeping of its answer, the same key may carry it out a second time, after half a minute.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from hangtag import runtime, secrets
from hangtag.errors import BadInputError, ConflictError, FieldError, FieldErrorCode, UnprocessableError
from hangtag.store.db.client import dynamodb, is_refused
from hangtag.store.db.keys import digest, key

__all__ = ["IdempotencyRecord", "check_key"]

KEPT_SECONDS = 24 * 3600
# The longest that a function may run.
RUNNING_SECONDS = 30
MAX_KEY = 255
SK = "IDEMPOTENCY"


def check_key(caller_key: str) -> None:
    """Raises BadInputError."""
    printable = caller_key.isascii() and caller_key.isprintable()
    if not printable or not 0 < len(caller_key) <= MAX_KEY:
        field = FieldError("Idempotency-Key", FieldErrorCode.INVALID_FORMAT, f"1 to {MAX_KEY} visible ASCII characters")
        raise BadInputError("the Idempotency-Key is not valid", (field,))


class IdempotencyRecord:
    """One deed under one key. `scope` is the tenant's id, or "" for the operator."""

    def __init__(self, scope: str, what: str, caller_key: str, payload: Any, *, sealed: bool) -> None:
        check_key(caller_key)
        owner = ("T", scope) if scope else ("OPERATOR",)
        self._scope = scope or "operator"
        self._key = {"pk": {"S": key(*owner, SK, digest(what, caller_key))}, "sk": {"S": SK}}
        canonical = json.dumps(payload, sort_keys=True).encode()
        self._request = hashlib.sha256(canonical).hexdigest()
        self._sealed = sealed

    def run(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer of `work`, or the one that was kept.

        Raises ConflictError while the same is being done, UnprocessableError if the key stood for another request.
        """
        kept = self._begin()
        if kept is not None:
            return kept
        try:
            answer = work()
        except BaseException:
            dynamodb().delete_item(TableName=_table(), Key=self._key)
            raise
        self._finish(answer)
        return answer

    def _begin(self) -> dict[str, Any] | None:
        at = int(time.time())
        item: Any = {
            **self._key,
            "request": {"S": self._request},
            "running_until": {"N": str(at + RUNNING_SECONDS)},
            "expires_at": {"N": str(at + KEPT_SECONDS)},
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
            if not is_refused(error):
                raise
            return self._kept(error.response.get("Item", {}))
        return None

    def _kept(self, item: Any) -> dict[str, Any]:
        if item.get("request", {}).get("S") != self._request:
            raise UnprocessableError("this Idempotency-Key stood for another request")
        text = item.get("answer", {}).get("S")
        if text is None:
            raise ConflictError("the same request is being carried out, or its answer was not kept")
        if self._sealed:
            text = secrets.decrypt(self._scope, SK, text)["answer"]
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _finish(self, answer: dict[str, Any]) -> None:
        """Keep the answer. An answer that is too long to be sealed is not kept, but the deed still counts as done."""
        text = json.dumps(answer, ensure_ascii=False)
        values: Any = {}
        with suppress(BadInputError):
            values = {":a": {"S": secrets.encrypt(self._scope, SK, {"answer": text}) if self._sealed else text}}
        dynamodb().update_item(
            TableName=_table(),
            Key=self._key,
            UpdateExpression=("SET answer = :a " if values else "") + "REMOVE running_until",
            **({"ExpressionAttributeValues": values} if values else {}),
        )


def _table() -> str:
    return runtime.settings().table
