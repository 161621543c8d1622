"""`python -m local.demo [--once]`: the whole system, a simulated PBX, and each call's tag as it lands.

Brings the embedded stack up, seeds tenants through the API and plays every call story over HTTP. With `--once` it
ends by itself, with exit code 0 only if every story came to what it expects; without, it goes on with random calls
until Ctrl-C. A stack that it started is stopped in the end; one that was running already is used as it is, and left
running.
"""

import argparse
import random
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local import process, stack
from local.place import LocalError, Place, port_from_environment
from local.simulator import (
    Api,
    ApiError,
    Judge,
    Office,
    Player,
    PlayerConfig,
    Run,
    Story,
    Verdict,
    build_office,
    default_lines,
    load_office_plan,
    load_stories,
)
from local.simulator.story import PROVIDER, TENANTS, StoryError

HANGUP_TIMEOUT_SECONDS = 20
# A running stack that waits longer for a hang-up can't show a lost one while somebody watches.
LONGEST_TIMEOUT_SECONDS = 60
DEFAULT_TIMEOUT_SECONDS = 14400
# Two minutes of talk pass in six seconds: well within the time limit for hang-ups.
SPEED = 20.0
AT_ONCE = 10
# The tenant that has a PBX of every kind.
MAIN = TENANTS[0]
LANDS_WITHIN_SECONDS = 90.0
LOOKS_EVERY_SECONDS = 1.0
# Between two random calls.
PAUSE_SECONDS = (0.5, 3.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if every call came to what its story expects, 1 if not or if the stack could not start."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="play every story once, then end")
    parser.add_argument("--speed", type=float, default=SPEED, help="how many times faster than life")
    given = parser.parse_args(arguments)
    # Started in the background, a program ignores Ctrl-C unless it is told not to.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with _running_stack(Place(port_from_environment())) as running:
            return _show(running, once=given.once, speed=given.speed)
    except (LocalError, ApiError, StoryError) as error:
        print(f"hangtag: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hangtag: interrupted", file=sys.stderr)
        return 130


@contextmanager
def _running_stack(place: Place) -> Iterator[stack.Stack]:
    """The stack of this place: the one that runs, or one that is started for the demo and stopped after it."""
    if process.running_pid(place) is not None:
        found = stack.read(place)
        if found is None:
            raise LocalError(f"something half started runs on port {place.port}: `make down` first")
        _say(f"Hangtag runs already at {found.api}; it is used as it is")
        yield found
        return
    _say(f"starting Hangtag on port {place.port} …")
    started = stack.up(place, {"HangupTimeoutSeconds": str(HANGUP_TIMEOUT_SECONDS)})
    stack.announce(started)
    try:
        _say(f"Hangtag is up at {started.api}")
        yield started
    finally:
        # A second Ctrl-C must not leave the runtime behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.down(place)
        _say("Hangtag is down")


def _show(running: stack.Stack, *, once: bool, speed: float) -> int:
    show = Show.prepare(running, speed)
    try:
        show.play_all()
        if once:
            show.look_again()
        else:
            _say("every story was played once; random calls follow, until Ctrl-C")
            show.play_at_random()
    except KeyboardInterrupt:
        show.stop.set()
        if once:
            raise
        _say("ending …")
    finally:
        show.close()
    _say(show.summary())
    return 0 if show.ok else 1


@dataclass(slots=True, kw_only=True)
class Show:
    """The playing of stories in the tenants' offices, and what came of it so far."""

    stories: Sequence[Story]
    offices: Mapping[str, Office]
    player: Player
    judge: Judge
    stop: threading.Event
    pool: ThreadPoolExecutor
    lands_within: float = LANDS_WITHIN_SECONDS
    finished: list[tuple[Run, tuple[Verdict, ...]]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    calls: int = 0
    # One line at a time, and one count.
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def prepare(cls, running: stack.Stack, speed: float) -> "Show":
        """Seed the tenants. Raises ApiError, StoryError."""
        plan = load_office_plan()
        stop = threading.Event()
        operator = Api(running.api, running.operator_token, stop=stop)
        providers = default_lines()
        offices: dict[str, Office] = {
            name: build_office(operator, plan, name, providers if name == MAIN else (PROVIDER,)) for name in TENANTS
        }
        _say(f"{len(offices)} tenants with {len(plan.employees)} employees and {len(plan.contacts)} contacts each")
        _say(f"the first of them has {len(providers)} PBXs: {', '.join(providers)}")
        return cls(
            stories=_playable(running, [story for provider in providers for story in load_stories(provider)]),
            offices=offices,
            player=Player(PlayerConfig(speed=speed), stop),
            judge=Judge(running.api, offices, stop=stop),
            stop=stop,
            pool=ThreadPoolExecutor(AT_ONCE),
        )

    @property
    def ok(self) -> bool:
        """Whether all that was seen is as expected."""
        return not self.failed

    def play_all(self) -> None:
        """Every story once, the slow ones first."""
        slow_first = sorted(self.stories, key=_seconds, reverse=True)
        for future in [self.pool.submit(self._play, story) for story in slow_first]:
            future.result()

    def play_at_random(self) -> None:
        """One story after another, until it is stopped."""
        playing: set[Future[None]] = set()
        while not self.stop.wait(random.uniform(*PAUSE_SECONDS)):
            for future in [future for future in playing if future.done()]:
                playing.remove(future)
                future.result()
            if len(playing) < AT_ONCE:
                playing.add(self.pool.submit(self._play, random.choice(self.stories)))

    def look_again(self) -> None:
        """Look once more at every call that was well: later events of another must not have changed it."""
        for run, verdicts in self.finished:
            for verdict in verdicts:
                again = self.judge.look(run, verdict.expected)
                if verdict.ok and not again.ok:
                    self._report(again, "changed afterwards")

    def summary(self) -> str:
        """What came of it, in one line."""
        if self.ok:
            return f"{self.calls} calls, each as its story expects"
        names = ", ".join(sorted(set(self.failed)))
        return f"{self.calls} calls, NOT as expected: {names}"

    def close(self) -> None:
        """End all playing."""
        self.stop.set()
        self.pool.shutdown(cancel_futures=True)

    def _play(self, story: Story) -> None:
        run = self.player.play(story, self.offices)
        if not run.complete:
            return
        for delivery in run.refused:
            with self.lock:
                self.failed.append(story.title)
                _say(f"{story.title}: a delivery was refused: {delivery}")
        verdicts = self.judge.judge(
            run,
            within_seconds=self.lands_within,
            every_seconds=LOOKS_EVERY_SECONDS,
            landed=self._landed,
        )
        with self.lock:
            self.finished.append((run, verdicts))

    def _landed(self, verdict: Verdict) -> None:
        # What was not over when the demo ended is no mismatch.
        if self.stop.is_set():
            return
        with self.lock:
            self.calls += 1
        self._report(verdict)

    def _report(self, verdict: Verdict, why: str = "not as expected") -> None:
        with self.lock:
            _say(describe(verdict))
            if not verdict.ok:
                self.failed.append(verdict.story)
                _say(f"✗ MISMATCH: {verdict.story} is {why} (call id {verdict.call_id}):")
                for mismatch in verdict.mismatches:
                    _say(f"    ✗ {mismatch}")


def _playable(running: stack.Stack, stories: Sequence[Story]) -> tuple[Story, ...]:
    """The stories that end while somebody watches."""
    timeout = int(running.parameters.get("HangupTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
    if timeout <= LONGEST_TIMEOUT_SECONDS:
        return tuple(stories)
    slow = [story for story in stories if _loses_hangup(story)]
    for story in slow:
        _say(f"left out: {story.name}, since this stack waits {timeout} s for a hang-up")
    return tuple(story for story in stories if story not in slow)


def _loses_hangup(story: Story) -> bool:
    return any(expected.tag and expected.tag.end_unknown for expected in story.expect)


def _seconds(story: Story) -> float:
    """How long a story takes in life; longest if it has to wait for the time limit."""
    return float("inf") if _loses_hangup(story) else sum(event.after for event in story.events)


def describe(verdict: Verdict) -> str:
    """One call in a line: story, direction, number, and what it left."""
    call: Mapping[str, Any] = verdict.call or {}
    direction = call.get("direction") or "?"
    number = mask(_values(verdict).get("Contact's number") or call.get("external_number") or "")
    return f"{verdict.story:<44} {direction:<8} {number:<14} → {_left(verdict)}"


def _values(verdict: Verdict) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in verdict.tag["fields"]} if verdict.tag else {}


def _left(verdict: Verdict) -> str:
    call: Mapping[str, Any] = verdict.call or {}
    if verdict.tag is None:
        return f"no tag: {call.get('skip_reason') or 'nothing landed'}"
    values = _values(verdict)
    contact = _name(values["Contact"])
    if verdict.tag["type"] == "missed_call":
        return f"Missed Call {values['Type']}, contact {contact}"
    duration = values["Duration"]
    length = "end unknown" if duration is None else f"{duration} s"
    where = ", on a task" if verdict.tag["task_id"] else ""
    seen = ", hidden" if verdict.tag["hidden"] else ""
    return f"Call {values['Type']}, {_name(values['Employee'])}, contact {contact}, {length}{where}{seen}"


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "nobody"


def mask(number: str) -> str:
    """A number without its middle; short ones, and words in place of one, are nobody's secret."""
    if len(number) <= 4 or number.isalpha():
        return number or "withheld"
    return f"{number[:5]}***{number[-4:]}" if len(number) > 9 else f"{number[:1]}***{number[-2:]}"


def _say(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
