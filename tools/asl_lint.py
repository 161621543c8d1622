"""Lint of a state machine: no task may hang, none may fail without being retried and caught, none learns too much.

A callback without a timeout waits for ever, and no alarm sees it.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

State = Mapping[str, Any]

# States.TaskFailed is every error but the task's own timeout, which must not start the wait anew.
CALLBACK_MAY_RETRY = {"States.TaskFailed"}
# Nothing personal may enter an execution's history: a task is given constants, the call's key, and what the
# service says of the execution itself.
ALLOWED_PATHS = {"$.pk", "$.sk", "$$.Task.Token", "$$.Execution.Name"}
# Each would change what the paths above mean.
FORBIDDEN_FIELDS = ("InputPath", "Arguments")
ENDS_BY_ITSELF = {"Choice", "Fail", "Succeed"}


def lint(machine: State) -> list[str]:
    """What is wrong with a state machine, a sentence each."""
    if machine.get("QueryLanguage", "JSONPath") != "JSONPath":
        return ["the machine is not in JSONPath, which is all that this lint understands"]
    states: Mapping[str, State] = machine["States"]
    reached = _reached(machine)
    found = [f"{name} cannot be reached" for name in sorted(set(states) - reached)]
    found += [f"{name} is led to but does not exist" for name in sorted(reached - set(states))]
    for name, state in states.items():
        if state["Type"] == "Task":
            found += [f"{name} {fault}" for fault in _faults(state)]
        if state["Type"] not in ENDS_BY_ITSELF and not state.get("End") and "Next" not in state:
            found.append(f"{name} neither ends nor goes on")
        found += [f"{name}: {fault}" for inner in _inner(state) for fault in lint(inner)]
    return found


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
        yield "is a callback and may retry States.TaskFailed only"
    if not callback and not retried:
        yield "has no Retry"
    yield from _input_faults(state)


def _is_timeout(value: object) -> bool:
    # A parameter of the stack stands as ${Name}.
    return (isinstance(value, str) and value.startswith("${")) or (type(value) is int and value > 0)


def _input_faults(state: State) -> Iterator[str]:
    if "Parameters" not in state:
        yield "has no Parameters, so it is given all of the input"
    for field in FORBIDDEN_FIELDS:
        if field in state:
            yield f"has {field}; the call's key comes by Parameters"
    for path in sorted(set(_paths(state.get("Parameters"))) - ALLOWED_PATHS):
        yield f"is given more than the call's key: {path}"


def _paths(value: object) -> Iterator[str]:
    """What a payload template takes from the input or the context, at any depth."""
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
    """The machines inside a Map or a Parallel state."""
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
    leads = [state, *state.get("Catch", []), *state.get("Choices", [])]
    following = [lead["Next"] for lead in leads if "Next" in lead]
    return [*following, state["Default"]] if "Default" in state else following


def main(paths: list[str]) -> int:
    """Lint files of states in YAML; returns the exit code."""
    if not paths:
        sys.stderr.write("name the files of the state machines\n")
        return 2
    faults = [f"{path}: {fault}" for path in paths for fault in lint(yaml.safe_load(Path(path).read_text()))]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
