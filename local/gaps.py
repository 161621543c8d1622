"""Where the runtime (ministack 1.5.33) differs from AWS in what Hangtag needs; a bridge for each.

They reach into its internals, so `up` insists on that very version.
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

# Seconds between tries of a batch that failed. AWS backs off too; here people and tests wait.
RETRY_SECONDS = 0.2

functions_log = logging.getLogger("hangtag.functions")


@dataclass(frozen=True, slots=True)
class Bridged:
    """What the process that serves has to do about gaps itself."""

    # Once set, queues and streams start no new work.
    paused: threading.Event
    # To be called when the runtime serves.
    resume_executions: Callable[[], None]


def bridge() -> Bridged:
    """Bridge all gaps. To be called before the runtime loads its state."""
    lambdas: Any = importlib.import_module("ministack.services.lambda_svc")
    tables: Any = importlib.import_module("ministack.services.dynamodb")
    machines: Any = importlib.import_module("ministack.services.stepfunctions")
    workers: Any = importlib.import_module("ministack.core.lambda_runtime")
    lambdas._ESM_BACKOFF_SECONDS = RETRY_SECONDS
    wait_for_a_worker(lambdas)
    keep_what_functions_print(workers)
    keep_workers_that_raised(workers)
    look_at_queues_often(lambdas)
    let_connections_rest(importlib.import_module("ministack.services.apigateway"))
    read_conditions_once(tables)
    keep_stream_records(tables)
    lambdas._poll_dynamodb_streams = StreamReader(lambdas, tables, RETRY_SECONDS).poll
    new_token_for_each_attempt(machines)
    name_the_machine_of_a_token(machines)
    return Bridged(pause_sources(lambdas), keep_executions(machines))


def wait_for_a_worker(lambdas: Any) -> None:
    """Over its concurrency limit the runtime throttles, so 50 requests at once would lose some.

    AWS would start more environments. This machine cannot; a call waits for a free one instead.
    No function of Hangtag invokes another and waits, so waiting cannot block itself.
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

    def release_and_tell(key: Any) -> None:
        with freed:
            release(key)
            freed.notify()

    lambdas._acquire_execution_slot = acquire_or_wait
    lambdas._release_execution_slot = release_and_tell


def keep_workers_that_raised(workers: Any) -> None:
    """A worker whose handler raised is ended, and the next call pays for a cold start. AWS keeps its environment.

    The end is put off until it is known why the call failed: one that ran out of time, or died, has to go.
    """
    invoke, signal, collect = workers.Worker.invoke, workers._signal, workers._collect
    put_off = threading.local()

    def invoke_and_keep(worker: Any, *arguments: Any, **named: Any) -> Any:
        put_off.process, put_off.active = None, True
        try:
            result = invoke(worker, *arguments, **named)
        finally:
            put_off.active = False
        process = put_off.process
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
        if getattr(put_off, "active", False):
            put_off.process = process
        else:
            signal(process)

    def collect_later(process: Any, deadline: float) -> None:
        if not getattr(put_off, "active", False):
            collect(process, deadline)

    workers.Worker.invoke = invoke_and_keep
    workers._signal, workers._collect = signal_later, collect_later


def look_at_queues_often(lambdas: Any) -> None:
    """A delayed message, or one to be tried again, is seen up to a second late: AWS polls for it."""

    def tick() -> None:
        while True:
            time.sleep(RETRY_SECONDS)
            lambdas._esm_wake.set()

    threading.Thread(target=tick, daemon=True, name="hangtag-tick").start()


def let_connections_rest(gateway: Any) -> None:
    """The runtime looks at each connection of the live channel twice a second; hundreds of them took half a core.

    Here what is to be sent wakes it, and so does the end, which it saw half a second late.
    """

    class Closing(asyncio.Event):
        """That a connection closes; who waits for something to send is told."""

        def __init__(self, outbox: "asyncio.Queue[Any]") -> None:
            super().__init__()
            self._outbox = outbox

        def set(self) -> None:
            super().set()
            self._outbox.put_nowait(None)

    class Asyncio:
        """The module, as the gateway finds it: a connection makes its queue, then its event, in one go."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        def Queue(self) -> "asyncio.Queue[Any]":  # noqa: N802 - the names are given
            self._outbox: asyncio.Queue[Any] = asyncio.Queue()
            return self._outbox

        def Event(self) -> Closing:  # noqa: N802
            return Closing(self._outbox)

        async def wait_for(self, awaitable: Any, timeout: float) -> Any:  # noqa: ARG002
            return await awaitable

    gateway.asyncio = Asyncio()


def read_conditions_once(tables: Any) -> None:
    """Conditions are written in few ways, and the runtime parses each anew for every write."""
    tables._condition_syntax_error = lru_cache(maxsize=1024)(tables._condition_syntax_error)


def keep_what_functions_print(workers: Any) -> None:
    """Functions' output is kept in the runtime's memory alone, if at all; here it goes to a file too."""
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
    """Across a restart the runtime keeps the readers' positions in a stream, but not its records.

    The first changes after a restart would then never be read. AWS keeps records for 24 hours.
    """
    save, load = tables.get_state, tables.load_persisted_state

    def save_with_records() -> Any:
        # Through JSON: a copy that later changes cannot reach.
        records = {json.dumps(scope): json.dumps(found) for scope, found in list(tables._stream_records._data.items())}
        trimmed = {json.dumps(scope): count for scope, count in tables._stream_trimmed._data.items()}
        return {**save(), "hangtag_records": records, "hangtag_trimmed": trimmed}

    def load_with_records(data: Any) -> None:
        for scope, found in data.pop("hangtag_records", {}).items():
            tables._stream_records._data[tuple(json.loads(scope))] = json.loads(found)
        for scope, count in data.pop("hangtag_trimmed", {}).items():
            tables._stream_trimmed._data[tuple(json.loads(scope))] = count
        load(data)

    tables.get_state = save_with_records
    tables.load_persisted_state = load_with_records


def keep_executions(machines: Any) -> Callable[[], None]:
    """A restart of the runtime fails the executions that run. On AWS nothing of the kind befalls them.

    They are run again from their first state. All states of Hangtag's may be repeated: that one leaves
    a new token on the call, and the tracker answers it at once if the call is over. Tests that want
    executions to be lost set HANGTAG_LOSE_EXECUTIONS.
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
    """A retried callback task keeps its token; on AWS each attempt has one of its own.

    Leaving the same token on the item a second time changes nothing, so the stream would be silent.
    """
    invoke = machines._invoke_with_callback

    def invoke_anew(resource: str, parameters: Any, token: str, state: Any) -> Any:
        fresh = str(uuid.uuid4())
        return invoke(resource, replaced(parameters, token, fresh), fresh, state)

    machines._invoke_with_callback = invoke_anew


def name_the_machine_of_a_token(machines: Any) -> None:
    """A token says nothing of its state machine here, so a right to answer it can't name one.

    AWS knows: its refusals name the state machine, and a policy that names it is enough.
    """
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    extract = actions.extract_resource_arn

    def extract_or_know(service: str, method: str, path: str, headers: Any, *rest: Any) -> Any:
        found = extract(service, method, path, headers, *rest)
        called = headers.get("x-amz-target", "")
        if found == "*" and called.startswith("AWSStepFunctions.SendTask"):
            # There is one in a stack.
            return next(iter(machines._state_machines), found)
        return found

    actions.extract_resource_arn = extract_or_know


def replaced(value: Any, old: str, new: str) -> Any:
    """A copy of a JSON value in which every string `old` is `new`."""
    if isinstance(value, dict):
        return {key: replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, old, new) for item in value]
    return new if value == old else value


def pause_sources(lambdas: Any) -> threading.Event:
    """The runtime saves its state while batches run on, and loses what they do after that.

    So at the end no new ones are started, and those that run are waited for.
    """
    paused = threading.Event()
    for name in ("_poll_sqs", "_poll_dynamodb_streams"):
        poll = getattr(lambdas, name)

        def poll_unless_paused(poll: Any = poll) -> bool:
            return not paused.is_set() and bool(poll())

        setattr(lambdas, name, poll_unless_paused)
    return paused
