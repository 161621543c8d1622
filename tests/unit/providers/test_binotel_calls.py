"""Binotel's records of completed calls."""

from datetime import timedelta
from typing import Any

import pytest

from binotel_helpers import BINOTEL, KEYS, webhook
from hangtag.domain.calls.event import Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    PayloadError,
)
from hangtag.services.webhooks.handler import MAX_BODY_BYTES
from provider_stories import NOON


@pytest.mark.parametrize(
    ("disposition", "incoming", "outgoing"),
    [
        ("ANSWER", Outcome.SUCCESS, Outcome.SUCCESS),
        ("TRANSFER", Outcome.SUCCESS, Outcome.SUCCESS),
        ("BUSY", Outcome.MISSED, Outcome.BUSY),
        ("NOANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("CANCEL", Outcome.MISSED, Outcome.CANCELLED),
        ("CONGESTION", Outcome.MISSED, Outcome.FAILED),
        ("CHANUNAVAIL", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("VM-SUCCESS", Outcome.MISSED, Outcome.NO_ANSWER),
        ("SOMETHING", Outcome.MISSED, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_completed_call_is_parsed_from_form_or_json(
    disposition: str, incoming: Outcome, outgoing: Outcome, as_json: bool
) -> None:
    for kind, expected in (("0", incoming), ("1", outgoing)):
        details = {"generalCallID": "7", "startTime": str(int(NOON.timestamp()) - 60), "callType": kind,
                   "internalNumber": "901", "externalNumber": "0671112233", "waitsec": "5", "billsec": "30",
                   "disposition": disposition, "recordingStatus": "uploading"}  # fmt: skip
        if as_json:
            body: dict[str, Any] = {**details, "pbxNumberData": {"number": "0441112233", "name": "Main"}}
            request = webhook({"requestType": "apiCallCompleted", "callDetails": body}, as_json=True)
        else:
            form = {f"callDetails[{name}]": value for name, value in details.items()}
            form |= {"callDetails[pbxNumberData][number]": "0441112233", "callDetails[historyData][0][billsec]": "30"}
            request = webhook({"requestType": "apiCallCompleted", **form})
        (result,) = BINOTEL.parse(request, {}).events
        talked = 30 if expected is Outcome.SUCCESS else 0
        assert (result.outcome, result.talk_seconds, result.final, result.line) == (
            expected,
            talked,
            True,
            "0441112233",
        )
        assert result.at == NOON - timedelta(seconds=60 - 5 - talked)
        assert result.recording == "7"


def test_completed_call_names_phones_that_did_not_answer() -> None:
    details = {"generalCallID": "7", "callType": "0", "disposition": "CANCEL", "externalNumber": "0671112233",
               "historyData": [{"internalNumber": "901"}, {"internalNumber": "902"}, None, {"waitsec": 1}]}  # fmt: skip
    request = webhook({"requestType": "apiCallCompleted", "callDetails": details}, as_json=True)
    call = fold(BINOTEL.parse(request, {}).events)
    assert (call.closed, call.outcome, call.extensions) == (True, Outcome.MISSED, ("901", "902"))
    answered = {**details, "disposition": "ANSWER", "billsec": 9, "internalNumber": "902"}
    call = fold(
        BINOTEL.parse(webhook({"requestType": "apiCallCompleted", "callDetails": answered}, as_json=True), {}).events
    )
    assert (call.answered_by, call.talk_seconds, sorted(call.extensions)) == ("902", 9, ["901", "902"])


def test_completed_call_with_a_long_queue_is_parsed() -> None:
    """Each ring of each phone has seven fields."""
    form = {"callDetails[generalCallID]": "7", "callDetails[callType]": "0", "callDetails[disposition]": "NOANSWER"}
    parts = ("waitsec", "billsec", "disposition", "internalAdditionalData", "employeeData][name", "employeeData][email")
    for ring in range(60):
        row = f"callDetails[historyData][{ring}]"
        form |= {f"{row}[{part}]": "0" for part in parts} | {f"{row}[internalNumber]": str(901 + ring % 20)}
    request = webhook({"requestType": "apiCallCompleted", **form})
    assert len(request.body) < MAX_BODY_BYTES
    BINOTEL.verify(request, KEYS)
    assert len(fold(BINOTEL.parse(request, {}).events).extensions) == 20


def test_calls_in_progress_do_not_end() -> None:
    for disposition in ("ONLINE", "calling", "SMS-SENDING", "SMS-SUCCESS", "sms-failed"):
        request = webhook({"requestType": "hangupTheCall", "generalCallID": "1", "disposition": disposition})
        assert BINOTEL.parse(request, {}).events == ()
        request = webhook({
            "requestType": "apiCallCompleted", "callDetails[generalCallID]": "1",
            "callDetails[disposition]": disposition,
        })  # fmt: skip
        assert BINOTEL.parse(request, {}).events == ()


@pytest.mark.parametrize("status", ["", "none", "0", "NO"])
def test_call_without_recording_has_no_reference(status: str) -> None:
    form = {"callDetails[generalCallID]": "1", "callDetails[recordingStatus]": status}
    (result,) = BINOTEL.parse(webhook({"requestType": "apiCallCompleted", **form}), {}).events
    assert result.recording is None


def test_malformed_completed_call_is_rejected() -> None:
    for form in ({}, {"callDetails": "x"}, {"callDetails[]": "1"}, {"callDetails[generalCallID][x]": "1"}):
        with pytest.raises(PayloadError):
            BINOTEL.parse(webhook({"requestType": "apiCallCompleted", **form}), {})
