"""The lint of the state machine finds what it is for, and nothing in ours."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.asl_lint import lint, main

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
        (
            GOOD | {"Parameters": {"number.$": "$.external"}},
            "Only is given more than the call's key: $.external",
        ),
        # The name says nothing of what is put there.
        (GOOD | {"Parameters": {"pk.$": "$.external"}}, "Only is given more than the call's key: $.external"),
        (
            CALLBACK | {"Parameters": {"Values": [{":number": {"S.$": "$.external"}}]}},
            "Only is given more than the call's key: $.external",
        ),
        (
            GOOD | {"Parameters": {"pk.$": "States.Format('{}', $.external)"}},
            "Only is given more than the call's key: States.Format('{}', $.external)",
        ),
        (
            {k: v for k, v in GOOD.items() if k != "Parameters"},
            "Only has no Parameters, so it is given all of the input",
        ),
        (GOOD | {"InputPath": "$.external"}, "Only has InputPath; the call's key comes by Parameters"),
        (GOOD | {"TimeoutSeconds": None}, "Only has no TimeoutSeconds"),
        (GOOD | {"TimeoutSeconds": 0}, "Only has no TimeoutSeconds"),
        (GOOD | {"Next": "Nowhere"}, "Nowhere is led to but does not exist"),
        ({k: v for k, v in GOOD.items() if k != "End"}, "Only neither ends nor goes on"),
    ],
)
def test_a_fault_is_named(task: dict[str, Any], fault: str) -> None:
    assert fault in lint(machine(task))


def test_a_task_without_a_catch_is_named_and_so_is_what_it_no_longer_leads_to() -> None:
    bare = {k: v for k, v in GOOD.items() if k != "Catch"}
    assert lint(machine(bare)) == ["Failed cannot be reached", "Only has no Catch"]


def test_tasks_inside_a_map_or_a_parallel_state_are_looked_at_too() -> None:
    bare = {k: v for k, v in GOOD.items() if k != "Retry"}
    inside = {"Type": "Map", "ItemProcessor": machine(bare), "End": True}
    assert "Each: Only has no Retry" in lint({"StartAt": "Each", "States": {"Each": inside}})
    inside = {"Type": "Parallel", "Branches": [machine(GOOD), machine(bare)], "End": True}
    assert "Each: Only has no Retry" in lint({"StartAt": "Each", "States": {"Each": inside}})


def test_a_machine_that_the_lint_cannot_read_does_not_pass() -> None:
    assert lint(machine(GOOD) | {"QueryLanguage": "JSONata"}) != []


def test_the_command_names_the_file_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.asl.yaml"
    bad.write_text(yaml.safe_dump(machine(GOOD | {"Retry": []})))
    assert main([str(bad)]) == 1
    assert capsys.readouterr().out == f"{bad}: Only has no Retry\n"
    assert main([str(ROOT / "statemachines" / "call.asl.yaml")]) == 0
    assert main([]) == 2
