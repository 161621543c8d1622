"""Decisions of the tracker from the call's item."""

from dataclasses import replace

import pytest

from calls_helpers import event
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.services.calls.tracker import Actions, decide
from hangtag.store.calls.items import CallerLookup, CallItem, CallKey
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus

RINGING = event(Kind.RINGING, 0)
MISSED = event(Kind.ENDED, 20, outcome=Outcome.MISSED)
HUNG_UP = event(Kind.ENDED, 60, outcome=Outcome.SUCCESS, talk_seconds=50)


def item(*events: CallEvent, waiting: bool = False, emitted: bool = False, live: bool = True) -> CallItem:
    """Return a call's item; `waiting`: its execution stored a token; `emitted`: its tag is current."""
    bare = CallItem(
        key=CallKey("T#t#CALL#i#0", "CALL#0000"),
        tenant_id="t",
        integration_id="i",
        provider="telephony_api",
        call_id="call-1",
        events=events,
        count=len(events),
        attempt=0,
        execution=None,
        task_token=None,
        emitted=None,
        live_due="2026-03-01T12:05:00+00:00" if live else None,
        body=None,
        has_next=False,
        met=CallerLookup("contact", answered=False),
    )
    if waiting:
        bare = replace(bare, execution=bare.execution_name, task_token="token")
    if emitted:
        bare = replace(bare, emitted=bare.fold().digest(), task_token=None)
    return bare


@pytest.mark.parametrize(
    ("call", "actions"),
    [
        (item(RINGING), Actions(start=True)),
        (item(RINGING, waiting=True), Actions()),
        (item(RINGING, HUNG_UP, waiting=True), Actions(succeed=True)),
        (item(RINGING, HUNG_UP), Actions(start=True)),
        (item(RINGING, MISSED, waiting=True), Actions(settle=True)),
        (item(RINGING, MISSED), Actions(start=True, settle=True)),
        (item(RINGING, HUNG_UP, waiting=True, emitted=True, live=False), Actions()),
        (item(RINGING, HUNG_UP, waiting=True, emitted=True), Actions(amend=True)),
    ],
    ids=[
        "a new call starts its execution",
        "an open call with a waiting execution needs no action",
        "a hang-up resumes the execution",
        "a hang-up before the token only starts the execution",
        "a quiet call is settled later",
        "a quiet call without an execution starts one",
        "a tagged call needs no action",
        "a tagged call with an irrelevant event is removed from the live list",
    ],
)
def test_call_gets_the_actions_that_its_state_needs(call: CallItem, actions: Actions) -> None:
    assert decide(call, call.fold(), "always") == actions


def test_change_after_the_tag_amends_it_with_new_recordings() -> None:
    tagged = item(RINGING, HUNG_UP, waiting=True, emitted=True)
    recorded = event(Kind.RECORDED, 90, "", recording="https://pbx/1")
    changed = replace(tagged, events=(*tagged.events, recorded), count=3)
    call = changed.fold()
    (recording,) = call.recordings
    assert decide(changed, call, "always") == Actions(amend=True, recordings=(recording.id,))
    # A recording with a state is not queued again.
    processed = replace(changed, recordings={recording.id: RecordingState(state=RecordingStatus.WAITING)})
    assert decide(processed, call, "always") == Actions(amend=True)


def test_task_token_stored_after_the_tag_resumes_its_execution() -> None:
    tagged = replace(item(RINGING, HUNG_UP, waiting=True, emitted=True), task_token="late")
    assert decide(tagged, tagged.fold(), "always").succeed


def test_raised_attempt_starts_another_execution() -> None:
    lost = replace(item(RINGING, waiting=True), attempt=1)
    assert decide(lost, lost.fold(), "always").start
    assert lost.execution_name.endswith("-1")


ANSWERED = event(Kind.ANSWERED, 5)
INTERNAL = event(Kind.RINGING, 0, direction=Direction.INTERNAL)


@pytest.mark.parametrize(
    ("call", "met", "create_unknown", "expected"),
    [
        (item(RINGING), None, "always", True),
        (item(RINGING), None, "never", True),
        (item(RINGING, waiting=True), None, "always", False),
        (item(RINGING), CallerLookup(None, answered=False), "always", False),
        (item(RINGING), CallerLookup(None, answered=False), "answered_only", False),
        (item(RINGING, ANSWERED), CallerLookup(None, answered=False), "answered_only", True),
        (item(RINGING, ANSWERED), CallerLookup(None, answered=True), "answered_only", False),
        (item(RINGING, ANSWERED), CallerLookup("contact", answered=False), "answered_only", False),
        (item(RINGING, HUNG_UP), None, "always", False),
        (item(INTERNAL), None, "always", False),
    ],
)
def test_caller_is_looked_up_while_ringing_or_for_a_new_contact(
    call: CallItem, met: CallerLookup | None, create_unknown: str, expected: bool
) -> None:
    ringing = replace(call, met=met)
    assert decide(ringing, ringing.fold(), create_unknown).lookup_caller is expected
