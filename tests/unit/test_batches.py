"""Batches: what failed alone comes again."""

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


def test_what_failed_is_named_and_the_rest_is_worked_off() -> None:
    assert process_batch(records("a", "bad", "b"), work) == failed("id bad")
    assert process_batch(records("a", "bad", "b"), work, raise_if_all=True) == failed("id bad")
    assert process_batch(records("a", "b"), work, raise_if_all=True) == failed()
    assert process_batch([], work, raise_if_all=True) == failed()


def test_a_record_is_named_as_its_source_calls_it() -> None:
    assert process_batch(records("bad"), work, lambda record: record["body"]) == failed("bad")


def test_a_batch_of_which_all_failed_raises_only_if_that_is_wanted() -> None:
    assert process_batch(records("bad 1", "bad 2"), work) == failed("id bad 1", "id bad 2")
    with pytest.raises(ValueError, match="bad 2"):
        process_batch(records("bad 1", "bad 2"), work, raise_if_all=True)
