"""Every call story on the real template: as it is, doubled fifty times at once, shuffled, and over a restart."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from local import stack as local_stack
from local.place import Place
from local.simulator import (
    Api,
    Judge,
    Office,
    Player,
    PlayerConfig,
    Story,
    Verdict,
    build_office,
    default_lines,
    load_office_plan,
    load_stories,
    load_story,
)
from local.simulator.story import PROVIDER, TENANTS, Event
from local.stack import Stack

PORT = 4613
# Long enough for a busy machine not to close calls that go on, short enough to wait for the lost hang-up.
PARAMETERS = {"HangupTimeoutSeconds": "30", "LogLevel": "INFO"}
WITHIN_SECONDS = 240.0
COPIES = 50
SHUFFLES = (1, 2, 3)
STORIES = load_stories()
PROVIDERS = default_lines()
ALL_STORIES = tuple(story for provider in PROVIDERS for story in load_stories(provider))
AT_ONCE = 40

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack with the offices that stories play in."""

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
    """The tenants of all stories."""
    api = Api(stack.api, stack.operator_token)
    return {
        name: build_office(api, load_office_plan(), name, PROVIDERS if name == TENANTS[0] else (PROVIDER,))
        for name in TENANTS
    }


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


def test_every_story_of_every_provider_ends_as_it_says(scene: Scene) -> None:
    """Each PBX signs as the real one does; the calls of all of them land in one tenant."""
    assert len(PROVIDERS) >= 4
    assert wrong(played(scene, ALL_STORIES, PlayerConfig(), at_once=AT_ONCE)) == []


def test_fifty_copies_of_each_delivery_at_once_leave_one_record_and_one_tag(scene: Scene) -> None:
    assert wrong(played(scene, STORIES, PlayerConfig(concurrent=COPIES), at_once=3)) == []


@pytest.mark.parametrize("seed", SHUFFLES)
def test_all_of_a_storys_events_shuffled_give_the_same_tag(scene: Scene, seed: int) -> None:
    config = PlayerConfig(shuffle=True, seed=seed)
    assert wrong(played(scene, STORIES, config, at_once=len(STORIES))) == []


def test_each_delivery_three_times_over_leaves_one_tag(scene: Scene) -> None:
    assert wrong(played(scene, STORIES, PlayerConfig(duplicate=3), at_once=len(STORIES))) == []


def test_no_number_name_or_secret_of_all_those_calls_is_in_a_log(scene: Scene) -> None:
    plan = load_office_plan()
    numbers = {
        "".join(filter(str.isdigit, value))[-10:]
        for story in STORIES
        for event in story.events
        for name, value in event.post.items()
        if name in ("phone", "diversion")
    }
    secret = {number for number in numbers if len(number) > 4}
    secret |= {employee.name for employee in plan.employees} | {contact.name for contact in plan.contacts}
    for office in scene.offices.values():
        secret.add(office.owner_token)
        for line in office.lines.values():
            secret |= {line.webhook_url.rsplit("/", 1)[1], *(one for one in line.secrets.values() if len(one) > 11)}
    log = (Place(PORT).directory / "functions.log").read_text()
    assert "webhook.accepted" in log
    assert [word for word in sorted(secret) if word in log] == []


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


def test_a_hang_up_after_the_time_limit_amends_the_tag_and_adds_none(scene: Scene) -> None:
    story = load_story("lost_hangup")
    office = scene.offices["main"]
    run = Player().play(story, scene.offices)
    assert wrong(list(scene.judge().judge(run, within_seconds=WITHIN_SECONDS))) == []
    (expected,) = story.expect
    assert expected.tag is not None
    rung = dict(story.events[0].post) | {"callid": run.ids["call"]}
    late = rung | {"event": "COMPLETED", "ext": "101", "status": "Success", "duration": "77"}
    late["ext"] = story.events[-1].post["ext"]
    hang_up = story.model_copy(
        update={
            "events": (Event(post=late),),
            "expect": (
                expected.model_copy(
                    update={"tag": expected.tag.model_copy(update={"end_unknown": False, "duration": 77})}
                ),
            ),
        }
    )
    again = Player().play(hang_up, scene.offices, ids=run.ids)
    (verdict,) = scene.judge().judge(again, within_seconds=WITHIN_SECONDS)
    assert verdict.mismatches == ()
    assert verdict.tag is not None
    assert verdict.tag["revision"] == 2
    tags = Api(scene.stack.api, office.owner_token).get("/v1/tags", call_id=verdict.tag["call_id"])["items"]
    assert len(tags) == 1


# On AWS executions outlive everything; that they may be lost all the same is what the sweeper is for.
EXECUTIONS = {"kept": ({}, {}), "lost": ({"HANGTAG_LOSE_EXECUTIONS": "1"}, {"SweepAfterSeconds": "1"})}


@pytest.mark.parametrize("executions", sorted(EXECUTIONS))
def test_a_stack_stopped_and_started_in_the_middle_of_calls_loses_none(executions: str) -> None:
    environment, parameters = EXECUTIONS[executions]
    stories = tuple(story for story in STORIES if len(story.events) > 1)
    with local_stack.running(
        port=PORT + 1,
        parameters=PARAMETERS | parameters,
        environment={"HANGTAG_WORKERS": "10"} | environment,
    ) as stack:
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
