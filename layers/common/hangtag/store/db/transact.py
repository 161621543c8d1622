"""Transactions on the table, with their refusals told apart."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from hangtag.errors import ConflictError
from hangtag.store.db.models import Entry

T = TypeVar("T")

ATTEMPTS = 8
_FIRST_PAUSE_SECONDS = 0.02


class TransactionRejectedError(Exception):
    """A condition failed, so nothing was written. `items` are those that stood in the way, in DynamoDB's form."""

    def __init__(self, items: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__("a condition failed")
        self.items = items


class ContestedError(Exception):
    """Another transaction held one of the items, or changed it since it was read; trying again may succeed."""


@contextmanager
def transaction() -> Iterator[TransactWrite]:
    """All of what is added, or nothing, is written when the block ends.

    Raises RefusedError (ask for ALL_OLD to learn the items), ContestedError, and what PynamoDB raises.
    """
    try:
        with TransactWrite(connection=Entry.connection()) as open_transaction:
            yield open_transaction
    except TransactWriteError as error:
        reasons = [reason for reason in error.cancellation_reasons if reason is not None]
        failed = [reason for reason in reasons if reason.code == "ConditionalCheckFailed"]
        if failed:
            items = tuple(reason.raw_item for reason in failed if reason.raw_item)
            raise TransactionRejectedError(items) from error
        if any(reason.code == "TransactionConflict" for reason in reasons):
            raise ContestedError from error
        raise


def persistently(work: Callable[[], T]) -> T:
    """Run `work` again while it is contested, with growing, scattered pauses.

    Raises ConflictError if it still is after about two seconds.
    """
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except ContestedError:
            # Scattered, so that many who met once do not meet again.
            time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311
    raise ConflictError("The resource was changed by another request at the same time. Try again.")
