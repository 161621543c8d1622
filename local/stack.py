"""The embedded stack as a whole: up, down, and a context for tests."""

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
# The bridges in `gaps` reach into this version's internals.
MINISTACK = "1.5.33"
# What the embedded stack and the functions import → the package that brings it.
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
# A test's stack ends by itself when the test was killed.
TEST_MAX_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack. Its fields are those of `.local/stack.json`, see `write`."""

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
        """A botocore client of one of the runtime's services."""
        from local.deploy import client

        return client(self.endpoint, service)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function by its logical id. Returns its answer; LocalError if it failed."""
        answer = self.client("lambda").invoke(FunctionName=self.functions[function], Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise LocalError(f"{function} failed: {body}")
        return body

    def invoke_sweep(self) -> Any:
        """Run the sweeper now instead of at its next minute."""
        return self.invoke("TrackerFunction", {"source": "hangtag.sweep"})

    def restart(self) -> "Stack":
        """`down` and `up` again, with the data; all but the process id is as before."""
        place = Place(self.port)
        down(place)
        return up(place, self.parameters, self.environment)


def up(
    place: Place,
    parameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Stack:
    """Bring the stack up, or up to date; quick when it is both already. Raises LocalError.

    A runtime that this call started is ended again if anything fails or interrupts it.
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
    """Look after calls that the restart may have left alone, not just at the next minute."""
    try:
        stack.invoke_sweep()
    except LocalError as error:
        # The schedule tries again within the minute, and a stack that is up can be looked into.
        logging.getLogger(__name__).warning("the sweep after the restart failed: %s", error)


def down(place: Place, *, keep: bool = True) -> bool:
    """Stop the stack, keeping its data or not; returns whether it ran. Raises LocalError if it stays."""
    stopped = process.stop(place, keep=keep)
    place.stack_file.unlink(missing_ok=True)
    announced = _read(COMMON_STACK_FILE)
    if announced is not None and announced.port == place.port:
        COMMON_STACK_FILE.unlink(missing_ok=True)
    return stopped


def check_machine() -> None:
    """Raise LocalError, naming the way out, when Python is too old or a package is missing."""
    if sys.version_info < PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise LocalError(f"Python {found} is too old; Hangtag needs 3.11 or newer: `make up PYTHON=…`")
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise LocalError(f"the package {package} is missing: `make up` installs it")
    version = importlib.metadata.version("ministack")
    if version != MINISTACK:
        raise LocalError(f"ministack {version} is installed, not {MINISTACK}: `make up` mends it")


def _deploy(place: Place, parameters: Mapping[str, str], environment: Mapping[str, str]) -> Stack:
    # Imported here, so that a missing package is reported in words first.
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
    """Write `stack.json`. It holds the operator's token, so only its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(stack), indent=2) + "\n"
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(file)


def announce(stack: Stack) -> Path:
    """Write `.local/stack.json`, unless another stack that runs is described there; returns where it stands.

    The stack of the default port always takes the place.
    """
    holder = _read(COMMON_STACK_FILE)
    taken = holder is not None and holder.port != stack.port and process.running_pid(Place(holder.port)) is not None
    if taken and stack.port != DEFAULT_PORT:
        return Place(stack.port).stack_file
    write(COMMON_STACK_FILE, stack)
    return COMMON_STACK_FILE


def read(place: Place) -> Stack | None:
    """The running stack as `up` wrote it down, or None."""
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
    """A stack for a test, ended with the context; what an earlier one left is forgotten, and so is this one's data.

    `fault_endpoint` opens the fault door (see `faults`); `environment` is the runtime's.
    """
    place = Place(port)
    down(place, keep=False)
    shutil.rmtree(place.directory, ignore_errors=True)
    given = {"HANGTAG_MAX_SECONDS": str(TEST_MAX_SECONDS), **(environment or {})}
    if fault_endpoint:
        given["HANGTAG_FAULT_ENDPOINT"] = fault_endpoint
    stack = up(place, parameters, given)
    try:
        yield stack
    finally:
        down(place, keep=False)
