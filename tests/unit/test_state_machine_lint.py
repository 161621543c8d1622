"""The lint of the state machine finds what it is for, and nothing in ours."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.asl_lint import lint

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:lambda:::function",
    "TimeoutSeconds": 5,
    "Retry": [{"ErrorEquals": ["States.ALL"]}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
    "Parameters": {"task": "emit", "pk.$": "$.pk", "sk.$": "$.sk"},
    "End": True,
}
CALLBACK = GOOD | {
    "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
    "Parameters": {},
    "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
}


def machine(task: dict[str, Any]) -> dict[str, Any]:
    """A machine of one task."""
    return {"StartAt": "Only", "States": {"Only": task, "Failed": {"Type": "Fail"}}}


def test_our_state_machine_is_clean() -> None:
    assert lint(yaml.safe_load((ROOT / "statemachines" / "call.asl.yaml").read_text())) == []


def test_a_good_task_and_a_good_callback_pass() -> None:
    assert lint(machine(GOOD)) == []
    assert lint(machine(CALLBACK)) == []


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        ({k: v for k, v in GOOD.items() if k != "TimeoutSeconds"}, "Only has no TimeoutSeconds"),
        ({k: v for k, v in GOOD.items() if k != "Retry"}, "Only has no Retry"),
        (
            GOOD | {"Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Failed"}]},
            "Only does not catch States.ALL",
        ),
        (
            CALLBACK | {"Retry": [{"ErrorEquals": ["States.ALL"]}]},
            "Only is a callback and may retry States.TaskFailed only",
        ),
        (GOOD | {"Parameters": {"number.$": "$.external"}}, "Only is given more than the call's key"),
    ],
)
def test_a_fault_is_named(task: dict[str, Any], fault: str) -> None:
    assert fault in lint(machine(task))


def test_a_task_without_a_catch_is_named_and_so_is_what_it_no_longer_leads_to() -> None:
    bare = {k: v for k, v in GOOD.items() if k != "Catch"}
    assert lint(machine(bare)) == ["Failed cannot be reached", "Only has no Catch"]
