"""Errors of the table: lost races and faults."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from hangtag.store.db.client import is_refused


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
def test_failed_condition_is_distinguished_from_a_fault(code: str, reasons: list[str] | None, expected: bool) -> None:
    said: Any = {"Error": {"Code": code}}
    if reasons is not None:
        said["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    assert is_refused(ClientError(said, "PutItem")) is expected
