"""Call stories of the telephony API: complete, sourced, and correct by the domain rules alone."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hangtag.domain.calls.classify import SkipReason, Verdict, classify
from hangtag.domain.calls.fold import Call
from hangtag.phone import normalise
from local.simulator import faults
from local.simulator.story import (
    EVENTS,
    NEW_CONTACT,
    PROVIDER,
    Event,
    Expectation,
    Story,
    StoryError,
    choose,
    fill,
    load_office_plan,
    load_stories,
    load_story,
)
from provider_stories import assert_described, line

PLAN = load_office_plan()
STORIES = load_stories()
EXTENSIONS = {employee.extension: employee.name for employee in PLAN.employees}
STRANGERS = {"199"}
REQUIRED = {
    "answered_incoming",
    "outgoing_answered",
    "outgoing_busy",
    "outgoing_no_answer",
    "parallel_group_answered_by_second",
    "parallel_group_answered_by_nobody",
    "sequential_group_answered_by_third",
    "internal",
    "unknown_extension",
    "group_answered_by_unmapped_extension",
    "two_withheld_callers",
    "employee_own_number",
    "recording_link_late",
    "lost_hangup",
    "hangup_only",
    "transfer_to_linked_call",
    "two_calls_at_once",
    "same_call_id_at_two_tenants",
}
# Without the hang-up these have no events or another result; or the hang-up is already missing.
WITHOUT_HANGUP_MARK = {"closed_hours", "hangup_only", "lost_hangup", "missed_though_accepted"}
FIELDS = {
    "event": {
        *("cmd", "type", "event", "phone", "diversion", "ext", "callid", "duration", "status"),
        *("is_recorded", "record_link", "event_id", "final", "second_callid"),
    },
    "record": {"cmd", "callid", "is_temp", "record_link", "event_id"},
}
IDS = {"call": "A1", "call2": "B2"}
SECRET = "0123456789abcdef"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
each_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


def folded(events: Iterable[Event], *, gaps: bool = True) -> dict[tuple[str, str], Call]:
    """Return every call of the events, closed."""
    spaced = [event if gaps else event.model_copy(update={"after": 0.01}) for event in events]
    return line(PROVIDER).folded(spaced)


def verdict_on(call: Call) -> Verdict:
    """Return the domain's verdict on a call in the stories' office."""
    number = normalise(call.external or "", PLAN.country)
    own = [phone for employee in PLAN.employees for phone in employee.phones]
    is_employee = number is not None and number.e164 in own
    return classify(call, mapped=EXTENSIONS.keys(), external_is_employee=is_employee)


def assert_as_expected(expected: Expectation, call: Call) -> None:
    verdict = verdict_on(call)
    assert call.outcome == expected.outcome
    assert verdict.skip == expected.skip_reason
    if "linked" in expected.model_fields_set:
        assert call.linked_call_id == (fill(expected.linked, IDS) if expected.linked else None)
    if "recording" in expected.model_fields_set:
        url = call.recording.url if call.recording else None
        assert url == (fill(expected.recording, IDS) if expected.recording else None)
    tag = expected.tag
    if tag is None:
        assert verdict.tag is None
        return
    assert (verdict.tag, verdict.direction) == (tag.type, tag.direction)
    assert (call.end_unknown, call.line or "") == (tag.end_unknown, tag.line)
    number = normalise(call.external or "", PLAN.country)
    assert (number.e164 if number else call.external) == tag.number
    if tag.type == "call":
        assert EXTENSIONS.get(call.answered_by or "") == tag.employee
        assert dict(call.data) == dict(tag.extra)
        if "duration" in tag.model_fields_set:
            assert call.talk_seconds == tag.duration


def assert_story(story: Story, events: Sequence[Event], *, gaps: bool = True) -> None:
    calls = folded(events, gaps=gaps)
    assert calls.keys() == {(expected.tenant, fill(expected.call, IDS)) for expected in story.expect}
    for expected in story.expect:
        assert_as_expected(expected, calls[expected.tenant, fill(expected.call, IDS)])


def test_all_required_stories_exist() -> None:
    assert {story.name for story in STORIES} >= REQUIRED


@each_story
def test_story_has_a_description_with_its_source(story: Story) -> None:
    assert_described(story)


@each_story
def test_story_has_one_expectation_for_each_of_its_calls(story: Story) -> None:
    played = {(event.tenant, event.call_id) for event in story.events}
    expected = [(expectation.tenant, expectation.call) for expectation in story.expect]
    assert sorted(expected) == sorted(played, key=str), f"{story.path}: `expect` needs one entry for each call."


@each_story
def test_story_names_people_with_lines_of_the_office(story: Story) -> None:
    lines = {line.name for line in PLAN.lines}
    for tag in (expected.tag for expected in story.expect):
        if tag is None:
            continue
        people = {None, NEW_CONTACT, *(contact.name for contact in PLAN.contacts)}
        assert tag.employee in {None, *EXTENSIONS.values()}, f"{story.path}: `employee` must be one of the office."
        assert tag.contact in people, f"{story.path}: `contact` must be one of the office, or `new`."
        assert tag.line_name in lines | {""}, f"{story.path}: `line_name` must be a line of the office."
        if tag.type == "missed_call":
            rule = f"{story.path}: a Missed Call has no employee, no duration and no extra fields."
            assert (tag.employee, tag.duration, dict(tag.extra)) == (None, None, {}), rule
    rung = {event.post["ext"] for event in story.events if event.post.get("ext")}
    rule = f"{story.path}: `ext` must be an extension of the office, or 199 for the guard."
    assert rung <= EXTENSIONS.keys() | STRANGERS, rule


@each_story
def test_expected_contact_of_a_story_has_the_number(story: Story) -> None:
    cards = {
        number.e164: contact.name
        for contact in PLAN.contacts
        for phone in contact.phones
        if (number := normalise(phone, PLAN.country))
    }
    for tag in (expected.tag for expected in story.expect):
        if tag is not None:
            readable = normalise(tag.number, PLAN.country) is not None
            rule = f"{story.path}: `contact` must be the contact with the number {tag.number}."
            assert tag.contact == cards.get(tag.number, NEW_CONTACT if readable else None), rule


@each_story
def test_story_uses_documented_parameters_only(story: Story) -> None:
    for event in story.events:
        names = {name for name in event.post if not name.startswith("data_")}
        undocumented = names - FIELDS[event.post["cmd"]]
        assert not undocumented, f"{story.path}: fields that the telephony API does not document."
        rule = f"{story.path}: `status` belongs to COMPLETED events, and each of these has one."
        assert ("status" in names) == (event.post.get("event") == "COMPLETED"), rule


@each_story
def test_story_marks_the_hang_ups_that_can_be_lost(story: Story) -> None:
    marked = [event for event in story.events if event.hangup]
    rule = f"{story.path}: a story marks its last events with `hangup`, unless it is in WITHOUT_HANGUP_MARK."
    assert bool(marked) == (story.name not in WITHOUT_HANGUP_MARK), rule
    assert all(event.post["event"] == "COMPLETED" for event in marked), f"{story.path}: `hangup` marks COMPLETED."


@each_story
def test_gaps_of_a_story_add_up_to_the_talk_time(story: Story) -> None:
    at = 0.0
    answered: dict[tuple[str, str | None, str | None], float] = {}
    for event in story.events:
        at += event.after
        leg = (event.tenant, event.call_id, event.post.get("ext"))
        if event.post.get("event") == "ACCEPTED":
            answered[leg] = at
        elif leg in answered and event.post.get("status") == "Success":
            talk = pytest.approx(float(event.post["duration"]), abs=1)
            assert at - answered[leg] == talk, f"{story.path}: `after` must add up to `duration`."


@each_story
def test_story_folds_to_the_expected_calls(story: Story) -> None:
    assert_story(story, story.events)


@each_story
@pytest.mark.parametrize("seed", range(5))
def test_shuffled_duplicates_of_a_story_fold_to_the_same_calls(story: Story, seed: int) -> None:
    events = faults.shuffle(faults.duplicate(story.events, 2), seed)
    assert_story(story, events, gaps=False)


@each_story
def test_story_without_hang_ups_folds_to_a_call_of_unknown_end(story: Story) -> None:
    cut = faults.without_hangups(story)
    assert_story(cut, cut.events)


def test_error_of_an_unknown_story_lists_the_existing_ones() -> None:
    with pytest.raises(StoryError, match=r"no_such_story.*answered_incoming"):
        load_story("no_such_story")
    assert choose(["internal", "all"]) == STORIES
    assert [story.name for story in choose(["internal"])] == ["internal"]


def test_number_without_quotes_is_rejected_with_its_field(tmp_path: Path) -> None:
    broken = (EVENTS / "office.yaml").read_text().replace('"101"', "0101")
    path = tmp_path / "broken.yaml"
    path.write_text(broken)
    with pytest.raises(StoryError, match=r"(?s)broken\.yaml.*extension"):
        load_office_plan(path)


def test_skip_reasons_of_stories_exist_in_the_product() -> None:
    reasons = {expected.skip_reason for story in STORIES for expected in story.expect}
    assert reasons - {None} <= set(SkipReason)
