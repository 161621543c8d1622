"""Fields of the two tags, with their order and types."""

from datetime import timedelta

import pytest

from calls_helpers import NOON, event
from hangtag.domain.calls.classify import TagType, classify
from hangtag.domain.calls.event import Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.domain.tags import Attachment, AttachRule, Person, Setting, attach, build_tag

CALL_ORDER = [
    ("Date", "date"),
    ("Time", "time_period"),
    ("Type", "list"),
    ("Duration", "number"),
    ("Employee", "employee"),
    ("Contact", "contact"),
    ("External line", "string"),
    ("Contact's number", "string"),
    ("External line name", "string"),
]
MISSED_ORDER = [
    ("Date and time", "date_time"),
    ("Type", "list"),
    ("Contact", "contact"),
    ("External line", "string"),
    ("Contact's number", "string"),
    ("External line name", "string"),
]
SETTING = Setting(
    employee=Person("e1", "Anna"),
    contact=Person("c1", "Ivan"),
    number="+79101234567",
    line_name="Sales",
    time_zone="Pacific/Auckland",
)
HERE = Attachment(contact_id="c1", task_id=None, hidden=False)


def answered_call() -> Call:
    end = event(Kind.ENDED, 66, outcome=Outcome.SUCCESS, talk_seconds=60, data={"utm_source": "site", "a": "b"})
    return fold([event(Kind.RINGING, 0), event(Kind.ANSWERED, 6), end])


def missed_call() -> Call:
    end = event(Kind.ENDED, 20, outcome=Outcome.MISSED, final=True, data={"utm_source": "site"})
    return fold([event(Kind.RINGING, 0), end])


def test_a_call_tag_has_nine_fields_before_the_extra_ones() -> None:
    call = answered_call()
    verdict = classify(call, mapped={"101"}, external_is_employee=False)
    tag = build_tag(call, verdict, SETTING, HERE)
    assert [(field.name, field.type) for field in tag.fields[:9]] == CALL_ORDER
    assert [(field.name, field.value) for field in tag.fields[9:]] == [("a", "b"), ("utm_source", "site")]
    values = {field.name: field.value for field in tag.fields}
    # One in the morning of the next day, at the tenant.
    assert values["Date"] == "2026-03-02"
    end = (NOON + timedelta(seconds=66)).isoformat(timespec="seconds")
    assert values["Time"] == {"start": NOON.isoformat(timespec="seconds"), "end": end}
    assert (values["Type"], values["Duration"]) == ("incoming", 60)
    assert (values["Employee"], values["Contact"]) == (
        {"id": "e1", "name": "Anna"},
        {"id": "c1", "name": "Ivan"},
    )


def test_a_missed_call_tag_has_its_six_fields_in_order() -> None:
    call = missed_call()
    verdict = classify(call, mapped={"101"}, external_is_employee=False)
    tag = build_tag(call, verdict, SETTING, HERE)
    assert [(field.name, field.type) for field in tag.fields] == MISSED_ORDER


def test_building_a_tag_of_a_skipped_call_is_rejected() -> None:
    call = answered_call()
    verdict = classify(call, mapped=set(), external_is_employee=False)
    with pytest.raises(ValueError, match="no tag"):
        build_tag(call, verdict, SETTING, HERE)


def test_a_missed_call_is_visible_on_the_contact_under_any_rule() -> None:
    hidden = AttachRule(to="contact", hidden=True)
    assert attach(TagType.CALL, hidden, "c1").hidden
    missed = attach(TagType.MISSED_CALL, hidden, "c1")
    assert (missed.hidden, missed.contact_id) == (False, "c1")
