"""Call stories and the office they play in, as `events/` holds them.

A story is what one provider posts, event by event, and what has to come of it. `{call}`, `{call2}`, … stand for the
PBX's call ids and are made anew for each run, so that a story can be played any number of times. `{time}` is when an
event happens, `{start}` when the story began, and `{start+30}` half a minute later, in UTC. All take a form:
`{time:iso}`, `{start:epoch}`, or one of strftime with a time zone before it:
`{start:Europe/Moscow|%Y-%m-%d %H:%M:%S}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

EVENTS = Path(__file__).resolve().parents[2] / "events"
PROVIDER = "telephony_api"
# An expected contact, or task, that the office did not have before.
NEW_CONTACT = "new"
NEW_TASK = "new"

# The office has the same people at each; their rules differ, see office.yaml.
Tenant = Literal["main", "other", "deals", "private", "fresh"]
TENANTS: tuple[Tenant, ...] = get_args(Tenant)
_PLACEHOLDER = re.compile(r"\{(call\d*)\}")
_MOMENT = re.compile(r"\{(time|start)([+-]\d+)?(?::([^}]*))?\}")


class StoryError(Exception):
    """A story or the office can't be read; the message names the file and what is wrong with it."""


class _Part(BaseModel):
    """Strict: a number that YAML took for an integer has lost its plus or its zeros, so that it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Event(_Part):
    """One request of the PBX. `after` is the gap in seconds since the event before it, as a real PBX leaves it.

    `post` holds the form's fields, `body` the JSON instead, `query` those of the address; `rest` is the path after the
    webhook's token. Secrets and signatures are the simulated PBX's to add, unless the story has its own. `hangup`
    marks an end that the fault "hang-up lost" takes away. `reply` is the HTTP status that the PBX must get.
    """

    after: float = Field(default=0, ge=0, le=3600)
    tenant: Tenant = "main"
    method: Literal["GET", "POST"] = "POST"
    rest: str = ""
    query: Mapping[str, str] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    post: Mapping[str, str] = Field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    hangup: bool = False
    reply: int = 200

    @property
    def call_id(self) -> str | None:
        """The PBX's id of the call, placeholders and all; None if the request is of no call."""
        return self.post.get("callid")


class ExpectedTag(_Part):
    """The tag that a call must leave. `employee` and `contact` are names in the office, None for none.

    `contact` may be `new`; `task` is the title of one in the office, or `new`. `duration` is in seconds and compared
    only where the story gives it (None: unknown); `extra` holds all extra fields. A Missed Call has neither employee
    nor duration nor extra fields.
    """

    type: Literal["call", "missed_call"]
    direction: Literal["in", "out"]
    employee: str | None = None
    contact: str | None
    task: str | None = None
    hidden: bool = False
    number: str
    line: str
    line_name: str
    duration: int | None = None
    end_unknown: bool = False
    extra: Mapping[str, str] = Field(default_factory=dict)


class Expectation(_Part):
    """What must come of one call. `recording` and `linked` are compared only where the story gives them.

    `recipients` are the names of those who are told of a missed call, also compared only where they are given.
    """

    tenant: Tenant = "main"
    call: str
    outcome: str
    tag: ExpectedTag | None
    skip_reason: str | None
    linked: str | None = None
    recording: str | None = None
    recording_is_temporary: bool | None = None
    recipients: tuple[str, ...] | None = Field(default=None, strict=False)


class Told(_Part):
    """What a provider says in other words than the telephony API: the own line, where the recording is.

    `duration_told`: False where the provider never says how long a call was talked, so that it is measured by when
    its events arrive; then it is not compared.
    """

    line: str | None = None
    recording: str | None = None
    recording_is_temporary: bool | None = None
    duration_told: bool = True


class StoryFile(_Part):
    """The contents of one story's file.

    Without `expect`, the same is expected as of the telephony API's story of that name, but for what is `told`
    otherwise: by this provider, in this form. `clicked` is why there is no tag if a click began the call: its events
    are the same as of one that was dialled by hand, and mean something else.
    """

    about: str = Field(min_length=1)
    source: str = Field(min_length=1)
    events: tuple[Event, ...] = Field(min_length=1, strict=False)
    expect: tuple[Expectation, ...] = Field(default=(), strict=False)
    told: Told = Field(default_factory=Told)
    clicked: Literal["employee_no_answer"] | None = None


class Story(StoryFile):
    """A story with its name: `<name>.yaml` in the provider's folder."""

    name: str
    provider: str = PROVIDER

    @property
    def tenants(self) -> frozenset[Tenant]:
        """Whose PBXs take part."""
        return frozenset(event.tenant for event in self.events)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of the call ids that a run has to make: call, call2, …"""
        texts = (text for event in self.events for text in _texts([event.post, event.query, event.body, event.rest]))
        return frozenset(name for text in texts for name in _PLACEHOLDER.findall(text))

    @property
    def title(self) -> str:
        """The name, with the provider's before it where it is another than the telephony API."""
        return self.name if self.provider == PROVIDER else f"{self.provider}/{self.name}"


class PlannedEmployee(_Part):
    """An employee; `phones` are the numbers on the employee's card."""

    name: str
    extension: str
    phones: tuple[str, ...] = Field(default=(), strict=False)


class PlannedGroup(_Part):
    """A group of employees; `members` are their names, `tenants` those that have it."""

    name: str
    members: tuple[str, ...] = Field(min_length=1, strict=False)
    tenants: tuple[Tenant, ...] = Field(default=TENANTS, strict=False)


class PlannedTask(_Part):
    """An open task of one contact, both by name; `fields` are free ones, of text."""

    title: str
    contact: str
    fields: Mapping[str, str] = Field(default_factory=dict)


class PlannedContact(_Part):
    """A contact; `supervisor` is the name of an employee, or of a group where the tenant has it."""

    name: str
    phones: tuple[str, ...] = Field(min_length=1, strict=False)
    supervisor: str | None = None


class PlannedLine(_Part):
    """An own external number and its name."""

    number: str
    name: str


class OfficePlan(_Part):
    """The office that stories play in. `settings` go to the telephony settings as they are.

    `rules` are what the settings of some tenants have besides.
    """

    country: str
    time_zone: str
    settings: Mapping[str, Any]
    rules: Mapping[Tenant, Mapping[str, Any]] = Field(default_factory=dict)
    employees: tuple[PlannedEmployee, ...] = Field(strict=False)
    groups: tuple[PlannedGroup, ...] = Field(default=(), strict=False)
    contacts: tuple[PlannedContact, ...] = Field(strict=False)
    tasks: tuple[PlannedTask, ...] = Field(default=(), strict=False)
    lines: tuple[PlannedLine, ...] = Field(strict=False)

    def settings_of(self, tenant: str) -> dict[str, Any]:
        """The telephony settings of a tenant of this name."""
        return {**self.settings, **self.rules.get(cast("Tenant", tenant), {})}


PartT = TypeVar("PartT", bound=_Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request of the PBX as it is to be sent, but for what signs it."""

    method: str = "POST"
    rest: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    post: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def message(event: Event, ids: Mapping[str, str], start: datetime, at: datetime) -> Message:
    """The request of an event, with this run's ids and times (UTC). Raises KeyError for an id that is not there."""

    def filled(value: Any) -> Any:
        return _filled(value, ids, {"start": start, "time": at})

    return Message(
        method=event.method,
        rest=filled(event.rest),
        query=filled(event.query),
        headers=filled(event.headers),
        post=filled(event.post),
        body=filled(event.body),
    )


def _filled(value: Any, ids: Mapping[str, str], moments: Mapping[str, datetime]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(inner, ids, moments) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, ids, moments) for inner in value]
    if not isinstance(value, str):
        return value

    def moment(found: re.Match[str]) -> datetime:
        return moments[found.group(1)] + timedelta(seconds=int(found.group(2) or 0))

    whole = _MOMENT.fullmatch(value)
    if whole is not None and whole.group(3) in ("integer", "milliseconds"):
        seconds = moment(whole).timestamp()
        return int(seconds) if whole.group(3) == "integer" else int(seconds * 1000)
    return fill(_MOMENT.sub(lambda found: _shown(moment(found), found.group(3) or "iso"), value), ids)


def _shown(moment: datetime, form: str) -> str:
    """A time in one of the forms that the top of this file names."""
    if form == "iso":
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if form == "epoch":
        return str(int(moment.timestamp()))
    zone, _, pattern = form.rpartition("|")
    return moment.astimezone(ZoneInfo(zone) if zone else UTC).strftime(pattern)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def fill(text: str, ids: Mapping[str, str]) -> str:
    """The text with its placeholders replaced by this run's ids. Raises KeyError for one that has none."""
    return _PLACEHOLDER.sub(lambda found: ids[found.group(1)], text)


def load_office_plan(path: Path = EVENTS / "office.yaml") -> OfficePlan:
    """The office of all stories. Raises StoryError."""
    return _validate(OfficePlan, path, _read(path))


def load_stories(provider: str = PROVIDER) -> tuple[Story, ...]:
    """All stories of a provider, by name. Raises StoryError."""
    return tuple(_load(path) for path in sorted((EVENTS / provider).glob("*.yaml")))


def load_story(name: str, provider: str = PROVIDER) -> Story:
    """One story. Raises StoryError, which lists the names if there is none of that name."""
    folder = EVENTS / provider
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise StoryError(f"there is no story {name!r}; there are: {', '.join(names)}")
    return _load(folder / f"{name}.yaml")


def choose(names: Iterable[str], provider: str = PROVIDER) -> tuple[Story, ...]:
    """The stories of these names; `all` among them stands for every one. Raises StoryError."""
    wanted = list(names)
    if "all" in wanted:
        return load_stories(provider)
    return tuple(load_story(name, provider) for name in wanted)


def _load(path: Path) -> Story:
    contents = _read(path)
    if isinstance(contents, dict):
        contents = {**contents, "name": path.stem, "provider": path.parent.name}
    story = _validate(Story, path, contents)
    if story.expect:
        return story
    model = EVENTS / PROVIDER / path.name
    if not model.exists():
        raise StoryError(f"{path}: it expects nothing, and the telephony API has no story of that name")
    same = tuple(_as_told(story.told, expected) for expected in _model(model).expect)
    return story.model_copy(update={"expect": same})


@lru_cache(maxsize=256)
def _model(path: Path) -> Story:
    return _load(path)


def _as_told(told: Told, expected: Expectation) -> Expectation:
    """What is expected of the telephony API's call, where another provider tells it."""
    changes: dict[str, object] = {
        "recording": told.recording,
        "recording_is_temporary": told.recording_is_temporary if told.recording else None,
    }
    if expected.tag is not None:
        tag: dict[str, object] = {"line": told.line} if told.line is not None else {}
        known = expected.tag if told.duration_told else _without_duration(expected.tag)
        changes["tag"] = known.model_copy(update=tag)
    return expected.model_copy(update=changes)


def _without_duration(tag: ExpectedTag) -> ExpectedTag:
    return ExpectedTag.model_validate(tag.model_dump(exclude_unset=True, exclude={"duration"}))


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StoryError(f"{path}: {error}") from error


def _validate(model: type[PartT], path: Path, contents: Any) -> PartT:
    try:
        return model.model_validate(contents)
    except ValidationError as error:
        raise StoryError(f"{path}: {error}") from error
