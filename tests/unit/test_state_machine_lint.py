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
    """Return a state machine of one task."""
    return {"StartAt": "Only", "States": {"Only": task, "Failed": {"Type": "Fail"}}}


def test_state_machine_of_the_product_has_no_fault() -> None:
    assert lint(yaml.safe_load((ROOT / "statemachines" / "call.asl.yaml").read_text())) == []


def test_complete_task_or_callback_passes() -> None:
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
            "Only is a callback and can retry only States.TaskFailed",
        ),
        (
            GOOD | {"Parameters": {"number.$": "$.external"}},
            "Only receives more than the call's key: $.external",
        ),
        # A field's name does not restrict its value.
        (GOOD | {"Parameters": {"pk.$": "$.external"}}, "Only receives more than the call's key: $.external"),
        (
            CALLBACK | {"Parameters": {"Values": [{":number": {"S.$": "$.external"}}]}},
            "Only receives more than the call's key: $.external",
        ),
        (
            GOOD | {"Parameters": {"pk.$": "States.Format('{}', $.external)"}},
            "Only receives more than the call's key: States.Format('{}', $.external)",
        ),
        (
            {k: v for k, v in GOOD.items() if k != "Parameters"},
            "Only has no Parameters, so it receives the whole input",
        ),
        (GOOD | {"InputPath": "$.external"}, "Only has InputPath; pass the call's key in Parameters"),
        (GOOD | {"TimeoutSeconds": None}, "Only has no TimeoutSeconds"),
        (GOOD | {"TimeoutSeconds": 0}, "Only has no TimeoutSeconds"),
        (GOOD | {"Next": "Nowhere"}, "Nowhere is a transition's target but does not exist"),
        ({k: v for k, v in GOOD.items() if k != "End"}, "Only has neither End nor Next"),
    ],
)
def test_fault_of_a_task_is_named_in_a_sentence(task: dict[str, Any], fault: str) -> None:
    assert fault in lint(machine(task))


def test_task_without_catch_is_named_with_its_lost_target() -> None:
    bare = {k: v for k, v in GOOD.items() if k != "Catch"}
    assert lint(machine(bare)) == ["Failed cannot be reached", "Only has no Catch"]


def test_tasks_inside_a_map_or_parallel_state_are_linted() -> None:
    bare = {k: v for k, v in GOOD.items() if k != "Retry"}
    inside = {"Type": "Map", "ItemProcessor": machine(bare), "End": True}
    assert "Each: Only has no Retry" in lint({"StartAt": "Each", "States": {"Each": inside}})
    inside = {"Type": "Parallel", "Branches": [machine(GOOD), machine(bare)], "End": True}
    assert "Each: Only has no Retry" in lint({"StartAt": "Each", "States": {"Each": inside}})


def test_machine_in_another_query_language_fails() -> None:
    assert lint(machine(GOOD) | {"QueryLanguage": "JSONata"}) != []


def test_command_names_the_faulty_file_in_its_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.asl.yaml"
    bad.write_text(yaml.safe_dump(machine(GOOD | {"Retry": []})))
    assert main([str(bad)]) == 1
    assert capsys.readouterr().out == f"{bad}: Only has no Retry\n"
    assert main([str(ROOT / "statemachines" / "call.asl.yaml")]) == 0
    assert main([]) == 2
