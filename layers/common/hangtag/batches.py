"""Batches of a queue or a stream: what failed is named in the answer, so that it alone comes again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hangtag.observability import logger

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
    """Work through a batch, and answer what failed. `identify` is how AWS calls a record.

    `raise_if_all`: raises the last error when all of it failed, so that all is retried, and the function counts as
    failed.
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
