"""The tag that Hangtag would write for what was heard, by the product's own fold and classify. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import CallEvent, Kind
from hangtag.domain.calls.fold import Call, fold
from hangtag.domain.tags import AttachRule, Person, Setting, Tag, attach, build_tag

__all__ = ["tag_lines"]


def tag_lines(events: Sequence[CallEvent]) -> list[str]:
    """The tag of one call in a few lines, not masked: as if each extension were an employee's."""
    call = _closed(events)
    if not call.closed:
        return ["Hangtag would still wait for this call's end, and after 4 hours tag what is known (end_unknown)."]
    # In an office that maps everything: what the bridge says decides, not how an office is set up.
    verdict = classify(call, mapped=frozenset(call.extensions), external_is_employee=False)
    if verdict.tag is None:
        return [f"Hangtag would write no tag for this call: {verdict.skip}."]
    who = call.answered_by
    setting = Setting(employee=Person(who, f"extension {who}") if who else None, number=call.external)
    tag = build_tag(call, verdict, setting, attach(verdict.tag, AttachRule(), None))
    title = str(verdict.tag).replace("_", " ").title()
    return [f"Hangtag would write the tag {title}:", *_fields(tag), *_recording(call)]


def _closed(events: Sequence[CallEvent]) -> Call:
    """The call after the settle time: what ends without success is closed by Hangtag itself."""
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
    return ["  (with a recording to be fetched once)" if call.recording.temporary else "  (with a recording)"]
