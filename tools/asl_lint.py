"""Lint of a state machine: no task may hang, and none may fail without being retried and caught.

A callback without a timeout waits for ever, and no alarm sees it.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

# States.TaskFailed is every error but the task's own timeout, which must not start the wait anew.
CALLBACK_MAY_RETRY = {"States.TaskFailed"}
# Nothing personal may enter an execution's history: tasks are given the call's key, and what to do.
ALLOWED_INPUT = {"task", "pk.$", "sk.$"}


def lint(machine: Mapping[str, Any]) -> list[str]:
    """What is wrong with a state machine, a sentence each."""
    states: Mapping[str, Mapping[str, Any]] = machine["States"]
    found = [f"{name} cannot be reached" for name in sorted(set(states) - _reached(machine))]
    for name, state in states.items():
        if state["Type"] == "Task":
            found += [f"{name} {fault}" for fault in _faults(state)]
    return found


def _faults(state: Mapping[str, Any]) -> Iterator[str]:
    callback = ".waitForTaskToken" in state["Resource"]
    if "TimeoutSeconds" not in state:
        yield "has no TimeoutSeconds"
    if not state.get("Catch"):
        yield "has no Catch"
    elif not any("States.ALL" in catcher["ErrorEquals"] for catcher in state["Catch"]):
        yield "does not catch States.ALL"
    retried = {error for retrier in state.get("Retry", []) for error in retrier["ErrorEquals"]}
    if callback and not retried <= CALLBACK_MAY_RETRY:
        yield "is a callback and may retry States.TaskFailed only"
    if not callback and not retried:
        yield "has no Retry"
    if not callback and not set(state.get("Parameters", {})) <= ALLOWED_INPUT:
        yield "is given more than the call's key"


def _reached(machine: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in machine["States"]:
            continue
        reached.add(name)
        waiting += _next(machine["States"][name])
    return reached


def _next(state: Mapping[str, Any]) -> list[str]:
    leads = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return [lead["Next"] for lead in leads if "Next" in lead] + [
        state[key] for key in ("Default",) if key in state
    ]


def main(paths: list[str]) -> int:
    """Lint files of states in YAML; returns the exit code."""
    faults = [f"{path}: {fault}" for path in paths for fault in lint(yaml.safe_load(Path(path).read_text()))]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
