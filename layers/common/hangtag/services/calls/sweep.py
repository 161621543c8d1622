"""Step 2c: the sweeper helps calls that nothing else will help: executions lost, changes never seen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from hangtag.observability import logger
from hangtag.store.calls import items as calls
from hangtag.store.db import client


def sweep(
    state_machine_arn: str,
    again_after: timedelta,
    has_time: Callable[[], bool],
) -> int:
    """Look at every live call that is due, as long as `has_time`; returns how many were looked at.

    A call whose execution is gone has its attempt raised; any other is nudged, so that the tracker sees it again.
    """
    seen = 0
    for key in calls.due(datetime.now(UTC)):
        if not has_time():
            logger.warning("sweep.out_of_time", extra={"calls": seen})
            break
        seen += 1
        _help(state_machine_arn, key, datetime.now(UTC) + again_after)
    return seen


def _help(state_machine_arn: str, key: calls.CallKey, due: datetime) -> None:
    item = calls.read(key)
    if item is None:
        return
    if _is_gone(state_machine_arn, item.execution_name):
        calls.raise_attempt(item, due)
        logger.info("call.execution_restarted", extra={"execution": item.execution_name})
    else:
        calls.reschedule(item, due)


def _is_gone(state_machine_arn: str, name: str) -> bool:
    """Whether the execution was started and runs no more. One that was never started is not gone."""
    arn = state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
    try:
        found = client.make("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return False
        raise
    return bool(found["status"] != "RUNNING")
