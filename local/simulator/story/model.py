"""Call stories and the office they play in, as `events/` holds them; docs/stories.md describes the file format.

A story is the list of requests that one PBX sends, and the result expected of its calls. `{call}`, `{call2}`, … stand
for the PBX's call ids; each run generates new ones, so a story can be played any number of times. `{time}` is the time
of the event, `{start}` the start of the story and `{start+30}` half a minute later, in UTC. Times take a form:
`{time:iso}`, `{start:epoch}`, `{time:integer}` and `{time:milliseconds}` (JSON numbers), or a strftime pattern with an
optional time zone before it: `{start:Europe/Moscow|%Y-%m-%d %H:%M:%S}`.
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

from local.simulator.story.format import FormatError, expand

EVENTS = Path(__file__).resolve().parents[3] / "events"
PROVIDER = "telephony_api"
# Name of an expected contact, or task, that the story creates.
NEW_CONTACT = "new"
NEW_TASK = "new"

# Every tenant has the same people; the settings differ, see office.yaml.
Tenant = Literal["main", "other", "deals", "private", "fresh"]
TENANTS: tuple[Tenant, ...] = get_args(Tenant)
_PLACEHOLDER = re.compile(r"\{(call\d*)\}")
_MOMENT = re.compile(r"\{(time|start)([+-]\d+)?(?::([^}]*))?\}")


class StoryError(Exception):
    """A story or the office cannot be read; the message names the file and the rule that it breaks."""


class _Part(BaseModel):
    """Strict base model: a phone number without quotes is rejected, because YAML drops its plus and leading zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Event(_Part):
    """One webhook request. `after` is the gap since the event before it, in seconds.

    `post` holds form fields, `body` JSON, `query` the fields of the URL; `rest` is the path after the webhook's token.
    The simulated PBX adds secrets and signatures that the story does not set itself. `hangup` marks the events that
    the fault "hang-up lost" removes. `reply` is the HTTP status that the webhook must return.
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
        """Return the PBX's call id with its placeholders, or None if the request does not belong to a call."""
        return self.post.get("callid")


class ExpectedTag(_Part):
    """The expected tag of a call. `employee` and `contact` are names in the office; None if the tag has none.

    `contact` can be `new`; `task` is the title of a task in the office, or `new`. `duration` is in seconds (None:
    unknown) and compared only if the story sets it; `extra` holds all extra fields. A Missed Call has no employee, no
    duration and no extra fields.
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
    """The expected result of one call. `recording` and `linked` are compared only if the story sets them.

    `recipients` are the names of the employees notified of a missed call, also compared only if set.
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


class Overrides(_Part):
    """Differences from the telephony API's story of the same name: how the PBX writes the line, names the recording.

    `compare_duration`: False if the PBX does not report the talk time, so Hangtag measures it by arrival times.
    """

    line: str | None = None
    recording: str | None = None
    recording_is_temporary: bool | None = None
    compare_duration: bool = True


class StoryFile(_Part):
    """The contents of one story file, its `common` and `table` expanded to `events`.

    Without `expect`, the story expects the result of the telephony API's story of that name, changed by `overrides`.
    `clicked` is the skip reason if a click started the call: its events equal those of a call dialled by hand, but
    the result differs.
    """

    about: str = Field(min_length=1)
    source: str = Field(min_length=1)
    events: tuple[Event, ...] = Field(min_length=1, strict=False)
    expect: tuple[Expectation, ...] = Field(default=(), strict=False)
    overrides: Overrides = Field(default_factory=Overrides)
    clicked: Literal["employee_no_answer"] | None = None


class Story(StoryFile):
    """A story with its name: `<name>.yaml` in the provider's folder."""

    name: str
    provider: str = PROVIDER

    @property
    def tenants(self) -> frozenset[Tenant]:
        """Return the tenants whose PBXs take part."""
        return frozenset(event.tenant for event in self.events)

    @property
    def placeholders(self) -> frozenset[str]:
        """Return the names of the call ids that a run must generate: call, call2, …"""
        texts = (text for event in self.events for text in _texts([event.post, event.query, event.body, event.rest]))
        return frozenset(name for text in texts for name in _PLACEHOLDER.findall(text))

    @property
    def path(self) -> str:
        """Return the story's file, relative to the repository."""
        return f"events/{self.provider}/{self.name}.yaml"

    @property
    def title(self) -> str:
        """Return the name, prefixed by the provider unless that is the telephony API."""
        return self.name if self.provider == PROVIDER else f"{self.provider}/{self.name}"


class PlannedEmployee(_Part):
    """An employee; `phones` are the numbers on the employee's card."""

    name: str
    extension: str
    phones: tuple[str, ...] = Field(default=(), strict=False)


class PlannedGroup(_Part):
    """A group of employees; `members` are names, `tenants` the tenants that have the group."""

    name: str
    members: tuple[str, ...] = Field(min_length=1, strict=False)
    tenants: tuple[Tenant, ...] = Field(default=TENANTS, strict=False)


class PlannedTask(_Part):
    """An open task of one contact, both by name; `fields` are additional text fields."""

    title: str
    contact: str
    fields: Mapping[str, str] = Field(default_factory=dict)


class PlannedContact(_Part):
    """A contact; `supervisor` is the name of an employee, or of a group if the tenant has it."""

    name: str
    phones: tuple[str, ...] = Field(min_length=1, strict=False)
    supervisor: str | None = None


class PlannedLine(_Part):
    """An own external number and its name."""

    number: str
    name: str


class OfficePlan(_Part):
    """The office that stories play in. `settings` are the telephony settings of every tenant.

    `rules` are the additional settings of some tenants.
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
        """Return the telephony settings of the tenant of this name."""
        return {**self.settings, **self.rules.get(cast("Tenant", tenant), {})}


PartT = TypeVar("PartT", bound=_Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One webhook request before the simulated PBX signs it."""

    method: str = "POST"
    rest: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    post: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def message(event: Event, ids: Mapping[str, str], start: datetime, at: datetime) -> Message:
    """Return an event's request with this run's ids and times (UTC). Raises KeyError if an id is missing."""

    def substitute(value: Any) -> Any:
        return _substitute(value, ids, {"start": start, "time": at})

    return Message(
        method=event.method,
        rest=substitute(event.rest),
        query=substitute(event.query),
        headers=substitute(event.headers),
        post=substitute(event.post),
        body=substitute(event.body),
    )


def _substitute(value: Any, ids: Mapping[str, str], moments: Mapping[str, datetime]) -> Any:
    if isinstance(value, Mapping):
        return {name: _substitute(inner, ids, moments) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_substitute(inner, ids, moments) for inner in value]
    if not isinstance(value, str):
        return value

    def moment(match: re.Match[str]) -> datetime:
        return moments[match.group(1)] + timedelta(seconds=int(match.group(2) or 0))

    whole = _MOMENT.fullmatch(value)
    if whole is not None and whole.group(3) in ("integer", "milliseconds"):
        seconds = moment(whole).timestamp()
        return int(seconds) if whole.group(3) == "integer" else int(seconds * 1000)
    return fill(_MOMENT.sub(lambda match: _formatted(moment(match), match.group(3) or "iso"), value), ids)


def _formatted(moment: datetime, form: str) -> str:
    """Return a time in one of the forms listed in this module's docstring."""
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
    """Return the text with its placeholders replaced by this run's ids. Raises KeyError if an id is missing."""
    return _PLACEHOLDER.sub(lambda match: ids[match.group(1)], text)


def load_office_plan(path: Path = EVENTS / "office.yaml") -> OfficePlan:
    """Return the office of all stories. Raises StoryError."""
    return _validate(OfficePlan, path, _read(path))


def load_stories(provider: str = PROVIDER) -> tuple[Story, ...]:
    """Return all stories of a provider, sorted by name. Raises StoryError."""
    return tuple(read_story(path) for path in sorted((EVENTS / provider).glob("*.yaml")))


def load_story(name: str, provider: str = PROVIDER) -> Story:
    """Return one story. Raises StoryError, which lists the existing names if the name is unknown."""
    folder = EVENTS / provider
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise StoryError(f"Unknown story {name!r}. Stories of {provider}: {', '.join(names)}.")
    return read_story(folder / f"{name}.yaml")


def choose(names: Iterable[str], provider: str = PROVIDER) -> tuple[Story, ...]:
    """Return the stories of these names; `all` stands for every story. Raises StoryError."""
    selection = list(names)
    if "all" in selection:
        return load_stories(provider)
    return tuple(load_story(name, provider) for name in selection)


def read_story(path: Path) -> Story:
    """Return the story in a file; its folder is the provider, its name the story's. Raises StoryError."""
    contents = _read(path)
    if isinstance(contents, dict):
        try:
            contents = {**expand(contents), "name": path.stem, "provider": path.parent.name}
        except FormatError as error:
            raise StoryError(f"{path}: {error}") from error
    story = _validate(Story, path, contents)
    if story.expect:
        return story
    model = EVENTS / PROVIDER / path.name
    if not model.exists():
        raise StoryError(f"{path}: `expect` is missing. Only a story named as one of the telephony API can omit it.")
    expect = tuple(_override(expected, story.overrides) for expected in _model(model).expect)
    return story.model_copy(update={"expect": expect})


@lru_cache(maxsize=256)
def _model(path: Path) -> Story:
    return read_story(path)


def _override(expected: Expectation, overrides: Overrides) -> Expectation:
    """Return the expectation of the telephony API's story as it applies to another provider's."""
    changes: dict[str, object] = {
        "recording": overrides.recording,
        "recording_is_temporary": overrides.recording_is_temporary if overrides.recording else None,
    }
    if expected.tag is not None:
        tag: dict[str, object] = {"line": overrides.line} if overrides.line is not None else {}
        base = expected.tag if overrides.compare_duration else _without_duration(expected.tag)
        changes["tag"] = base.model_copy(update=tag)
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
        rules = [f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise StoryError(f"{path}: {'; '.join(rules)}") from error
