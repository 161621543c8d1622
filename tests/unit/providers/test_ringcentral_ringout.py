"""RingOut calls as RingCentral reports them."""

from hangtag.domain.calls.classify import PickUp, SkipReason, TagType
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from ringcentral_helpers import (
    CONTACT,
    OWN,
    dialling,
    events_of,
    initiator,
    notice,
    ring_out,
    ringing,
    target,
    verdict,
)


def test_ring_out_rings_the_employee_then_the_contact() -> None:
    begun = (
        (initiator("Setup"), 0),
        (initiator("Proceeding"), 0.1),
        (initiator("Answered"), 4),
        (target("Proceeding"), 5),
    )
    ended = ((target("Disconnected"), 52), (initiator("Disconnected"), 52))
    call = ring_out(*begun, (target("Answered"), 12), *ended)
    assert (call.direction, call.external, call.line) == (Direction.OUT, CONTACT, OWN)
    assert (call.outcome, call.talk_seconds, call.extensions) == (Outcome.SUCCESS, 40, ("101",))
    assert verdict(call, PickUp.TOLD) == (TagType.CALL, None)
    unanswered = ring_out(*begun, *ended)
    assert (unanswered.outcome, unanswered.picked_up) == (Outcome.NO_ANSWER, True)
    assert verdict(unanswered, PickUp.TOLD) == (TagType.MISSED_CALL, None)


def test_click_without_employee_answer_gets_no_tag() -> None:
    call = ring_out((initiator("Proceeding"), 0), (initiator("Disconnected", "NoAnswer"), 30))
    assert (call.outcome, call.external, call.picked_up) == (Outcome.NO_ANSWER, CONTACT, False)
    assert verdict(call, PickUp.TOLD) == (None, SkipReason.EMPLOYEE_NO_ANSWER)


def test_transferred_ring_out_call_continues() -> None:
    begun = ((initiator("Proceeding"), 0), (initiator("Answered"), 4), (target("Answered"), 12))
    handed = (*begun, (initiator("Disconnected", "BlindTransfer"), 30))
    events = [event for item, after in handed for event in events_of(notice(item, after=after, origin="RingOut"))]
    assert not fold(events).closed
    call = ring_out(*handed, (target("Disconnected"), 52))
    assert (call.outcome, call.talk_seconds) == (Outcome.SUCCESS, 40)


def test_ring_out_is_recognised_without_roles() -> None:
    expected = events_of(notice(initiator("Proceeding"), origin="RingOut"))
    assert events_of(notice(dialling("Proceeding"), origin="RingOut")) == expected
    assert events_of(notice(ringing("Proceeding"), origin="RingOut")) == expected
    bare = {name: value for name, value in target("Answered").items() if name != "ringOutRole"}
    ours = events_of(notice(bare, origin="RingOut"))
    assert ours == events_of(notice(target("Answered"), origin="RingOut"))
    assert [(event.kind, event.extension) for event in ours] == [(Kind.ANSWERED, None)]
