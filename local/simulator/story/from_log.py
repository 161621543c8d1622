"""Conversion of request log entries to a call story.

An entry is what `GET /v1/integrations/{id}/deliveries/{id}` returns. Secrets are already masked there and are left out
of the story, because the simulated PBX adds its own. Numbers and names are kept.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hangtag.domain.calls.event import CallEvent
from hangtag.domain.calls.fold import fold
from hangtag.providers import all_keys
from hangtag.providers import load as load_provider
from hangtag.providers.base import WebhookRequest
from local.simulator.pbx import load as load_pbx
from local.simulator.story.model import PROVIDER, StoryError
from local.simulator.story.writer import write_events

__all__ = ["LogOptions", "read_entries", "story_from_log"]

_MASK = "***"
_MASKED = re.compile(r'("\s*:\s*)\*\*\*(?=\s*[,}])')
# The telephony API has a path of its own.
_PATH = re.compile(r"/(?:hooks/(?P<provider>[^/]+)|tel/api)/[^/]+(?:/(?P<rest>.*))?")
# Fields of a form that hold the whole message as JSON.
_JSON_FIELDS = {"mango": "json"}
# Shorter ids are replaced only where they are the whole value: they could be part of a number.
_SHORTEST_PART = 6
# A time of the request lies between the start of a long call and the request's arrival, give or take a clock.
_PAST, _FUTURE = timedelta(hours=4), timedelta(minutes=1)
# Times this close to the arrival, or to the start, are taken for it.
_NEAR_SECONDS = 2
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_PATTERNS = ("%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
# Patterns without a time zone of their own: the PBX's local time.
_LOCAL = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_REQUIRED = ("received_at", "status", "method", "path", "query", "headers", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Options of the conversion.

    `time_zone` is the zone of times that name none. `call_ids` are replaced by placeholders in addition to those that
    the provider's parser finds. `provider` overrides the one of the request's path.
    """

    about: str = "TODO: describe the call in one sentence."
    source: str | None = None
    provider: str | None = None
    time_zone: str = "UTC"
    call_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One entry, its body read. `arrived_at` is UTC; `payload` maps `post` or `body` to the fields."""

    provider: str
    request: WebhookRequest
    status: int
    payload: Mapping[str, Any]
    query: Mapping[str, str]
    events: Sequence[CallEvent] = field(default_factory=tuple)


def read_entries(text: str) -> list[Mapping[str, Any]]:
    """Return the entries of a JSON text: one entry, a list of them, or a page `{"items": […]}`. Raises StoryError."""
    try:
        contents = json.loads(text)
    except ValueError as error:
        raise StoryError(f"The request log is not JSON: {error}.") from error
    if isinstance(contents, Mapping):
        contents = contents.get("items", [contents])
    if not isinstance(contents, list) or not contents or not all(isinstance(one, Mapping) for one in contents):
        raise StoryError("The request log has no entries. Pass one entry, a list of them, or a page with `items`.")
    return contents


def story_from_log(entries: Sequence[Mapping[str, Any]], options: LogOptions | None = None) -> str:
    """Return the text of a story file; entries are ordered by arrival. Raises StoryError.

    Call ids become `{call}`, `{call2}`, … and recognised times `{time…}` or `{start…}`. The expected results are a
    draft, to be completed by hand.
    """
    chosen = options or LogOptions()
    read = sorted((_read(entry, chosen) for entry in entries), key=lambda entry: entry.request.arrived_at)
    providers = {entry.provider for entry in read}
    if len(providers) > 1:
        raise StoryError(f"The entries come from several providers: {', '.join(sorted(providers))}. Pass those of one.")
    placeholders = _placeholders([event for entry in read for event in entry.events], chosen.call_ids)
    events, last = [], read[0].request.arrived_at
    for entry in read:
        event = _event(entry, placeholders, read[0].request.arrived_at, _zone(chosen.time_zone))
        gap = round((entry.request.arrived_at - last).total_seconds(), 1)
        events.append({"after": int(gap) if gap == int(gap) else gap, **event})
        last = entry.request.arrived_at
    source = chosen.source or f"Request log of an integration with {read[0].provider}, {last:%Y-%m-%d}"
    head = [f"about: {_text(chosen.about)}", f"source: {_text(source)}"]
    return "\n".join(head) + "\n" + write_events(events) + _expectations(read, placeholders)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise StoryError(f"Unknown time zone {name!r}. Use an IANA name such as Europe/Kyiv.") from error


# ------------------------------------------------------------------ reading


def _read(entry: Mapping[str, Any], options: LogOptions) -> _Entry:
    absent = [name for name in _REQUIRED if name not in entry]
    name = entry.get("id", "without an id")
    if absent:
        raise StoryError(f"Entry {name}: {absent[0]} is missing. Pass entries as the API returns them.")
    if entry.get("truncated"):
        raise StoryError(f"Entry {name}: the log holds only the start of this request, so it cannot be replayed.")
    match = _PATH.fullmatch(entry["path"])
    provider = options.provider or ((match["provider"] or PROVIDER) if match else "")
    if provider not in all_keys():
        raise StoryError(f"Entry {name}: the path {entry['path']} names no known provider. Pass --provider.")
    try:
        arrived_at = datetime.fromisoformat(entry["received_at"]).astimezone(UTC)
    except ValueError as error:
        raise StoryError(f"Entry {name}: received_at is not a time: {entry['received_at']}.") from error
    request = WebhookRequest(
        method=entry["method"],
        path=entry["path"],
        query=entry["query"],
        headers=entry["headers"],
        # The log masks a secret in JSON without quotes.
        body=_MASKED.sub(r'\1"***"', entry["body"]).encode(),
        arrived_at=arrived_at,
        rest=(match["rest"] or "") if match else "",
    )
    return _Entry(
        provider=provider,
        request=request,
        status=int(entry["status"]),
        payload=_payload(provider, request, name),
        query=_fields(entry["query"], name),
        events=_parse(provider, request),
    )


def _payload(provider: str, request: WebhookRequest, name: str) -> dict[str, Any]:
    text = request.body.decode()
    if not text.strip():
        return {}
    if "json" in request.headers.get("content-type", "") or text.lstrip().startswith("{"):
        return {"body": _json(text, name)}
    fields = _fields(text, name)
    if _JSON_FIELDS.get(provider) in fields:
        return {"body": _json(fields[_JSON_FIELDS[provider]], name)}
    return {"post": fields}


def _json(text: str, name: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise StoryError(f"Entry {name}: the body is not valid JSON.") from error
    if not isinstance(body, Mapping):
        raise StoryError(f"Entry {name}: the body is not a JSON object.")
    return body


def _fields(text: str, name: str) -> dict[str, str]:
    """Return the fields of a form or query; values of a repeated `name[]` are joined by a space."""
    fields: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if key in fields and not key.endswith("[]"):
            raise StoryError(f"Entry {name}: the field {key} occurs twice, which a story cannot express.")
        fields[key] = f"{fields[key]} {value}" if key in fields else value
    return fields


def _parse(provider: str, request: WebhookRequest) -> Sequence[CallEvent]:
    try:
        return load_provider(provider).parse(request, load_pbx(provider).SETTINGS).events
    except Exception:
        # A rejected request is worth a story too; its call ids have to be named by the caller.
        return ()


# ------------------------------------------------------------------ placeholders


def _placeholders(events: Iterable[CallEvent], more: Sequence[str]) -> dict[str, str]:
    """Return the placeholder of each call id, in order of occurrence."""
    ids = [*(one for event in events for one in (event.call_id, event.linked_call_id) if one), *more]
    return {
        call_id: "{call}" if number == 1 else f"{{call{number}}}"
        for number, call_id in enumerate(dict.fromkeys(ids), start=1)
    }


def _event(entry: _Entry, placeholders: Mapping[str, str], start: datetime, zone: tzinfo) -> dict[str, Any]:
    request = entry.request

    def convert(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: convert(inner) for name, inner in value.items() if inner != _MASK}
        if isinstance(value, list):
            return [convert(inner) for inner in value]
        if isinstance(value, bool) or not isinstance(value, str | int):
            return value
        return _moment(value, start, request.arrived_at, zone) or _with_ids(value, placeholders)

    event: dict[str, Any] = {}
    if entry.status != 200:
        event["reply"] = entry.status
    if request.method == "GET":
        event["method"] = "GET"
    for name, value in (("rest", request.rest), ("query", entry.query), *entry.payload.items()):
        if value:
            event[name] = convert(value)
    return event


def _with_ids(value: str | int, placeholders: Mapping[str, str]) -> str | int:
    """Replace the call ids in a text; a longer id wins over a shorter one that it contains."""
    if isinstance(value, int):
        return value
    if value in placeholders:
        return placeholders[value]
    for call_id in sorted(placeholders, key=len, reverse=True):
        if len(call_id) >= _SHORTEST_PART:
            value = value.replace(call_id, placeholders[call_id])
    return value


def _moment(value: str | int, start: datetime, at: datetime, zone: tzinfo) -> str | None:
    """Return the placeholder of a time near the call, or None for any other value."""
    for moment, form in _readings(value, zone):
        if -_PAST <= moment - at <= _FUTURE:
            since_start = round((moment - start).total_seconds())
            since_event = round((moment - at).total_seconds())
            if abs(since_event) <= _NEAR_SECONDS:
                return f"{{time:{form}}}"
            if abs(since_start) <= _NEAR_SECONDS:
                return f"{{start:{form}}}"
            return f"{{time{since_event:+d}:{form}}}"
    return None


def _readings(value: str | int, zone: tzinfo) -> Iterable[tuple[datetime, str]]:
    """Yield each time that the value can stand for, with the form that writes it so."""
    if isinstance(value, int):
        if 10**9 <= value < 10**10:
            yield datetime.fromtimestamp(value, UTC), "integer"
        elif 10**12 <= value < 10**13:
            yield datetime.fromtimestamp(value / 1000, UTC), "milliseconds"
        return
    if re.fullmatch(r"\d{10}", value):
        yield datetime.fromtimestamp(int(value), UTC), "epoch"
    if _ISO.fullmatch(value):
        yield datetime.fromisoformat(value), "iso"
    for pattern in _PATTERNS:
        try:
            read = datetime.strptime(value, pattern)
        except ValueError:
            continue
        if pattern not in _LOCAL:
            yield read.replace(tzinfo=UTC), pattern
        else:
            name = str(zone)
            yield read.replace(tzinfo=zone), pattern if name == "UTC" else f"{name}|{pattern}"


# ------------------------------------------------------------------ expectations


def _expectations(entries: Sequence[_Entry], placeholders: Mapping[str, str]) -> str:
    by_call: dict[str, list[CallEvent]] = {}
    for entry in entries:
        for event in entry.events:
            by_call.setdefault(event.call_id, []).append(event)
    if not by_call:
        return "# No call was recognised. Pass --call-id, and add `expect`; see docs/stories.md.\n"
    lines = ["# Draft: complete `tag`, or set `skip_reason`; see docs/stories.md.", "expect:"]
    for call_id, events in by_call.items():
        outcome = fold(events).outcome or "missed"
        lines += [
            f"  - call: {_text(placeholders[call_id])}",
            f"    outcome: {outcome}",
            "    skip_reason: null",
            "    tag: null",
        ]
    return "\n".join(lines) + "\n"
