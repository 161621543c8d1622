"""What goes wrong between a PBX and us, on demand: deliveries doubled, shuffled, or hang-ups that never come."""

import random
from collections.abc import Sequence

from local.simulator.story import Event, Expectation, Story


def duplicate(events: Sequence[Event], times: int) -> list[Event]:
    """Each event so many times in a row; the doubles follow at once."""
    return [
        event if number == 0 else event.model_copy(update={"after": 0.0}) for event in events for number in range(times)
    ]


def shuffle(events: Sequence[Event], seed: int | None) -> list[Event]:
    """The events in another order, the same for the same seed. The gaps stay where they are."""
    shuffled = random.Random(seed).sample(events, len(events))
    return [event.model_copy(update={"after": place.after}) for event, place in zip(shuffled, events, strict=True)]


def without_hangups(story: Story) -> Story:
    """The story as it goes when its hang-ups are lost, with what must come of it then.

    A call without its hang-up is closed by the time limit and its tag says so. It is a Call if it was answered. A
    story without a marked hang-up comes back as it is.
    """
    kept = tuple(event for event in story.events if not event.hangup)
    if len(kept) == len(story.events):
        return story
    expect = tuple(_expect_without(story, kept, expected) for expected in story.expect)
    return story.model_copy(update={"events": kept, "expect": expect})


def _expect_without(story: Story, kept: Sequence[Event], expected: Expectation) -> Expectation:
    lost = [event for event in story.events if event.hangup and _is_of(event, expected)]
    if not lost:
        return expected
    left = [event for event in kept if _is_of(event, expected)]
    answered = any(event.post.get("event") == "ACCEPTED" for event in left)
    outgoing = any(event.post.get("type") == "out" for event in left)
    changes: dict[str, object] = {"outcome": "success" if answered else "no_answer" if outgoing else "missed"}
    links = [event.post["record_link"] for event in left if "record_link" in event.post]
    if expected.recording is not None and not links:
        changes |= {"recording": None, "recording_is_temporary": None}
    if expected.tag is not None:
        # Extra fields come with the hang-up, the duration too.
        unknown: dict[str, object] = {"end_unknown": True, "duration": None, "extra": {}}
        changes["tag"] = expected.tag.model_copy(update=unknown)
    return expected.model_copy(update=changes)


def _is_of(event: Event, expected: Expectation) -> bool:
    return event.tenant == expected.tenant and event.call_id == expected.call
