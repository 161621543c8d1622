"""Sweeper: recovery of live calls whose execution was lost or whose change was never processed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from hangtag.runtime import logger
from hangtag.store.calls import items as calls
from hangtag.store.db import client


def sweep(
    state_machine_arn: str,
    again_after: timedelta,
    has_time: Callable[[], bool],
) -> int:
    """Check every live call that is due, as long as `has_time`. Return the number of calls checked.

    Raises the attempt of a call whose execution is gone; updates any other call, so that the tracker runs again.
    """
    count = 0
    for key in calls.due(datetime.now(UTC)):
        if not has_time():
            logger.warning("sweep.out_of_time", extra={"calls": count})
            break
        count += 1
        _recover(state_machine_arn, key, datetime.now(UTC) + again_after)
    return count


def _recover(state_machine_arn: str, key: calls.CallKey, due: datetime) -> None:
    item = calls.read(key)
    if item is None:
        return
    if _is_gone(state_machine_arn, item.execution_name):
        calls.raise_attempt(item, due)
        logger.info("call.execution_restarted", extra={"execution": item.execution_name})
    else:
        calls.reschedule(item, due)


def _is_gone(state_machine_arn: str, name: str) -> bool:
    """Return True if the execution was started and is not running. One that was never started is not gone."""
    arn = state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
    try:
        execution = client.make("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return False
        raise
    return bool(execution["status"] != "RUNNING")
