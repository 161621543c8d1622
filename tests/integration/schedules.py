"""Scheduled rules of a stack, for tests that must not be disturbed by them."""

from local.stack import Stack


def stop_schedule(stack: Stack, target: str) -> None:
    """Disable the scheduled rules of a target."""
    events = stack.client("events")
    names = [rule["Name"] for rule in events.list_rules()["Rules"]]
    matches = [
        name for name in names if target in {one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]}
    ]
    assert matches
    for name in matches:
        events.disable_rule(Name=name)
