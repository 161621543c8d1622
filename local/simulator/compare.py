"""Comparison of a call and its tags, as the API returns them, with a story's expectation. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangtag.domain.calls.fold import Recording
from local.simulator.story import NEW_CONTACT, NEW_TASK, Expectation, ExpectedTag, fill

# Name and type of each field, in the fixed order of a tag.
_LINE_FIELDS = (
    ("External line", "string"),
    ("Contact's number", "string"),
    ("External line name", "string"),
)
FIELDS = {
    "call": (
        ("Date", "date"),
        ("Time", "time_period"),
        ("Type", "list"),
        ("Duration", "number"),
        ("Employee", "employee"),
        ("Contact", "contact"),
        *_LINE_FIELDS,
    ),
    "missed_call": (
        ("Date and time", "date_time"),
        ("Type", "list"),
        ("Contact", "contact"),
        *_LINE_FIELDS,
    ),
}
_TYPE = {"in": "incoming", "out": "outgoing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Ids of an office's employees, contacts and tasks by name, taken before the calls to recognise new contacts."""

    employees: Mapping[str, str]
    contacts: Mapping[str, str]
    tasks: Mapping[str, str] = field(default_factory=dict)


def compare(
    expected: Expectation,
    ids: Mapping[str, str],
    people: People,
    calls: Sequence[Mapping[str, Any]],
    tags: Sequence[Mapping[str, Any]],
) -> tuple[str, ...]:
    """Return one sentence for each difference between the expectation and the calls of one call id; empty if none.

    `calls` and `tags` are items of the API's lists, with all calls of the id; `ids` are the run's call ids.
    """
    if len(calls) != 1:
        return (f"expected one call of this id, there are {len(calls)}",)
    (call,) = calls
    mismatches = list(_call_mismatches(expected, ids, call))
    if expected.tag is None:
        mismatches += [f"expected no tag, there are {len(tags)}"] if tags else []
        mismatches += _differs("tag_id of the call", None, call.get("tag_id"))
        return tuple(mismatches)
    if len(tags) != 1:
        return (*mismatches, f"expected one tag, there are {len(tags)}")
    (tag,) = tags
    mismatches += _differs("tag_id of the call", tag.get("id"), call.get("tag_id"))
    mismatches += _differs("call_id of the tag", call.get("id"), tag.get("call_id"))
    mismatches += _tag_mismatches(expected.tag, people, tag)
    return tuple(mismatches)


def _call_mismatches(expected: Expectation, ids: Mapping[str, str], call: Mapping[str, Any]) -> Iterable[str]:
    yield from _differs("state", "closed", call.get("state"))
    yield from _differs("outcome", expected.outcome, call.get("outcome"))
    yield from _differs("skip_reason", expected.skip_reason, call.get("skip_reason"))
    compared = expected.model_fields_set
    if "linked" in compared:
        linked = fill(expected.linked, ids) if expected.linked else None
        yield from _differs("linked_call_id", linked, call.get("linked_call_id"))
    recordings: Sequence[Mapping[str, Any]] = call.get("recordings") or ()
    recording: Mapping[str, Any] = recordings[-1] if recordings else {}
    if "recording" in compared:
        # The API does not return the recording's place in the PBX, but the id depends on it.
        recording_id = Recording(fill(expected.recording, ids), temporary=False).id if expected.recording else None
        yield from _differs("recording", recording_id, recording.get("id"))
    if expected.recording_is_temporary is not None:
        temporary = expected.recording_is_temporary
        yield from _differs("temporary recording", temporary, recording.get("temporary"))


def _tag_mismatches(expected: ExpectedTag, people: People, tag: Mapping[str, Any]) -> Iterable[str]:
    kind = tag.get("type")
    if kind != expected.type:
        # A Call and a Missed Call have different fields.
        yield from _differs("type of tag", expected.type, kind)
        return
    yield from _differs("direction", expected.direction, tag.get("direction"))
    yield from _differs("hidden", expected.hidden, tag.get("hidden"))
    yield from _task_mismatches(expected.task, people, tag.get("task_id"))
    yield from _differs("end_unknown", expected.end_unknown, bool(tag.get("end_unknown")))
    fields = [(field["name"], field["type"]) for field in tag["fields"]]
    fixed = list(FIELDS[expected.type])
    if fields[: len(fixed)] != fixed:
        yield f"fields: expected {fixed}, found {fields[: len(fixed)]}"
        return
    values = {field["name"]: field["value"] for field in tag["fields"]}
    yield from _differs("Type", _TYPE[expected.direction], values["Type"])
    yield from _contact_mismatches(expected.contact, people, tag, values["Contact"])
    yield from _differs("Contact's number", expected.number, values["Contact's number"])
    yield from _differs("External line", expected.line, values["External line"])
    yield from _differs("External line name", expected.line_name, values["External line name"])
    if expected.type == "call":
        yield from _person_mismatches("Employee", expected.employee, people.employees, values["Employee"])
        if "duration" in expected.model_fields_set:
            yield from _differs("Duration", expected.duration, values["Duration"])
    extra = {field["name"]: field["value"] for field in tag["fields"][len(fixed) :]}
    yield from _differs("extra fields", dict(expected.extra), extra)


def _contact_mismatches(expected: str | None, people: People, tag: Mapping[str, Any], value: Any) -> Iterable[str]:
    contact_id = value["id"] if value else None
    yield from _differs("contact_id of the tag", contact_id, tag.get("contact_id"))
    if expected != NEW_CONTACT:
        yield from _person_mismatches("Contact", expected, people.contacts, value)
    elif value is None:
        yield "Contact: expected a new one, there is none"
    elif contact_id in people.contacts.values():
        yield f"Contact: expected a new one, found {value['name']!r}, which existed before"


def _task_mismatches(expected: str | None, people: People, task_id: str | None) -> Iterable[str]:
    if expected == NEW_TASK:
        if task_id is None or task_id in people.tasks.values():
            yield f"task: expected a new one, found {task_id}"
        return
    title = next((title for title, existing in people.tasks.items() if existing == task_id), task_id)
    yield from _differs("task", expected, title)


def recipient_mismatches(expected: Iterable[str], people: People, ids: Iterable[str]) -> Iterable[str]:
    """Yield a mismatch unless the notified employees of a missed call are the expected ones."""
    names = {employee_id: name for name, employee_id in people.employees.items()}
    yield from _differs("recipients", sorted(expected), sorted(names.get(one, one) for one in ids))


def _person_mismatches(what: str, expected: str | None, ids: Mapping[str, str], value: Any) -> Iterable[str]:
    name = value["name"] if value else None
    yield from _differs(what, expected, name)
    if value and name == expected and name is not None:
        yield from _differs(f"{what}'s id", ids.get(name), value["id"])


def _differs(what: str, expected: Any, actual: Any) -> list[str]:
    # True equals 1 in Python, but not in JSON.
    if type(expected) is type(actual) and expected == actual:
        return []
    return [f"{what}: expected {expected!r}, found {actual!r}"]
