"""Call stories as a provider's module reads them: signed by the simulated PBX, verified, parsed and folded."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from hangtag.auth import make_token
from hangtag.domain.calls.event import CallEvent
from hangtag.domain.calls.fold import Call, fold
from hangtag.phone import normalise
from hangtag.providers import load as load_provider
from hangtag.providers import provider_keys
from hangtag.providers.base import ParseResult, VerificationKeys, WebhookRequest
from hangtag.providers.catalog import ProviderInfo, catalog
from hangtag.services.calls.settling import settlement
from local.simulator.pbx import Pbx, Request
from local.simulator.pbx import load as load_pbx
from local.simulator.story import Event, Message, Story, load_office_plan, message

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IDS = {"call": "A1", "call2": "B2"}
PUBLIC = "https://hooks.example.com"
KEYS = "k" * 32
TOKEN = make_token("hook", KEYS)
PLAN = load_office_plan()
INFOS: Mapping[str, ProviderInfo] = {info.key: info for info in catalog()}


def selected_keys() -> tuple[str, ...]:
    """Return the providers under test: all, or those in HANGTAG_CONTRACT (`make contract PBX=acme`)."""
    selection = os.environ.get("HANGTAG_CONTRACT", "").split()
    unknown = [key for key in selection if key not in provider_keys()]
    if unknown:
        raise ValueError(f"There is no provider {unknown[0]!r}. Choose one of: {', '.join(provider_keys())}.")
    return tuple(selection) or provider_keys()


@dataclass(frozen=True)
class Line:
    """One integration of a provider: its simulated PBX, and what its deliveries are verified with."""

    provider: str
    pbx: Pbx
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """URL of the webhook."""
        return PUBLIC + INFOS[self.provider].webhook_path.format(token=TOKEN)

    def verification_keys(self, older: Mapping[str, str] | None = None) -> VerificationKeys:
        """Return the verification keys of this line; `older` are secrets still valid after a rotation."""
        info, ages = INFOS[self.provider], [self.secrets, *([older] if older else [])]
        hashes = {name: tuple(_sha256(age[name]) for age in ages) for name in info.made_secrets}
        credentials = {name: tuple(age[name] for age in ages if name in age) for name in info.verified_with}
        return VerificationKeys(hashes=hashes, credentials=credentials)

    def signed(self, sent: Message, at: datetime = NOON) -> Request:
        """Return the message as a request that the PBX signed."""
        return self.pbx.request(self.url, sent, self.secrets, at)

    def received(self, request: Request, at: datetime = NOON) -> WebhookRequest:
        """Return the request as the webhook passes it to the provider."""
        parts = urlsplit(request.url)
        return WebhookRequest(
            method=request.method,
            path=parts.path.replace(TOKEN, "***"),
            query=parts.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.body,
            arrived_at=at,
            rest=parts.path.partition(TOKEN)[2].strip("/"),
            url=request.url,
            source_ip=request.source_ip,
        )

    def accepted(self, request: Request, at: datetime = NOON) -> ParseResult:
        """Verify and parse; raises RefusedError."""
        received = self.received(request, at)
        provider = load_provider(self.provider)
        provider.verify(received, self.verification_keys())
        return provider.parse(received, self.pbx.SETTINGS)

    def folded(self, events: Iterable[Event]) -> dict[tuple[str, str], Call]:
        """Every call of a story, closed: settled where it leaves it quiet, forced where it leaves it open."""
        at = NOON
        by_call: dict[tuple[str, str], list[CallEvent]] = defaultdict(list)
        for number, event in enumerate(events):
            at += timedelta(seconds=event.after, microseconds=number)
            for parsed in self.accepted(self.signed(message(event, IDS, NOON, at), at), at).events:
                by_call[event.tenant, parsed.call_id].append(parsed)
        return {key: closed(call_events, at) for key, call_events in by_call.items()}


def closed(events: Sequence[CallEvent], at: datetime) -> Call:
    """Return the record of a call after its last event."""
    return fold(settled(events, at))


def settled(events: Sequence[CallEvent], at: datetime) -> Sequence[CallEvent]:
    """Return the events of a call, with a settlement if they do not close it."""
    call = fold(events)
    if call.closed:
        return events
    forced = call.quiet_since is None
    later = at + timedelta(hours=4) if forced else at + timedelta(seconds=1)
    return [*events, settlement(call, later, forced=forced)]


def line(provider: str, *, other: bool = False) -> Line:
    """Return a line of the provider; `other`: of another tenant, with other secrets."""
    pbx, info = load_pbx(provider), INFOS[provider]
    typed = pbx.OTHER_CREDENTIALS if other else pbx.CREDENTIALS
    letter = "b" if other else "a"
    secrets = dict.fromkeys(info.made_secrets, letter * 32)
    keys = dict.fromkeys(info.made_keys, f"whsec_{letter * 43}=")
    return Line(provider, pbx, {**typed, **secrets, **keys})


def comparable(call: Call, not_given: Iterable[str] = ()) -> dict[str, Any]:
    """Return the parts of a record that do not depend on the PBX: no leg ids, E.164 numbers, times in seconds."""

    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else round((moment - NOON).total_seconds())

    def number(text: str | None) -> str | None:
        phone = normalise(text, PLAN.country) if text else None
        return phone.e164 if phone else text

    record = {
        "direction": call.direction,
        "external": number(call.external),
        "line": number(call.line),
        "closed": call.closed,
        "outcome": call.outcome,
        "started_at": seconds(call.started_at),
        "answered_at": seconds(call.answered_at),
        "ended_at": seconds(call.ended_at),
        "talk_seconds": call.talk_seconds,
        "answered_by": call.answered_by,
        "extensions": sorted(set(call.extensions)),
        "end_unknown": call.end_unknown,
        "linked_call_id": call.linked_call_id,
        "recording": call.recording is not None,
    }
    return {name: value for name, value in record.items() if name not in set(not_given)}


def assert_described(story: Story) -> None:
    """Fail with the file and the rule unless the story has a description and a source."""
    assert story.about.endswith("."), f"{story.path}: `about` must be a sentence that ends with a full stop."
    rule = "`source` must name where the form of the requests comes from, in more than 20 characters."
    assert len(story.source) > 20, f"{story.path}: {rule}"


def story_of(stories: Iterable[Story], name: str) -> Story:
    """Return the story of this name."""
    return next(story for story in stories if story.name == name)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
