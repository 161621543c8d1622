"""Every call story on the real template: unchanged, in concurrent copies, shuffled, and across a restart."""

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
# Long enough that a busy machine does not close running calls, short enough to wait for a lost hang-up.
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
class StoryStage:
    """A stack with the offices that stories play in."""

    stack: Stack
    offices: dict[str, Office]

    def judge(self) -> Judge:
        return Judge(self.stack.api, self.offices)

    def play(self, story: Story, config: PlayerConfig | None = None) -> tuple[Verdict, ...]:
        """Play a story and return the verdicts on its calls."""
        run = Player(config).play(story, self.offices)
        assert not run.rejected, [str(request) for request in run.rejected]
        return self.judge().judge(run, within_seconds=WITHIN_SECONDS)


def build_offices(stack: Stack) -> dict[str, Office]:
    """Create the tenants of all stories."""
    api = Api(stack.api, stack.operator_token)
    return {
        name: build_office(api, load_office_plan(), name, PROVIDERS if name == TENANTS[0] else (PROVIDER,))
        for name in TENANTS
    }


@pytest.fixture(scope="module")
def stage() -> Iterator[StoryStage]:
    with local_stack.running(port=PORT, parameters=PARAMETERS, environment={"HANGTAG_WORKERS": "10"}) as stack:
        yield StoryStage(stack, build_offices(stack))


def mismatches(verdicts: list[Verdict]) -> list[tuple[str, tuple[str, ...]]]:
    return [(verdict.story, verdict.mismatches) for verdict in verdicts if not verdict.ok]


def play_all(stage: StoryStage, stories: tuple[Story, ...], config: PlayerConfig, at_once: int) -> list[Verdict]:
    with ThreadPoolExecutor(at_once) as pool:
        results = pool.map(lambda story: stage.play(story, config), stories)
        return [verdict for verdicts in results for verdict in verdicts]


def test_every_story_of_every_provider_has_the_expected_result(stage: StoryStage) -> None:
    """Each PBX signs as the real one does; the calls of all PBXs belong to one tenant."""
    assert len(PROVIDERS) >= 4
    assert mismatches(play_all(stage, ALL_STORIES, PlayerConfig(), at_once=AT_ONCE)) == []


def test_fifty_concurrent_copies_of_each_request_give_one_tag(stage: StoryStage) -> None:
    assert mismatches(play_all(stage, STORIES, PlayerConfig(concurrent=COPIES), at_once=3)) == []


@pytest.mark.parametrize("seed", SHUFFLES)
def test_shuffled_events_of_a_story_give_the_same_tag(stage: StoryStage, seed: int) -> None:
    config = PlayerConfig(shuffle=True, seed=seed)
    assert mismatches(play_all(stage, STORIES, config, at_once=len(STORIES))) == []


def test_each_request_sent_three_times_gives_one_tag(stage: StoryStage) -> None:
    assert mismatches(play_all(stage, STORIES, PlayerConfig(duplicate=3), at_once=len(STORIES))) == []


def test_log_contains_no_number_name_or_secret_of_the_calls(stage: StoryStage) -> None:
    plan = load_office_plan()
    numbers = {
        "".join(filter(str.isdigit, value))[-10:]
        for story in STORIES
        for event in story.events
        for name, value in event.post.items()
        if name in ("phone", "diversion")
    }
    secrets = {number for number in numbers if len(number) > 4}
    secrets |= {employee.name for employee in plan.employees} | {contact.name for contact in plan.contacts}
    for office in stage.offices.values():
        secrets.add(office.owner_token)
        for line in office.lines.values():
            secrets |= {line.webhook_url.rsplit("/", 1)[1], *(one for one in line.secrets.values() if len(one) > 11)}
    log = (Place(PORT).directory / "functions.log").read_text()
    assert "webhook.accepted" in log
    assert [word for word in sorted(secrets) if word in log] == []


class _PausingPlayer(Player):
    """Player that waits for a restart of the stack after the first event of each story."""

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


def test_hang_up_after_the_time_limit_amends_the_tag(stage: StoryStage) -> None:
    story = load_story("lost_hangup")
    office = stage.offices["main"]
    run = Player().play(story, stage.offices)
    assert mismatches(list(stage.judge().judge(run, within_seconds=WITHIN_SECONDS))) == []
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
    again = Player().play(hang_up, stage.offices, ids=run.ids)
    (verdict,) = stage.judge().judge(again, within_seconds=WITHIN_SECONDS)
    assert verdict.mismatches == ()
    assert verdict.tag is not None
    assert verdict.tag["revision"] == 2
    tags = Api(stage.stack.api, office.owner_token).get("/v1/tags", call_id=verdict.tag["call_id"])["items"]
    assert len(tags) == 1


# On AWS executions survive a restart; the sweeper handles those that are lost.
EXECUTIONS = {"kept": ({}, {}), "lost": ({"HANGTAG_LOSE_EXECUTIONS": "1"}, {"SweepAfterSeconds": "1"})}


@pytest.mark.parametrize("executions", sorted(EXECUTIONS))
def test_stack_restarted_during_calls_loses_none(executions: str) -> None:
    environment, parameters = EXECUTIONS[executions]
    stories = tuple(story for story in STORIES if len(story.events) > 1)
    with local_stack.running(
        port=PORT + 1,
        parameters=PARAMETERS | parameters,
        environment={"HANGTAG_WORKERS": "10"} | environment,
    ) as stack:
        offices = build_offices(stack)
        posted = threading.Barrier(len(stories) + 1)
        restarted = threading.Event()
        with ThreadPoolExecutor(len(stories)) as pool:
            runs = [pool.submit(_PausingPlayer(posted, restarted).play, story, offices) for story in stories]
            posted.wait(timeout=300)
            again = stack.restart()
            restarted.set()
            done = [run.result(timeout=300) for run in runs]
            judge = Judge(again.api, offices)
            verdicts = list(pool.map(lambda run: judge.judge(run, within_seconds=WITHIN_SECONDS), done))
    assert mismatches([verdict for run_verdicts in verdicts for verdict in run_verdicts]) == []
