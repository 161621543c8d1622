"""Every call story on the real template: as it is, doubled fifty times at once, shuffled, and over a restart."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from local import stack as local_stack
from local.simulator import (
    Api,
    Judge,
    Office,
    Player,
    PlayerConfig,
    Story,
    Verdict,
    build_office,
    load_office_plan,
    load_stories,
)
from local.simulator.story import Event
from local.stack import Stack

PORT = 4613
# Long enough for a busy machine not to close calls that go on, short enough to wait for the lost hang-up.
PARAMETERS = {"HangupTimeoutSeconds": "30", "LogLevel": "WARNING"}
WITHIN_SECONDS = 240.0
COPIES = 50
SHUFFLES = (1, 2, 3)
STORIES = load_stories()

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack with the two offices that stories play in."""

    stack: Stack
    offices: dict[str, Office]

    def judge(self) -> Judge:
        return Judge(self.stack.api, self.offices)

    def play(self, story: Story, config: PlayerConfig | None = None) -> tuple[Verdict, ...]:
        """Play a story here and judge it."""
        run = Player(config).play(story, self.offices)
        assert not run.refused, [str(delivery) for delivery in run.refused]
        return self.judge().judge(run, within_seconds=WITHIN_SECONDS)


def settled_offices(stack: Stack) -> dict[str, Office]:
    """The two tenants of all stories."""
    api = Api(stack.api, stack.operator_token)
    return {name: build_office(api, load_office_plan(), name) for name in ("main", "other")}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with local_stack.running(port=PORT, parameters=PARAMETERS, environment={"HANGTAG_WORKERS": "10"}) as stack:
        yield Scene(stack, settled_offices(stack))


def wrong(verdicts: list[Verdict]) -> list[tuple[str, tuple[str, ...]]]:
    return [(verdict.story, verdict.mismatches) for verdict in verdicts if not verdict.ok]


def played(scene: Scene, stories: tuple[Story, ...], config: PlayerConfig, at_once: int) -> list[Verdict]:
    with ThreadPoolExecutor(at_once) as pool:
        found = pool.map(lambda story: scene.play(story, config), stories)
        return [verdict for verdicts in found for verdict in verdicts]


def test_every_story_ends_as_it_says(scene: Scene) -> None:
    assert wrong(played(scene, STORIES, PlayerConfig(), at_once=len(STORIES))) == []


def test_fifty_copies_of_each_delivery_at_once_leave_one_record_and_one_tag(scene: Scene) -> None:
    assert wrong(played(scene, STORIES, PlayerConfig(concurrent=COPIES), at_once=3)) == []


def in_any_order(story: Story) -> bool:
    """Whether the story's outcome is in what its events say, and not in when they arrive.

    A transfer within a call is told by the order of its talks, which only the arrival gives.
    """
    return story.name != "transfer_within_call"


@pytest.mark.parametrize("seed", SHUFFLES)
def test_all_of_a_storys_events_shuffled_give_the_same_tag(scene: Scene, seed: int) -> None:
    stories = tuple(story for story in STORIES if in_any_order(story))
    config = PlayerConfig(shuffle=True, seed=seed)
    assert wrong(played(scene, stories, config, at_once=len(stories))) == []


def test_each_delivery_three_times_over_leaves_one_tag(scene: Scene) -> None:
    assert wrong(played(scene, STORIES, PlayerConfig(duplicate=3), at_once=len(STORIES))) == []


class _Halves(Player):
    """Plays the first event of each story, waits until the stack was restarted, and plays the rest."""

    def __init__(self, posted: threading.Barrier, restarted: threading.Event) -> None:
        super().__init__(PlayerConfig())
        self._posted = posted
        self._restarted = restarted
        self._count = 0

    def _gap(self, event: Event) -> float:
        self._count += 1
        if self._count == 2:
            self._posted.wait(timeout=300)
            self._restarted.wait(timeout=300)
        return super()._gap(event)


def test_a_stack_stopped_and_started_in_the_middle_of_calls_loses_none() -> None:
    stories = tuple(story for story in STORIES if len(story.events) > 1)
    with local_stack.running(port=PORT + 1, parameters=PARAMETERS, environment={"HANGTAG_WORKERS": "10"}) as stack:
        offices = settled_offices(stack)
        posted = threading.Barrier(len(stories) + 1)
        restarted = threading.Event()
        with ThreadPoolExecutor(len(stories)) as pool:
            runs = [pool.submit(_Halves(posted, restarted).play, story, offices) for story in stories]
            posted.wait(timeout=300)
            again = stack.restart()
            restarted.set()
            done = [run.result(timeout=300) for run in runs]
            judge = Judge(again.api, offices)
            judged = list(pool.map(lambda run: judge.judge(run, within_seconds=WITHIN_SECONDS), done))
    assert wrong([verdict for verdicts in judged for verdict in verdicts]) == []
