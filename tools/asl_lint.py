"""Lint of state machines: timeouts, retries and catches of every task, and the data that a task receives.

A callback without a timeout would wait for up to a year without raising an alarm.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

State = Mapping[str, Any]

# States.TaskFailed matches every error except the task's own timeout, which must not restart the wait.
CALLBACK_MAY_RETRY = {"States.TaskFailed"}
# An execution's history must not contain personal data: a task receives constants, the call's key, and
# values of the context object.
ALLOWED_PATHS = {"$.pk", "$.sk", "$$.Task.Token", "$$.Execution.Name"}
# Each would change the meaning of the paths above.
FORBIDDEN_FIELDS = ("InputPath", "Arguments")
ENDS_BY_ITSELF = {"Choice", "Fail", "Succeed"}


def lint(machine: State) -> list[str]:
    """Return the faults of a state machine, one sentence each."""
    if machine.get("QueryLanguage", "JSONPath") != "JSONPath":
        return ["the machine does not use JSONPath, the only query language that this lint supports"]
    states: Mapping[str, State] = machine["States"]
    reached = _reached(machine)
    faults = [f"{name} cannot be reached" for name in sorted(set(states) - reached)]
    faults += [f"{name} is a transition's target but does not exist" for name in sorted(reached - set(states))]
    for name, state in states.items():
        if state["Type"] == "Task":
            faults += [f"{name} {fault}" for fault in _faults(state)]
        if state["Type"] not in ENDS_BY_ITSELF and not state.get("End") and "Next" not in state:
            faults.append(f"{name} has neither End nor Next")
        faults += [f"{name}: {fault}" for inner in _inner(state) for fault in lint(inner)]
    return faults


def _faults(state: State) -> Iterator[str]:
    callback = ".waitForTaskToken" in state["Resource"]
    if not _is_timeout(state.get("TimeoutSeconds")):
        yield "has no TimeoutSeconds"
    if not state.get("Catch"):
        yield "has no Catch"
    elif not any("States.ALL" in catcher["ErrorEquals"] for catcher in state["Catch"]):
        yield "does not catch States.ALL"
    retried = {error for retrier in state.get("Retry", []) for error in retrier["ErrorEquals"]}
    if callback and not retried <= CALLBACK_MAY_RETRY:
        yield "is a callback and can retry only States.TaskFailed"
    if not callback and not retried:
        yield "has no Retry"
    yield from _input_faults(state)


def _is_timeout(value: object) -> bool:
    # A parameter of the stack is written as ${Name}.
    return (isinstance(value, str) and value.startswith("${")) or (type(value) is int and value > 0)


def _input_faults(state: State) -> Iterator[str]:
    if "Parameters" not in state:
        yield "has no Parameters, so it receives the whole input"
    for field in FORBIDDEN_FIELDS:
        if field in state:
            yield f"has {field}; pass the call's key in Parameters"
    for path in sorted(set(_paths(state.get("Parameters"))) - ALLOWED_PATHS):
        yield f"receives more than the call's key: {path}"


def _paths(value: object) -> Iterator[str]:
    """Yield the paths of a payload template into the input or the context, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).endswith(".$"):
                yield str(inner)
            else:
                yield from _paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)


def _inner(state: State) -> list[State]:
    """Return the machines inside a Map or a Parallel state."""
    inner = [*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")]
    return [machine for machine in inner if machine]


def _reached(machine: State) -> set[str]:
    reached: set[str] = set()
    waiting = [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _next(machine["States"].get(name, {}))
    return reached


def _next(state: State) -> list[str]:
    transitions = [state, *state.get("Catch", []), *state.get("Choices", [])]
    following = [one["Next"] for one in transitions if "Next" in one]
    return [*following, state["Default"]] if "Default" in state else following


def main(paths: list[str]) -> int:
    """Lint YAML files of state machines; return the exit code."""
    if not paths:
        sys.stderr.write("Pass the files of the state machines.\n")
        return 2
    faults = [f"{path}: {fault}" for path in paths for fault in lint(yaml.safe_load(Path(path).read_text()))]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
