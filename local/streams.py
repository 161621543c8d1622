"""Reader of a table's stream that is closer to AWS than the runtime's own reader.

The runtime's reader ignores partial-batch responses and the retry count, and processes one record after
the other, so a record that always fails stops all calls. Here the changes of one item stay in order,
changes of different items run in parallel, and records that fail too often go to the mapping's
destination. For functions with partial-batch responses, batches contain one record, so the response need
not be read (see `transform`); other functions receive all waiting records, up to their batch size.
"""

import json
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Items processed in parallel; the machine is small.
WIDTH = 4
# Records read after the first unfinished one.
WINDOW = 500
LONGEST_REST_SECONDS = 10.0

logger = logging.getLogger("local.streams")


@dataclass(frozen=True, slots=True)
class Change:
    """One record, its absolute position in the stream, and the key of its item."""

    position: int
    item: str
    record: Any


# Changes of one invocation.
Batch = list[Change]


@dataclass(slots=True)
class Progress:
    """Progress of one mapping on its stream's records, by their absolute position.

    `items` contains the key of each record that was read, None for one that the mapping's filter excludes.
    """

    running: int = 0
    items: dict[int, str | None] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    tries: Counter[int] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    rest_until: dict[str, float] = field(default_factory=dict)


def table_of(mapping: Any) -> str:
    """Return the table whose stream a mapping reads."""
    source: str = mapping["EventSourceArn"]
    return source.partition("/stream/")[0].rpartition("/")[2]


class StreamReader:
    """Replacement of the runtime's stream poller, called in its loop."""

    def __init__(self, lambdas: Any, tables: Any, rest_seconds: float) -> None:
        self._lambdas = lambdas
        self._tables = tables
        self._rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}

    def poll(self) -> bool:
        """Start all batches that can run. Return True if any was started."""
        started = False
        for account, region, mapping in self._lambdas._iter_all_esms():
            if ":dynamodb:" not in mapping.get("EventSourceArn", "") or not mapping.get("Enabled", True):
                continue
            # Threads that are started here inherit these.
            self._lambdas._request_account_id.set(account)
            self._lambdas._request_region.set(region)
            started = self._advance(mapping) or started
        return started

    def _advance(self, mapping: Any) -> bool:
        source, table = mapping["EventSourceArn"], table_of(mapping)
        function, _ = self._lambdas._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        described = self._tables._tables.get(table)
        if function is None or not described or described.get("LatestStreamArn") != source:
            return False
        with self._lock:
            progress = self._progress.setdefault(mapping["UUID"], Progress())
            first = self._first_unfinished(mapping, progress)
            records = self._tables.stream_records_since(table, first, WINDOW)
            chosen = self._choose(mapping, progress, first, records)
        for batch in chosen:
            self._lambdas._dispatch_esm_batch(mapping["UUID"], self._work, mapping, function, progress, batch)
        return bool(chosen)

    def _first_unfinished(self, mapping: Any, progress: Progress) -> int:
        """Move the mapping's position, which the runtime persists, past all finished records."""
        horizon: int = self._tables.stream_start_position(table_of(mapping))
        with self._lambdas._dynamodb_stream_positions_lock:
            positions = self._lambdas._dynamodb_stream_positions
            first: int = max(positions.get(mapping["UUID"], horizon), horizon)
            while first in progress.done:
                progress.done.remove(first)
                progress.items.pop(first, None)
                first += 1
            positions[mapping["UUID"]] = first
        return first

    def _choose(self, mapping: Any, progress: Progress, first: int, records: list[Any]) -> list[Batch]:
        """Return the batches to start now: the next changes of each item that is not in progress."""
        size = int(mapping.get("BatchSize", 1))
        chosen: list[Batch] = []
        waiting = {item for item, until in progress.rest_until.items() if until > time.monotonic()}
        for position, record in enumerate(records, first):
            if len(progress.busy) >= WIDTH * size:
                break
            item = None if position in progress.done else self._item(mapping, progress, position, record)
            if item is None or item in waiting or item in progress.busy:
                continue
            if not chosen or len(chosen[-1]) >= size:
                # The items of a full batch must not be in another batch.
                progress.busy.update(change.item for batch in chosen for change in batch)
                if progress.running + len(chosen) >= WIDTH or item in progress.busy:
                    continue
                chosen.append([])
            chosen[-1].append(Change(position, item, record))
            if size == 1:
                waiting.add(item)
        progress.busy.update(change.item for batch in chosen for change in batch)
        progress.running += len(chosen)
        return chosen

    def _item(self, mapping: Any, progress: Progress, position: int, record: Any) -> str | None:
        """Return the key of a record's item; None if the mapping's filter excludes it."""
        if position not in progress.items:
            matches = self._lambdas._apply_filter_criteria([record], mapping)
            progress.items[position] = json.dumps(record["dynamodb"]["Keys"], sort_keys=True) if matches else None
            if not matches:
                progress.done.add(position)
        return progress.items[position]

    def _work(self, mapping: Any, function: Any, progress: Progress, batch: Batch) -> None:
        records = [change.record for change in batch]
        result = self._lambdas._execute_function(function, {"Records": records})
        body = result.get("body")
        failed = bool(result.get("error") or (isinstance(body, dict) and body.get("batchItemFailures")))
        with self._lock:
            progress.running -= 1
            progress.busy.difference_update(change.item for change in batch)
            over = [
                change
                for change in batch
                if not failed or self._is_given_up(mapping, progress, change.position, change.record)
            ]
            for change in over:
                progress.tries.pop(change.position, None)
                progress.rest_until.pop(change.item, None)
                progress.done.add(change.position)
            for change in batch:
                if change not in over:
                    rest = self._rest_seconds * 2 ** (progress.tries[change.position] - 1)
                    progress.rest_until[change.item] = time.monotonic() + min(rest, LONGEST_REST_SECONDS)
            self._first_unfinished(mapping, progress)
        positions = ", ".join(str(change.position) for change in batch)
        if not failed:
            logger.info("change %s was read", positions)
            return
        logger.warning("change %s failed: %s", positions, body)
        if over:
            logger.error("change %s was given up: %s", ", ".join(str(change.position) for change in over), body)
            self._lambdas._send_ddb_stream_failure_record(
                mapping,
                function,
                [change.record for change in over],
                mapping["EventSourceArn"],
                result,
                "RetryAttemptsExhausted",
            )

    @staticmethod
    def _is_given_up(mapping: Any, progress: Progress, position: int, record: Any) -> bool:
        """Count a failed attempt. Return True if it was the last. -1 means without a limit, as on AWS."""
        progress.tries[position] += 1
        retries = int(mapping.get("MaximumRetryAttempts", -1))
        oldest = int(mapping.get("MaximumRecordAgeInSeconds", -1))
        age = time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"])
        return 0 <= retries < progress.tries[position] or 0 <= oldest < age
