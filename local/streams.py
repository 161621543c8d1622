"""Reading a table's stream into a function, nearer to AWS than the runtime's own reader.

That one ignores partial-batch replies and the retry count, and works through one record after the
other, so a record that always fails stops all calls. Here the changes of one item stay in order,
those of different items run beside each other, and what fails too often goes to the mapping's
destination. Batches hold one record, which spares bisecting (see `transform`).
"""

import json
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Items worked on at once; the machine is small.
WIDTH = 4
# Records looked at beyond the first unfinished one.
WINDOW = 500
LONGEST_REST_SECONDS = 10.0

logger = logging.getLogger("local.streams")


@dataclass(slots=True)
class Progress:
    """What one mapping does with its stream's records, by their absolute position."""

    done: set[int] = field(default_factory=set)
    tries: Counter[int] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    rest_until: dict[str, float] = field(default_factory=dict)


def table_of(mapping: Any) -> str:
    """The table whose stream a mapping reads."""
    source: str = mapping["EventSourceArn"]
    return source.partition("/stream/")[0].rpartition("/")[2]


class StreamReader:
    """Stands in for the runtime's poller of streams, and is called in its loop."""

    def __init__(self, lambdas: Any, tables: Any, rest_seconds: float) -> None:
        self._lambdas = lambdas
        self._tables = tables
        self._rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}

    def poll(self) -> bool:
        """Start what can be started; returns whether anything was."""
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
        known = self._tables._tables.get(table)
        if function is None or not known or known.get("LatestStreamArn") != source:
            return False
        with self._lock:
            progress = self._progress.setdefault(mapping["UUID"], Progress())
            first = self._first_unfinished(mapping, progress)
            records = self._tables.stream_records_since(table, first, WINDOW)
            chosen = self._choose(mapping, progress, first, records)
        for position, item, record in chosen:
            self._lambdas._dispatch_esm_batch(
                mapping["UUID"], self._work, mapping, function, progress, position, item, record
            )
        return bool(chosen)

    def _first_unfinished(self, mapping: Any, progress: Progress) -> int:
        """Move the mapping's position, which the runtime persists, over all that is done."""
        horizon: int = self._tables.stream_start_position(table_of(mapping))
        with self._lambdas._dynamodb_stream_positions_lock:
            positions = self._lambdas._dynamodb_stream_positions
            first: int = max(positions.get(mapping["UUID"], horizon), horizon)
            while first in progress.done:
                progress.done.remove(first)
                first += 1
            positions[mapping["UUID"]] = first
        return first

    def _choose(self, mapping: Any, progress: Progress, first: int, records: list[Any]) -> list[tuple[int, str, Any]]:
        """The records to start now: of each item the first unfinished one, if it is its turn."""
        chosen = []
        waiting: set[str] = set()
        now = time.monotonic()
        for position, record in enumerate(records, first):
            if position in progress.done:
                continue
            if not self._lambdas._apply_filter_criteria([record], mapping):
                progress.done.add(position)
                continue
            item = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
            if item in waiting or len(progress.busy) >= WIDTH:
                continue
            waiting.add(item)
            if item not in progress.busy and progress.rest_until.get(item, 0.0) <= now:
                progress.busy.add(item)
                chosen.append((position, item, record))
        return chosen

    def _work(self, mapping: Any, function: Any, progress: Progress, position: int, item: str, record: Any) -> None:
        result = self._lambdas._execute_function(function, {"Records": [record]})
        body = result.get("body")
        failed = bool(result.get("error") or (isinstance(body, dict) and body.get("batchItemFailures")))
        with self._lock:
            progress.busy.discard(item)
            if failed and not self._is_given_up(mapping, progress, position, record):
                rest = self._rest_seconds * 2 ** (progress.tries[position] - 1)
                progress.rest_until[item] = time.monotonic() + min(rest, LONGEST_REST_SECONDS)
                logger.warning("change %d failed: %s", position, body)
                return
            progress.tries.pop(position, None)
            progress.rest_until.pop(item, None)
            progress.done.add(position)
            self._first_unfinished(mapping, progress)
        if failed:
            logger.error("change %d was given up: %s", position, body)
            self._lambdas._send_ddb_stream_failure_record(
                mapping, function, [record], mapping["EventSourceArn"], result, "RetryAttemptsExhausted"
            )
        else:
            logger.info("change %d was read", position)

    @staticmethod
    def _is_given_up(mapping: Any, progress: Progress, position: int, record: Any) -> bool:
        """Count a failed try; whether it was the last. -1 is for ever, as on AWS."""
        progress.tries[position] += 1
        retries = int(mapping.get("MaximumRetryAttempts", -1))
        oldest = int(mapping.get("MaximumRecordAgeInSeconds", -1))
        age = time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"])
        return 0 <= retries < progress.tries[position] or 0 <= oldest < age
