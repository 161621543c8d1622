"""Batch processing of a queue or a stream, with a partial batch response so that only failed records are retried.

Replaces Powertools' BatchProcessor, which would load more than the logger (see tests/unit/test_import_budget.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hangtag.runtime import logger

__all__ = ["process_batch"]

Record = Mapping[str, Any]


def _message_id(record: Record) -> str:
    return str(record["messageId"])


def process_batch(
    records: Sequence[Record],
    work: Callable[[Record], None],
    identify: Callable[[Record], str] = _message_id,
    *,
    raise_if_all: bool = False,
) -> dict[str, Any]:
    """Process a batch, and return the failed records. `identify` returns AWS's identifier of a record.

    `raise_if_all`: raise the last error if all records failed, so that the whole batch is retried and the function
    counts as failed.
    """
    failed: list[str] = []
    last: Exception | None = None
    for record in records:
        try:
            work(record)
        except Exception as error:
            logger.exception("batch.record_failed", extra={"record": identify(record)})
            failed.append(identify(record))
            last = error
    if raise_if_all and last is not None and len(failed) == len(records):
        raise last
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
