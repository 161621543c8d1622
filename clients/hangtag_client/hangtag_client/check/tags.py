"""The tag that Hangtag would write for the received events, from the product's own code. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import CallEvent, Kind
from hangtag.domain.calls.fold import Call, fold
from hangtag.domain.tags import AttachRule, Person, Setting, Tag, attach, build_tag

__all__ = ["tag_lines"]


def tag_lines(events: Sequence[CallEvent]) -> list[str]:
    """Return the tag of one call as lines, not masked. Every extension counts as an employee's."""
    call = _closed(events)
    if not call.closed:
        return ["Hangtag would wait for the end of this call, and write a tag without one after 4 hours (end_unknown)."]
    # All extensions are mapped, so that the result depends on the bridge only.
    decision = classify(call, mapped=frozenset(call.extensions), external_is_employee=False)
    if decision.tag is None:
        return [f"Hangtag would write no tag for this call: {decision.skip}."]
    extension = call.answered_by
    setting = Setting(employee=Person(extension, f"extension {extension}") if extension else None, number=call.external)
    tag = build_tag(call, decision, setting, attach(decision.tag, AttachRule(), None))
    title = str(decision.tag).replace("_", " ").title()
    return [f"Hangtag would write the tag {title}:", *_fields(tag), *_recording(call)]


def _closed(events: Sequence[CallEvent]) -> Call:
    """Return the call after the settle time, when Hangtag closes calls that ended without success."""
    call = fold(events)
    if call.closed or call.quiet_since is None:
        return call
    settled = CallEvent(
        call_id=call.call_id,
        kind=Kind.SETTLED,
        at=call.quiet_since + timedelta(seconds=1),
        legs=call.rounds,
        event_id=f"quiet-{call.rounds}",
    )
    return fold([*events, settled])


def _fields(tag: Tag) -> list[str]:
    lines = []
    for field in tag.fields:
        value = field.value
        if field.type == "time_period" and isinstance(value, dict):
            value = f"{value['start']} to {value['end']}"
        elif isinstance(value, dict):
            value = value["name"]
        lines.append(f"  {field.name}: {'' if value is None else value}".rstrip())
    return lines


def _recording(call: Call) -> list[str]:
    if call.recording is None:
        return []
    return ["  (with a recording that can be downloaded once)" if call.recording.temporary else "  (with a recording)"]
