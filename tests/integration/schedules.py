"""What the clock sets off on a stack, for tests that it would be in the way of."""

from local.stack import Stack


def stop_schedule(stack: Stack, target: str) -> None:
    """Let a rule that invokes its target by the clock rest."""
    events = stack.client("events")
    names = [rule["Name"] for rule in events.list_rules()["Rules"]]
    found = [
        name for name in names if target in {one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]}
    ]
    assert found
    for name in found:
        events.disable_rule(Name=name)
