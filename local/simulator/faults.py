"""Faults between a PBX and the webhook: duplicated, shuffled and lost requests."""

import random
from collections.abc import Sequence

from local.simulator.story import Event, Expectation, Story


def duplicate(events: Sequence[Event], times: int) -> list[Event]:
    """Return each event `times` times in a row; duplicates follow without a gap."""
    return [
        event if number == 0 else event.model_copy(update={"after": 0.0}) for event in events for number in range(times)
    ]


def shuffle(events: Sequence[Event], seed: int | None) -> list[Event]:
    """Return the events in random order, the same for the same seed. The gaps keep their positions."""
    shuffled = random.Random(seed).sample(events, len(events))
    return [event.model_copy(update={"after": place.after}) for event, place in zip(shuffled, events, strict=True)]


def without_hangups(story: Story) -> Story:
    """Return the story without its marked hang-ups, with the result expected then.

    The time limit closes a call without a hang-up, and its tag has `end_unknown`. It is a Call if it was answered. A
    story without a marked hang-up is returned unchanged.
    """
    remaining = tuple(event for event in story.events if not event.hangup)
    if len(remaining) == len(story.events):
        return story
    expect = tuple(_expect_without(story, remaining, expected) for expected in story.expect)
    return story.model_copy(update={"events": remaining, "expect": expect})


def _expect_without(story: Story, remaining: Sequence[Event], expected: Expectation) -> Expectation:
    lost = [event for event in story.events if event.hangup and _belongs_to(event, expected)]
    if not lost:
        return expected
    rest = [event for event in remaining if _belongs_to(event, expected)]
    answered = any(event.post.get("event") == "ACCEPTED" for event in rest)
    outgoing = any(event.post.get("type") == "out" for event in rest)
    changes: dict[str, object] = {"outcome": "success" if answered else "no_answer" if outgoing else "missed"}
    links = [event.post["record_link"] for event in rest if "record_link" in event.post]
    if expected.recording is not None and not links:
        changes |= {"recording": None, "recording_is_temporary": None}
    if expected.tag is not None:
        # The hang-up is the event that contains the duration and the extra fields.
        unknown: dict[str, object] = {"end_unknown": True, "duration": None, "extra": {}}
        changes["tag"] = expected.tag.model_copy(update=unknown)
    return expected.model_copy(update=changes)


def _belongs_to(event: Event, expected: Expectation) -> bool:
    return event.tenant == expected.tenant and event.call_id == expected.call
