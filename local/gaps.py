"""Workarounds for differences between the runtime (ministack 1.5.33) and AWS that affect Hangtag.

They patch the runtime's internals, so `up` requires exactly this version.
"""

import asyncio
import importlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local.streams import StreamReader

# Seconds between attempts at a failed batch. AWS waits longer; here, a person or a test waits.
RETRY_SECONDS = 0.2

functions_log = logging.getLogger("hangtag.functions")


@dataclass(frozen=True, slots=True)
class Bridged:
    """Controls that the serving process needs: pausing event sources and resuming executions."""

    # While it is set, queues and streams start no new work.
    paused: threading.Event
    # Call it once the runtime serves requests.
    resume_executions: Callable[[], None]


def bridge() -> Bridged:
    """Apply all workarounds. Call it before the runtime loads its state."""
    lambdas: Any = importlib.import_module("ministack.services.lambda_svc")
    tables: Any = importlib.import_module("ministack.services.dynamodb")
    machines: Any = importlib.import_module("ministack.services.stepfunctions")
    workers: Any = importlib.import_module("ministack.core.lambda_runtime")
    lambdas._ESM_BACKOFF_SECONDS = RETRY_SECONDS
    wait_for_a_worker(lambdas)
    log_function_output(workers)
    keep_workers_that_raised(workers)
    poll_queues_often(lambdas)
    wake_connections_by_event(importlib.import_module("ministack.services.apigateway"))
    cache_conditions(tables)
    keep_stream_records(tables)
    lambdas._poll_dynamodb_streams = StreamReader(lambdas, tables, RETRY_SECONDS).poll
    new_token_for_each_attempt(machines)
    resolve_machine_of_token(machines)
    return Bridged(pause_sources(lambdas), keep_executions(machines))


def wait_for_a_worker(lambdas: Any) -> None:
    """Let an invocation wait for a free worker. The runtime would throttle it, and 50 parallel requests would fail.

    AWS starts more environments, which this machine cannot. No function of Hangtag waits for another, so
    waiting cannot cause a deadlock.
    """
    acquire, release = lambdas._acquire_execution_slot, lambdas._release_execution_slot
    freed = threading.Condition()

    def acquire_or_wait(function: Any, config: Any) -> Any:
        with freed:
            while True:
                slot, limit = acquire(function, config)
                if limit != "account":
                    return slot, limit
                freed.wait()

    def release_and_notify(key: Any) -> None:
        with freed:
            release(key)
            freed.notify()

    lambdas._acquire_execution_slot = acquire_or_wait
    lambdas._release_execution_slot = release_and_notify


def keep_workers_that_raised(workers: Any) -> None:
    """Keep a worker whose handler raised, as AWS does. The runtime ends it, so that the next call is a cold start.

    The end is delayed until the reason is known: a worker that timed out or died is still ended.
    """
    invoke, signal, collect = workers.Worker.invoke, workers._signal, workers._collect
    delayed = threading.local()

    def invoke_keeping_worker(worker: Any, *arguments: Any, **named: Any) -> Any:
        delayed.process, delayed.active = None, True
        try:
            result = invoke(worker, *arguments, **named)
        finally:
            delayed.active = False
        process = delayed.process
        if process is None:
            return result
        # Only the handler's own exception has a traceback.
        if "trace" in result and process.poll() is None:
            worker._proc = process
        else:
            signal(process)
            collect(process, time.monotonic() + workers._REAP_GRACE)
        return result

    def signal_later(process: Any) -> None:
        if getattr(delayed, "active", False):
            delayed.process = process
        else:
            signal(process)

    def collect_later(process: Any, deadline: float) -> None:
        if not getattr(delayed, "active", False):
            collect(process, deadline)

    workers.Worker.invoke = invoke_keeping_worker
    workers._signal, workers._collect = signal_later, collect_later


def poll_queues_often(lambdas: Any) -> None:
    """Poll queues more often. The runtime notices a delayed or retried message up to a second late."""

    def tick() -> None:
        while True:
            time.sleep(RETRY_SECONDS)
            lambdas._esm_wake.set()

    threading.Thread(target=tick, daemon=True, name="hangtag-tick").start()


def wake_connections_by_event(gateway: Any) -> None:
    """Wake a connection of the live channel by an event: a message to send, or its end.

    The runtime polls each connection twice a second. Hundreds of them used half a core, and the end of a
    connection was noticed half a second late.
    """

    class Closing(asyncio.Event):
        """The closing event of a connection, which also wakes the sender."""

        def __init__(self, outbox: "asyncio.Queue[Any]") -> None:
            super().__init__()
            self._outbox = outbox

        def set(self) -> None:
            super().set()
            self._outbox.put_nowait(None)

    class Asyncio:
        """Replacement of the `asyncio` module in the gateway. A connection creates its queue, then its event."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        def Queue(self) -> "asyncio.Queue[Any]":  # noqa: N802 - asyncio's names
            self._outbox: asyncio.Queue[Any] = asyncio.Queue()
            return self._outbox

        def Event(self) -> Closing:  # noqa: N802
            return Closing(self._outbox)

        async def wait_for(self, awaitable: Any, timeout: float) -> Any:  # noqa: ARG002
            return await awaitable

    gateway.asyncio = Asyncio()


def cache_conditions(tables: Any) -> None:
    """Cache parsed conditions: there are few, and the runtime parses them again for every write."""
    tables._condition_syntax_error = lru_cache(maxsize=1024)(tables._condition_syntax_error)


def log_function_output(workers: Any) -> None:
    """Copy the functions' output to a file. The runtime keeps it in memory at most."""
    invoke = workers.Worker.invoke

    def invoke_and_log(*arguments: Any, **named: Any) -> Any:
        result = invoke(*arguments, **named)
        if result.get("log"):
            functions_log.info(result["log"])
        if result.get("status") == "error":
            functions_log.error("%s", result.get("trace") or result.get("error"))
        return result

    workers.Worker.invoke = invoke_and_log


def keep_stream_records(tables: Any) -> None:
    """Save the records of streams across a restart. AWS keeps them for 24 hours.

    The runtime saves only the readers' positions, so that the first changes after a restart would not be read.
    """
    save, load = tables.get_state, tables.load_persisted_state

    def save_with_records() -> Any:
        # JSON serves as a deep copy.
        records = {json.dumps(scope): json.dumps(rows) for scope, rows in list(tables._stream_records._data.items())}
        trimmed = {json.dumps(scope): count for scope, count in tables._stream_trimmed._data.items()}
        return {**save(), "hangtag_records": records, "hangtag_trimmed": trimmed}

    def load_with_records(data: Any) -> None:
        for scope, rows in data.pop("hangtag_records", {}).items():
            tables._stream_records._data[tuple(json.loads(scope))] = json.loads(rows)
        for scope, count in data.pop("hangtag_trimmed", {}).items():
            tables._stream_trimmed._data[tuple(json.loads(scope))] = count
        load(data)

    tables.get_state = save_with_records
    tables.load_persisted_state = load_with_records


def keep_executions(machines: Any) -> Callable[[], None]:
    """Return a function that restarts the executions which a restart of the runtime failed. AWS never fails them so.

    They start again from their first state. All states of Hangtag can be repeated: the first one stores a new
    token on the call, and the tracker completes it at once if the call has ended. Tests that need lost
    executions set HANGTAG_LOSE_EXECUTIONS.
    """
    load = machines.load_persisted_state
    running: list[tuple[str, str, str]] = []

    def load_and_note(data: Any) -> None:
        if not os.environ.get("HANGTAG_LOSE_EXECUTIONS"):
            executions = data["executions"]._data.items()
            running.extend(scope for scope, execution in executions if execution["status"] == "RUNNING")
        load(data)

    def resume() -> None:
        for account, region, arn in running:
            execution = machines._executions.get_scoped(account, region, arn)
            execution.update(status="RUNNING", stopDate=None)
            del execution["error"], execution["cause"]
            threading.Thread(target=machines._run_execution, args=(arn,), daemon=True).start()
        running.clear()

    machines.load_persisted_state = load_and_note
    return resume


def new_token_for_each_attempt(machines: Any) -> None:
    """Give each attempt at a callback task its own token, as AWS does.

    The runtime reuses the token. Storing it a second time changes nothing, so the stream would have no record.
    """
    invoke = machines._invoke_with_callback

    def invoke_with_new_token(resource: str, parameters: Any, token: str, state: Any) -> Any:
        fresh = str(uuid.uuid4())
        return invoke(resource, replaced(parameters, token, fresh), fresh, state)

    machines._invoke_with_callback = invoke_with_new_token


def resolve_machine_of_token(machines: Any) -> None:
    """Resolve a task token to its state machine for IAM checks, as AWS does.

    The runtime cannot, so that a policy which allows one state machine would not match.
    """
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    extract = actions.extract_resource_arn

    def extract_with_machine(service: str, method: str, path: str, headers: Any, *rest: Any) -> Any:
        resource = extract(service, method, path, headers, *rest)
        called = headers.get("x-amz-target", "")
        if resource == "*" and called.startswith("AWSStepFunctions.SendTask"):
            # A stack has only one.
            return next(iter(machines._state_machines), resource)
        return resource

    actions.extract_resource_arn = extract_with_machine


def replaced(value: Any, old: str, new: str) -> Any:
    """Copy a JSON value, with each string `old` replaced by `new`."""
    if isinstance(value, dict):
        return {key: replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, old, new) for item in value]
    return new if value == old else value


def pause_sources(lambdas: Any) -> threading.Event:
    """Return an event that stops queues and streams from starting new batches.

    The runtime saves its state while batches still run, and loses their later changes. Before it stops, no new
    batches may start.
    """
    paused = threading.Event()
    for name in ("_poll_sqs", "_poll_dynamodb_streams"):
        poll = getattr(lambdas, name)

        def poll_unless_paused(poll: Any = poll) -> bool:
            return not paused.is_set() and bool(poll())

        setattr(lambdas, name, poll_unless_paused)
    return paused
