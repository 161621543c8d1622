"""`python -m local.demo [--once]`: the whole system, a simulated PBX, and each call's tag when it is written.

Starts the embedded stack, seeds tenants through the API and plays every call story over HTTP. With `--once` it ends
with exit code 0 only if every story had the expected result; without, it continues with random calls until Ctrl-C. A
stack that the demo started is stopped at the end; a running stack is used unchanged and keeps running.
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
# A running stack with a longer timeout cannot show a lost hang-up during the demo.
LONGEST_TIMEOUT_SECONDS = 60
DEFAULT_TIMEOUT_SECONDS = 14400
# Two minutes of talk take six seconds, well within the timeout for hang-ups.
SPEED = 20.0
AT_ONCE = 10
# The tenant that has a PBX of every kind.
MAIN = TENANTS[0]
LANDS_WITHIN_SECONDS = 90.0
LOOKS_EVERY_SECONDS = 1.0
# Between two random calls.
PAUSE_SECONDS = (0.5, 3.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Return 0 if every call had its story's result, 1 if not or if the stack could not start."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="play every story once, then end")
    parser.add_argument("--speed", type=float, default=SPEED, help="how many times faster than life")
    options = parser.parse_args(arguments)
    # A process started in the background ignores Ctrl-C by default.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with _running_stack(Place(port_from_environment())) as running:
            return _show(running, single_round=options.once, speed=options.speed)
    except (LocalError, ApiError, StoryError) as error:
        print(f"hangtag: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hangtag: interrupted", file=sys.stderr)
        return 130


@contextmanager
def _running_stack(place: Place) -> Iterator[stack.Stack]:
    """Yield the running stack of this place, or start one for the demo and stop it afterwards."""
    if process.running_pid(place) is not None:
        existing = stack.read(place)
        if existing is None:
            raise LocalError(f"A half-started stack runs on port {place.port}. Run `make down` first.")
        _print(f"Hangtag runs already at {existing.api}; it is used as it is")
        yield existing
        return
    _print(f"starting Hangtag on port {place.port} …")
    started = stack.up(place, {"HangupTimeoutSeconds": str(HANGUP_TIMEOUT_SECONDS)})
    stack.announce(started)
    try:
        _print(f"Hangtag is up at {started.api}")
        yield started
    finally:
        # A second Ctrl-C must not leave the runtime behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.down(place)
        _print("Hangtag is down")


def _show(running: stack.Stack, *, single_round: bool, speed: float) -> int:
    show = Show.prepare(running, speed)
    try:
        show.play_all()
        if single_round:
            show.look_again()
        else:
            _print("every story was played once; random calls follow, until Ctrl-C")
            show.play_at_random()
    except KeyboardInterrupt:
        show.stop.set()
        if single_round:
            raise
        _print("ending …")
    finally:
        show.close()
    _print(show.summary())
    return 0 if show.ok else 1


@dataclass(slots=True, kw_only=True)
class Show:
    """Player of stories in the tenants' offices, and the results so far."""

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
    # Guards the output and the counters.
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
        _print(f"{len(offices)} tenants with {len(plan.employees)} employees and {len(plan.contacts)} contacts each")
        _print(f"the first of them has {len(providers)} PBXs: {', '.join(providers)}")
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
        """Return True if all results so far are as expected."""
        return not self.failed

    def play_all(self) -> None:
        """Play every story once, the slow ones first."""
        slow_first = sorted(self.stories, key=_seconds, reverse=True)
        for future in [self.pool.submit(self._play, story) for story in slow_first]:
            future.result()

    def play_at_random(self) -> None:
        """Play one story after another until the demo is stopped."""
        playing: set[Future[None]] = set()
        while not self.stop.wait(random.uniform(*PAUSE_SECONDS)):
            for future in [future for future in playing if future.done()]:
                playing.remove(future)
                future.result()
            if len(playing) < AT_ONCE:
                playing.add(self.pool.submit(self._play, random.choice(self.stories)))

    def look_again(self) -> None:
        """Check every correct call again: later events of another call must not have changed it."""
        for run, verdicts in self.finished:
            for verdict in verdicts:
                again = self.judge.look(run, verdict.expected)
                if verdict.ok and not again.ok:
                    self._report(again, "changed afterwards")

    def summary(self) -> str:
        """Return the result in one line."""
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
        for request in run.rejected:
            with self.lock:
                self.failed.append(story.title)
                _print(f"{story.title}: a webhook request was rejected: {request}")
        verdicts = self.judge.judge(
            run,
            within_seconds=self.lands_within,
            every_seconds=LOOKS_EVERY_SECONDS,
            landed=self._landed,
        )
        with self.lock:
            self.finished.append((run, verdicts))

    def _landed(self, verdict: Verdict) -> None:
        # A call that was still open when the demo ended is not a mismatch.
        if self.stop.is_set():
            return
        with self.lock:
            self.calls += 1
        self._report(verdict)

    def _report(self, verdict: Verdict, why: str = "not as expected") -> None:
        with self.lock:
            _print(describe(verdict))
            if not verdict.ok:
                self.failed.append(verdict.story)
                _print(f"✗ MISMATCH: {verdict.story} is {why} (call id {verdict.call_id}):")
                for mismatch in verdict.mismatches:
                    _print(f"    ✗ {mismatch}")


def _playable(running: stack.Stack, stories: Sequence[Story]) -> tuple[Story, ...]:
    """Return the stories that end during the demo."""
    timeout = int(running.parameters.get("HangupTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
    if timeout <= LONGEST_TIMEOUT_SECONDS:
        return tuple(stories)
    slow = [story for story in stories if _loses_hangup(story)]
    for story in slow:
        _print(f"left out: {story.name}, since this stack waits {timeout} s for a hang-up")
    return tuple(story for story in stories if story not in slow)


def _loses_hangup(story: Story) -> bool:
    return any(expected.tag and expected.tag.end_unknown for expected in story.expect)


def _seconds(story: Story) -> float:
    """Return a story's duration in real time; infinite if it waits for the hang-up timeout."""
    return float("inf") if _loses_hangup(story) else sum(event.after for event in story.events)


def describe(verdict: Verdict) -> str:
    """Describe one call in a line: story, direction, number and tag."""
    call: Mapping[str, Any] = verdict.call or {}
    direction = call.get("direction") or "?"
    number = mask(_values(verdict).get("Contact's number") or call.get("external") or "")
    return f"{verdict.story:<44} {direction:<8} {number:<14} → {_tag(verdict)}"


def _values(verdict: Verdict) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in verdict.tag["fields"]} if verdict.tag else {}


def _tag(verdict: Verdict) -> str:
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
    hidden = ", hidden" if verdict.tag["hidden"] else ""
    return f"Call {values['Type']}, {_name(values['Employee'])}, contact {contact}, {length}{where}{hidden}"


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "nobody"


def mask(number: str) -> str:
    """Mask the middle of a number. Short numbers and words in place of a number stay as they are."""
    if len(number) <= 4 or number.isalpha():
        return number or "withheld"
    return f"{number[:5]}***{number[-4:]}" if len(number) > 9 else f"{number[:1]}***{number[-2:]}"


def _print(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
