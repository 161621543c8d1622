"""Classification of DynamoDB errors: lost races and other errors."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from hangtag.store.db.client import is_condition_failure


@pytest.mark.parametrize(
    ("code", "reasons", "expected"),
    [
        ("ConditionalCheckFailedException", None, True),
        ("ProvisionedThroughputExceededException", None, False),
        ("TransactionCanceledException", ["None", "ConditionalCheckFailed"], True),
        ("TransactionCanceledException", ["TransactionConflict"], True),
        ("TransactionCanceledException", ["ThrottlingError", "None"], False),
        ("TransactionCanceledException", [], False),
        ("TransactionCanceledException", None, False),
    ],
)
def test_failed_condition_is_distinguished_from_other_errors(
    code: str, reasons: list[str] | None, expected: bool
) -> None:
    response: Any = {"Error": {"Code": code}}
    if reasons is not None:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    assert is_condition_failure(ClientError(response, "PutItem")) is expected
