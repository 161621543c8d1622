"""Plays a story: posts its events over HTTP to the webhooks of the tenants, as their PBXs would."""

import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from local.simulator import faults
from local.simulator.http import ONCE, Answer, Backoff, Sender
from local.simulator.lines import Line
from local.simulator.story import Event, Message, Story, message


class Target(Protocol):
    """A tenant whose PBXs take part, by their providers. An `Office` is one."""

    @property
    def lines(self) -> Mapping[str, Line]:
        """The integrations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A target that is given by hand."""

    provider: str
    webhook_url: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def lines(self) -> Mapping[str, Line]:
        """The one integration."""
        line = Line(provider=self.provider, integration_id="", webhook_url=self.webhook_url, secrets=self.secrets)
        return {self.provider: line}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerConfig:
    """How to play.

    `speed` divides the gaps between events: 1 is real time, 0 means no gaps. `duplicate` is how often each event is
    delivered in all, one after another; `concurrent` how many copies of each delivery are sent at the same moment.
    `shuffle` mixes the deliveries (the same way for the same `seed`), `drop_hangup` leaves out marked hang-ups. With
    `retry` off, a delivery is sent once, whatever comes of it.
    """

    speed: float = 0.0
    duplicate: int = 1
    concurrent: int = 1
    shuffle: bool = False
    seed: int | None = None
    drop_hangup: bool = False
    retry: bool = True
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        if self.speed < 0 or self.duplicate < 1 or self.concurrent < 1:
            raise ValueError("speed can't be negative; duplicate and concurrent are at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One copy of one event, as it was sent, and what came back. `fields` are without secret and signature."""

    tenant: str
    fields: Mapping[str, Any]
    expected: int
    answer: Answer

    @property
    def ok(self) -> bool:
        """Whether the PBX got the reply that the story expects."""
        return self.answer.status == self.expected

    def __str__(self) -> str:
        said = " ".join(str(self.fields[name]) for name in ("event", "ext") if self.fields.get(name))
        answer = self.answer.status or self.answer.error
        tries = f" after {self.answer.attempts} attempts" if self.answer.attempts > 1 else ""
        return f"{said or self.fields.get('cmd', '?')} → {answer}{tries}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One playing of a story: the story as played (faults may change what it expects), its ids, all deliveries.

    `ids` maps call, call2, … to the PBX's ids of this run. `complete` is False if the playing was stopped.
    """

    story: Story
    ids: Mapping[str, str]
    deliveries: tuple[Delivery, ...]
    complete: bool

    @property
    def refused(self) -> tuple[Delivery, ...]:
        """The deliveries that got another reply than the story expects."""
        return tuple(delivery for delivery in self.deliveries if not delivery.ok)


class Player:
    """Plays stories; may be used by many threads. `stop`, once set, ends every playing at its next step."""

    def __init__(self, config: PlayerConfig | None = None, stop: threading.Event | None = None) -> None:
        self.config = config or PlayerConfig()
        self._stop = stop or threading.Event()
        self._sender = Sender(self.config.backoff if self.config.retry else ONCE, self._stop)

    def play(
        self,
        story: Story,
        targets: Mapping[str, Target],
        ids: Mapping[str, str] | None = None,
    ) -> Run:
        """Post the story's events, one after another, and return what came back.

        `targets` maps the story's tenants (main, other) to their webhooks; KeyError if one is missing. `ids` fixes
        call ids that are made otherwise.
        """
        missing = story.tenants - set(targets)
        if missing:
            raise KeyError(f"{story.name} needs a target for: {', '.join(sorted(missing))}")
        played = faults.without_hangups(story) if self.config.drop_hangup else story
        made = {name: fresh_id() for name in story.placeholders} | dict(ids or {})
        deliveries: list[Delivery] = []
        # A PBX with a clock of its own tells the times of life, however fast the story is played: it ends about now.
        at = start = datetime.now(UTC) - timedelta(seconds=sum(event.after for event in played.events))
        for event in self._schedule(played):
            if self._stop.wait(self._gap(event)):
                break
            at += timedelta(seconds=event.after)
            line = targets[event.tenant].lines[played.provider]
            deliveries += self._deliver(event, line, message(event, made, start, at))
        complete = not self._stop.is_set()
        return Run(story=played, ids=made, deliveries=tuple(deliveries), complete=complete)

    def _schedule(self, story: Story) -> Sequence[Event]:
        events: Sequence[Event] = faults.duplicate(story.events, self.config.duplicate)
        return faults.shuffle(events, self.config.seed) if self.config.shuffle else events

    def _gap(self, event: Event) -> float:
        return event.after / self.config.speed if self.config.speed else 0.0

    def _deliver(self, event: Event, line: Line, sent: Message) -> list[Delivery]:
        fields: Mapping[str, Any] = {**sent.query, **sent.post, **(sent.body or {})}
        shown = {name: value for name, value in fields.items() if name != line.pbx.SECRET_FIELD}

        def send(_: int) -> Delivery:
            signed = line.pbx.request(line.webhook_url, sent, line.secrets, datetime.now(UTC))
            answer = self._sender.send(signed.method, signed.url, headers=signed.headers, body=signed.body)
            return Delivery(tenant=event.tenant, fields=shown, expected=event.reply, answer=answer)

        copies = self.config.concurrent
        if copies == 1:
            return [send(0)]
        with ThreadPoolExecutor(copies) as pool:
            return list(pool.map(send, range(copies)))


def fresh_id() -> str:
    """A call id that was never used before, in the form of PBXs' ids: hexadecimal, a dash, a counter."""
    return f"{secrets.token_hex(10).upper()}-{1000 + secrets.randbelow(9000)}"
