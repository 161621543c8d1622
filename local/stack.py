"""Embedded stack: up, down, and a context manager for tests."""

import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local import process
from local.place import ACCOUNT, COMMON_STACK_FILE, DEFAULT_PORT, REGION, LocalError, Place

PYTHON = (3, 11)
# The workarounds in `gaps` patch this version's internals.
MINISTACK = "1.5.33"
# Module imported by the embedded stack or the functions → the package that provides it.
PACKAGES = {
    "ministack": "ministack",
    "hypercorn": "hypercorn",
    "uvicorn": "uvicorn",
    "uvloop": "uvloop",
    "httptools": "httptools",
    "samtranslator": "aws-sam-translator",
    "yaml": "PyYAML",
    "botocore": "botocore",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "pydantic": "pydantic",
    "pynamodb": "pynamodb",
    "requests": "requests",
    "phonenumbers": "phonenumberslite",
    "jwt": "pyjwt[crypto]",
}
# Limits the life of a stack whose test was killed.
TEST_MAX_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack. The fields are those of `.local/stack.json`, see `write`."""

    api: str
    console: str | None
    live: str
    operator_token: str = field(repr=False)
    table: str
    state_machine: str
    endpoint: str
    region: str
    account: str
    port: int
    pid: int
    fallback_queue: str
    settle_queue: str
    amend_queue: str
    crm_queue: str
    jobs_queue: str
    originate_queue: str
    files_bucket: str
    functions: Mapping[str, str]
    parameters: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)

    def client(self, service: str) -> Any:
        """Return a botocore client of one of the runtime's services."""
        from local.deploy import client

        return client(self.endpoint, service)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function by its logical id. Return its result. Raises LocalError if it failed."""
        lambdas = self.client("lambda")
        response = lambdas.invoke(FunctionName=self.functions[function], Payload=json.dumps(event).encode())
        body = json.loads(response["Payload"].read() or b"null")
        if "FunctionError" in response:
            raise LocalError(f"{function} failed: {body}")
        return body

    def invoke_sweep(self) -> Any:
        """Run the sweeper now instead of in the next minute."""
        return self.invoke("TrackerFunction", {"source": "hangtag.sweep"})

    def restart(self) -> "Stack":
        """Stop and start the stack with its data. Only the process id changes."""
        place = Place(self.port)
        down(place)
        return up(place, self.parameters, self.environment)


def up(
    place: Place,
    parameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Stack:
    """Start the stack, or update it; fast if nothing changed. Raises LocalError.

    A failure or an interruption ends a runtime that this call started.
    """
    check_machine()
    had_state = place.state.exists()
    started = process.running_pid(place) is None
    if started:
        process.start(place, {**os.environ, **(environment or {})})
    try:
        stack = _deploy(place, parameters or {}, environment or {})
        if started and had_state:
            _sweep(stack)
    except BaseException:
        if started:
            process.stop(place)
        raise
    write(place.stack_file, stack)
    return stack


def _sweep(stack: Stack) -> None:
    """Sweep now: calls that the restart interrupted must not wait for the next minute."""
    try:
        stack.invoke_sweep()
    except LocalError as error:
        # The schedule sweeps again within a minute, and a running stack can be inspected.
        logging.getLogger(__name__).warning("the sweep after the restart failed: %s", error)


def down(place: Place, *, keep: bool = True) -> bool:
    """Stop the stack, and keep its data or not. Return True if it ran. Raises LocalError if it does not end."""
    stopped = process.stop(place, keep=keep)
    place.stack_file.unlink(missing_ok=True)
    announced = _read(COMMON_STACK_FILE)
    if announced is not None and announced.port == place.port:
        COMMON_STACK_FILE.unlink(missing_ok=True)
    return stopped


def check_machine() -> None:
    """Raise LocalError with a solution if Python is too old or a package is missing."""
    if sys.version_info < PYTHON:
        installed = ".".join(map(str, sys.version_info[:3]))
        raise LocalError(f"Python {installed} is too old; Hangtag needs 3.11 or newer: `make up PYTHON=…`")
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise LocalError(f"the package {package} is missing: `make up` installs it")
    version = importlib.metadata.version("ministack")
    if version != MINISTACK:
        raise LocalError(f"ministack {version} is installed, not {MINISTACK}: `make up` installs it")


def _deploy(place: Place, parameters: Mapping[str, str], environment: Mapping[str, str]) -> Stack:
    # Imported here because `check_machine` reports missing packages first.
    from local.deploy import client, deploy

    deployed = deploy(place, parameters)
    outputs = deployed.outputs
    secret = client(place.endpoint, "secretsmanager").get_secret_value(SecretId=outputs["OperatorTokenSecretArn"])
    return Stack(
        api=outputs["ApiUrl"],
        console=None,
        live=outputs["LiveUrl"],
        operator_token=secret["SecretString"],
        table=outputs["TableName"],
        state_machine=outputs["StateMachineArn"],
        endpoint=place.endpoint,
        region=REGION,
        account=ACCOUNT,
        port=place.port,
        pid=process.running_pid(place) or 0,
        fallback_queue=outputs["FallbackQueueUrl"],
        settle_queue=outputs["SettleQueueUrl"],
        amend_queue=outputs["AmendQueueUrl"],
        crm_queue=outputs["CrmQueueUrl"],
        jobs_queue=outputs["JobsQueueUrl"],
        originate_queue=outputs["OriginateQueueUrl"],
        files_bucket=outputs["FilesBucketName"],
        functions=dict(deployed.functions),
        parameters=dict(parameters),
        environment=dict(environment),
    )


def write(file: Path, stack: Stack) -> None:
    """Write `stack.json`. It contains the operator's token, so only its owner can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(stack), indent=2) + "\n"
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(file)


def announce(stack: Stack) -> Path:
    """Write `.local/stack.json`, unless it describes another running stack. Return the path of the stack's file.

    The stack of the default port always overwrites it.
    """
    holder = _read(COMMON_STACK_FILE)
    in_use = holder is not None and holder.port != stack.port and process.running_pid(Place(holder.port)) is not None
    if in_use and stack.port != DEFAULT_PORT:
        return Place(stack.port).stack_file
    write(COMMON_STACK_FILE, stack)
    return COMMON_STACK_FILE


def read(place: Place) -> Stack | None:
    """Return the running stack as `up` wrote it; None if it does not run."""
    return _read(place.stack_file)


def _read(file: Path) -> Stack | None:
    try:
        return Stack(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None


@contextmanager
def running(
    *,
    port: int,
    fault_endpoint: str | None = None,
    parameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Run a stack for a test, and end it with the context. Deletes the data of earlier stacks and of this one.

    `fault_endpoint` enables fault injection (see `faults`); `environment` is added to the runtime's.
    """
    place = Place(port)
    down(place, keep=False)
    shutil.rmtree(place.directory, ignore_errors=True)
    variables = {"HANGTAG_MAX_SECONDS": str(TEST_MAX_SECONDS), **(environment or {})}
    if fault_endpoint:
        variables["HANGTAG_FAULT_ENDPOINT"] = fault_endpoint
    stack = up(place, parameters, variables)
    try:
        yield stack
    finally:
        down(place, keep=False)
