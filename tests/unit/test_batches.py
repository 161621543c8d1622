"""Batches: only failed records are retried."""

from collections.abc import Mapping
from typing import Any

import pytest

from hangtag.batches import process_batch


def records(*bodies: str) -> list[dict[str, str]]:
    return [{"messageId": f"id {body}", "body": body} for body in bodies]


def work(record: Mapping[str, Any]) -> None:
    if record["body"].startswith("bad"):
        raise ValueError(record["body"])


def failed(*names: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


def test_failed_records_are_returned_among_processed_ones() -> None:
    assert process_batch(records("a", "bad", "b"), work) == failed("id bad")
    assert process_batch(records("a", "bad", "b"), work, raise_if_all=True) == failed("id bad")
    assert process_batch(records("a", "b"), work, raise_if_all=True) == failed()
    assert process_batch([], work, raise_if_all=True) == failed()


def test_failed_record_has_the_identifier_of_its_source() -> None:
    assert process_batch(records("bad"), work, lambda record: record["body"]) == failed("bad")


def test_batch_raises_only_on_request_when_all_of_its_records_failed() -> None:
    assert process_batch(records("bad 1", "bad 2"), work) == failed("id bad 1", "id bad 2")
    with pytest.raises(ValueError, match="bad 2"):
        process_batch(records("bad 1", "bad 2"), work, raise_if_all=True)
