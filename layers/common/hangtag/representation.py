"""JSON of calls, tags, comments and missed calls under their public names. Pure.

The table stores these records under older names. The API, the live channel and messages to an outside CRM map a record
here when they send it, so that a name has the same meaning in all three.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hangtag.phone import normalise

__all__ = [
    "RECORDING_STATES",
    "Names",
    "actor",
    "call",
    "comment",
    "external_number",
    "instant",
    "line_number",
    "line_summary",
    "missed_call",
    "recording",
    "summaries",
    "summary",
    "tag",
]

Json = Mapping[str, Any]

# Stored states of a recording that have another public name.
RECORDING_STATES: Mapping[str, str] = {"kept": "archived", "on_request": "on_demand", "not_kept": "skipped"}
_ACTORS = ("employee", "oidc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names behind the ids in a record. An id without an entry belongs to a deleted resource and has no summary.

    `partial`: the names were not looked up; an id without an entry has a summary with the name null.

    `lines` maps a line's number, in E.164 where it can be read, to its name and color. `supervisors` maps an id to its
    type (`employee` or `group`) and name. `show` writes a number (E.164) in the tenant's display format. `country` is
    the tenant's, ISO 3166.
    """

    country: str
    contacts: Mapping[str, str] = field(default_factory=dict)
    employees: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    supervisors: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    show: Callable[[str], str] = str
    partial: bool = False


def instant(moment: str | datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds and `Z`. A text without an offset is UTC. None stays None.

    Raises ValueError for a text that is not a time.
    """
    if moment is None:
        return None
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    utc = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def external_number(raw: str | None, names: Names) -> dict[str, Any]:
    """Return the four properties of the other party's number from the text that the PBX sent.

    The state is `withheld` for an empty text or a word, `unreadable` for digits that are not a phone number, such as
    an extension. All numbers are null then, except the raw text of an unreadable one.
    """
    number = normalise(raw or "", names.country)
    if number is not None:
        return _number(number.e164, raw, names.show(number.e164), "known")
    has_digits = any(character.isdigit() and character != "0" for character in raw or "")
    return _number(None, raw or None, None, "unreadable" if has_digits else "withheld")


def _number(e164: str | None, raw: str | None, formatted: str | None, state: str) -> dict[str, Any]:
    return {
        "external_number": e164,
        "external_number_raw": raw,
        "external_number_formatted": formatted,
        "external_number_state": state,
    }


def line_number(raw: str, country: str) -> str:
    """Return a line's number in E.164; as the PBX sent it if it cannot be read."""
    number = normalise(raw, country)
    return number.e164 if number is not None else raw


def line_summary(raw: str | None, names: Names) -> dict[str, Any] | None:
    """Return the line of a call with its name and color, both null for a line without a name; None without a line."""
    if not raw:
        return None
    number = line_number(raw, names.country)
    name, color = names.lines.get(number) or names.lines.get(raw) or (None, None)
    return {"number": number, "name": name, "color": color}


def summaries(ids: Iterable[str | None], labels: Mapping[str, str], names: Names, label: str = "name") -> list[Any]:
    """Return the summaries of resources, in the order of their ids; `label` is the property of the name."""
    return [{"id": one, label: labels.get(one)} for one in ids if one and (one in labels or names.partial)]


def summary(resource_id: str | None, labels: Mapping[str, str], names: Names, label: str = "name") -> Any:
    """Return the summary of a resource; None without an id."""
    return next(iter(summaries((resource_id,), labels, names, label)), None)


def actor(stored: str | None, names: Names) -> dict[str, Any] | None:
    """Return type, id and name of an actor from the stored `owner`, `operator`, `employee:<id>` or `oidc:<subject>`."""
    if stored is None:
        return None
    kind, _, actor_id = stored.partition(":")
    if kind not in _ACTORS or not actor_id:
        return {"type": kind, "id": None, "name": None}
    return {"type": kind, "id": actor_id, "name": names.employees.get(actor_id) if kind == "employee" else None}


def recording(body: Json) -> dict[str, Any]:
    """Return a recording of a call. `size` is in bytes."""
    state = str(body["state"])
    return {
        "id": body["id"],
        "temporary": body["temporary"],
        "state": RECORDING_STATES.get(state, state),
        "reason": body.get("reason"),
        "size": body.get("size"),
        "media_type": body.get("media_type"),
        "retention_hold": bool(body.get("held")),
    }


def call(body: Json, names: Names) -> dict[str, Any]:
    """Return a call from its stored JSON."""
    return {
        "id": body["id"],
        "integration_id": body["integration_id"],
        "provider": body["provider"],
        "click_to_call": bool(body.get("clicked")),
        "failure_reason": body.get("reason"),
        "pbx_call_id": body["call_id"],
        "direction": body["direction"],
        **external_number(body["external"], names),
        "line": line_summary(body["line"], names),
        "state": body["state"],
        "outcome": body["outcome"],
        "started_at": instant(body["started_at"]),
        "answered_at": instant(body["answered_at"]),
        "ended_at": instant(body["ended_at"]),
        "talk_seconds": body["talk_seconds"],
        "answered_by_extension": body["answered_by"],
        "legs": body["legs"],
        "end_unknown": body["end_unknown"],
        "linked_call_id": body["linked_call_id"],
        "recordings": [recording(one) for one in _recordings(body)],
        "data": body["data"],
        "employee_id": body["employee_id"],
        "employee": summary(body["employee_id"], names.employees, names),
        "employee_ids": list(body.get("employee_ids", ())),
        "employees": summaries(body.get("employee_ids", ()), names.employees, names),
        "contact_id": body["contact_id"],
        "contact": summary(body["contact_id"], names.contacts, names),
        "task_id": body.get("task_id"),
        "task": summary(body.get("task_id"), names.tasks, names, "title"),
        "hidden": bool(body.get("hidden")),
        "tag_id": body["tag_id"],
        "tag_type": body.get("tag_type"),
        "skip_reason": body["skip_reason"],
    }


def _recordings(body: Json) -> list[Any]:
    """Return the stored recordings; calls of the first version have only `recording`."""
    if "recordings" in body:
        return list(body["recordings"])
    return [body["recording"]] if body.get("recording") else []


def tag(body: Json, names: Names) -> dict[str, Any]:
    """Return a tag from its stored JSON. The values of its fields keep the names of the time when it was written."""
    return {
        "id": body["id"],
        "type": body["type"],
        "direction": body["direction"],
        "call_id": body["call_id"],
        "occurred_at": instant(body["at"]),
        "contact_id": body["contact_id"],
        "contact": summary(body["contact_id"], names.contacts, names),
        "task_id": body["task_id"],
        "task": summary(body["task_id"], names.tasks, names, "title"),
        "employee_ids": list(body.get("employee_ids", ())),
        "employees": summaries(body.get("employee_ids", ()), names.employees, names),
        "hidden": body["hidden"],
        "revision": body["revision"],
        "end_unknown": body["end_unknown"],
        "fields": [{**one, "value": _value(one["type"], one["value"])} for one in body["fields"]],
    }


def _value(kind: str, value: Any) -> Any:
    """Return a field's value with its times in the public format."""
    if kind == "date_time" and isinstance(value, str):
        return instant(value)
    if kind == "time_period" and isinstance(value, Mapping):
        return {name: instant(moment) for name, moment in value.items()}
    return value


def missed_call(body: Json, names: Names) -> dict[str, Any]:
    """Return a missed call from its stored JSON.

    The table has its number in E.164, or an empty text for a withheld or unreadable one.
    """
    return {
        "id": body["id"],
        "call_id": body["call_id"],
        "occurred_at": instant(body["at"]),
        **external_number(body["number"], names),
        "line": line_summary(body["line"], names),
        "contact_id": body["contact_id"],
        "contact": summary(body["contact_id"], names.contacts, names),
        "ringing_employees": summaries(body["rung"], names.employees, names),
        "notified_employees": summaries(body["recipients"], names.employees, names),
        "state": body["state"],
        "returned_by_call_id": body["returned_by_call_id"],
        "returned_at": instant(body["returned_at"]),
        "resolved_by": actor(body["resolved_by"], names),
        "resolved_at": instant(body["resolved_at"]),
    }


def comment(body: Json, names: Names) -> dict[str, Any]:
    """Return a comment from its stored JSON, with a summary of its call."""
    facts = body["call"]
    return {
        "id": body["id"],
        "created_at": instant(body["at"]),
        "author": actor(body["author"], names),
        "text": body["text"],
        "contact_id": body["contact_id"],
        "task_id": body["task_id"],
        "call": {
            "id": facts["id"],
            "direction": facts["direction"],
            "outcome": facts["outcome"],
            "started_at": instant(facts["started_at"]),
            **external_number(facts["number"], names),
        },
    }
