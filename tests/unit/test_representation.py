"""Public names of calls, tags, comments and missed calls: one test per mapping."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hangtag import masks, representation
from hangtag.representation import Names
from hangtag.settings import DisplayFormat
from hangtag.store.calls.live import WindowState
from hangtag.store.office import names as stored_names

NAMES = Names(
    country="DE",
    contacts={"acme": "Acme GmbH"},
    employees={"anna": "Anna Schmidt"},
    tasks={"offer": "Send the offer"},
    lines={"+4930901820": ("Support", "#2f80ed")},
    show=lambda e164: f"<{e164}>",
)
CALL: dict[str, Any] = {
    "id": "i.c.0000",
    "integration_id": "i",
    "provider": "telnyx",
    "clicked": True,
    "reason": "The PBX did not report the call.",
    "call_id": "pbx-1",
    "direction": "in",
    "external": "12015550123",
    "line": "4930901820",
    "state": "closed",
    "outcome": "success",
    "started_at": "2026-11-30T20:41:53.855+00:00",
    "answered_at": None,
    "ended_at": "2026-11-30T20:42:43+00:00",
    "talk_seconds": 42,
    "answered_by": "101",
    "legs": [],
    "end_unknown": False,
    "linked_call_id": None,
    "recording": None,
    "recordings": [
        {"id": "r", "temporary": False, "state": "kept", "size": 5, "media_type": "audio/mpeg", "held": True}
    ],
    "data": {},
    "employee_id": "anna",
    "employee_ids": ["anna", "deleted"],
    "contact_id": "acme",
    "task_id": "offer",
    "hidden": False,
    "tag_id": "t",
    "tag_type": "call",
    "skip_reason": None,
}
TAG: dict[str, Any] = {
    "id": "t",
    "type": "call",
    "direction": "in",
    "call_id": "i.c.0000",
    "contact_id": "acme",
    "task_id": None,
    "employee_ids": ["anna"],
    "hidden": False,
    "revision": 1,
    "end_unknown": False,
    "at": "2026-11-30T20:41:53+00:00",
    "fields": [
        {"name": "Time", "type": "time_period", "value": {"start": "2026-11-30T20:41:53+00:00", "end": None}},
        {"name": "Date and time", "type": "date_time", "value": "2026-11-30T20:41:53+00:00"},
        {"name": "Duration", "type": "number", "value": 42},
    ],
}
MISSED: dict[str, Any] = {
    "id": "t",
    "call_id": "i.c.0000",
    "at": "2026-11-30T20:41:53+00:00",
    "number": "+12015550123",
    "line": None,
    "contact_id": None,
    "rung": ["anna"],
    "recipients": ["anna", "deleted"],
    "state": "resolved",
    "returned_by_call_id": None,
    "returned_at": None,
    "resolved_by": "employee:anna",
    "resolved_at": "2026-11-30T21:05:00.120+00:00",
}
COMMENT: dict[str, Any] = {
    "id": "k",
    "at": "2026-11-30T20:45:10.120+00:00",
    "author": "oidc:subject",
    "text": "Call back on Monday.",
    "contact_id": "acme",
    "task_id": None,
    "call": {"id": "i.c.0000", "direction": "in", "outcome": "success", "started_at": None, "number": "12015550123"},
}


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (None, None),
        ("2026-11-30T20:41:53+00:00", "2026-11-30T20:41:53.000Z"),
        ("2026-11-30T20:41:53.855123+02:00", "2026-11-30T18:41:53.855Z"),
        ("2026-11-30T20:41:53", "2026-11-30T20:41:53.000Z"),
        (datetime(2026, 11, 30, 20, 41, 53, tzinfo=UTC), "2026-11-30T20:41:53.000Z"),
    ],
)
def test_an_instant_is_utc_with_milliseconds_and_z(moment: str | datetime | None, shown: str | None) -> None:
    assert representation.instant(moment) == shown


@pytest.mark.parametrize(
    ("raw", "number", "raw_shown", "formatted", "state"),
    [
        ("12015550123", "+12015550123", "12015550123", "<+12015550123>", "known"),
        ("030 901820", "+4930901820", "030 901820", "<+4930901820>", "known"),
        ("", None, None, None, "withheld"),
        (None, None, None, None, "withheld"),
        ("anonymous", None, "anonymous", None, "withheld"),
        ("0", None, "0", None, "withheld"),
        ("101", None, "101", None, "unreadable"),
    ],
)
def test_the_external_number_has_four_properties(
    raw: str | None, number: str | None, raw_shown: str | None, formatted: str | None, state: str
) -> None:
    assert representation.external_number(raw, NAMES) == {
        "external_number": number,
        "external_number_raw": raw_shown,
        "external_number_formatted": formatted,
        "external_number_state": state,
    }


def test_a_number_uses_the_first_display_format_of_its_length() -> None:
    formats = [DisplayFormat(type="Short", mask="## ##"), DisplayFormat(type="US", mask="+# (###) ###-####")]
    assert masks.show_any(formats, "+12015550123") == "+1 (201) 555-0123"
    assert masks.show_any(formats, "+4930901820") == "+4930901820"


def test_a_line_is_shown_in_e164_with_its_name() -> None:
    assert representation.line_summary("4930901820", NAMES) == {
        "number": "+4930901820",
        "name": "Support",
        "color": "#2f80ed",
    }
    assert representation.line_summary("sip", NAMES) == {"number": "sip", "name": None, "color": None}
    assert representation.line_summary(None, NAMES) is None


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("employee:anna", {"type": "employee", "id": "anna", "name": "Anna Schmidt"}),
        ("employee:deleted", {"type": "employee", "id": "deleted", "name": None}),
        ("oidc:subject:1", {"type": "oidc", "id": "subject:1", "name": None}),
        ("owner", {"type": "owner", "id": None, "name": None}),
        ("operator", {"type": "operator", "id": None, "name": None}),
        (None, None),
    ],
)
def test_an_actor_has_a_type_an_id_and_a_name(stored: str | None, shown: dict[str, Any] | None) -> None:
    assert representation.actor(stored, NAMES) == shown


def test_a_call_has_its_public_names() -> None:
    shown = representation.call(CALL, NAMES)
    assert shown.keys().isdisjoint({"external", "answered_by", "clicked", "reason", "call_id", "recording"})
    assert (shown["pbx_call_id"], shown["answered_by_extension"]) == ("pbx-1", "101")
    assert (shown["click_to_call"], shown["failure_reason"]) == (True, "The PBX did not report the call.")
    assert (shown["external_number"], shown["line"]["number"]) == ("+12015550123", "+4930901820")
    assert (shown["started_at"], shown["ended_at"]) == ("2026-11-30T20:41:53.855Z", "2026-11-30T20:42:43.000Z")


def test_a_call_has_summaries_without_deleted_resources() -> None:
    shown = representation.call(CALL, NAMES)
    anna = {"id": "anna", "name": "Anna Schmidt"}
    assert (shown["employee"], shown["employees"], shown["employee_ids"]) == (anna, [anna], ["anna", "deleted"])
    assert shown["contact"] == {"id": "acme", "name": "Acme GmbH"}
    assert shown["task"] == {"id": "offer", "title": "Send the offer"}
    assert representation.call({**CALL, "contact_id": "deleted"}, NAMES)["contact"] is None


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("kept", "archived"), ("on_request", "on_demand"), ("not_kept", "skipped"), ("waiting", "waiting")],
)
def test_a_recording_state_has_its_public_value(stored: str, shown: str) -> None:
    body = {"id": "r", "temporary": False, "state": stored, "held": True}
    recording = representation.recording(body)
    assert (recording["state"], recording["retention_hold"]) == (shown, True)


def test_a_call_of_the_first_version_keeps_its_recording() -> None:
    body = {name: value for name, value in CALL.items() if name != "recordings"}
    recording = {"id": "r", "temporary": False, "state": "kept"}
    assert representation.call({**body, "recording": recording}, NAMES)["recordings"][0]["state"] == "archived"


def test_a_tag_has_its_public_names() -> None:
    shown = representation.tag(TAG, NAMES)
    assert ("at" in shown, shown["occurred_at"]) == (False, "2026-11-30T20:41:53.000Z")
    assert (shown["contact"], shown["task"]) == ({"id": "acme", "name": "Acme GmbH"}, None)
    assert [field["value"] for field in shown["fields"]] == [
        {"start": "2026-11-30T20:41:53.000Z", "end": None},
        "2026-11-30T20:41:53.000Z",
        42,
    ]


def test_a_missed_call_has_its_public_names() -> None:
    shown = representation.missed_call(MISSED, NAMES)
    anna = {"id": "anna", "name": "Anna Schmidt"}
    assert shown.keys().isdisjoint({"at", "number", "rung", "recipients"})
    assert (shown["ringing_employees"], shown["notified_employees"]) == ([anna], [anna])
    assert shown["resolved_by"] == {"type": "employee", **anna}
    assert (shown["occurred_at"], shown["resolved_at"]) == ("2026-11-30T20:41:53.000Z", "2026-11-30T21:05:00.120Z")


def test_a_message_keeps_ids_whose_names_were_not_read() -> None:
    shown = representation.missed_call(MISSED, Names(country="DE", employees={"anna": "Anna Schmidt"}, partial=True))
    assert shown["notified_employees"] == [
        {"id": "anna", "name": "Anna Schmidt"},
        {"id": "deleted", "name": None},
    ]


def test_a_comment_has_its_public_names() -> None:
    shown = representation.comment(COMMENT, NAMES)
    assert shown.keys().isdisjoint({"at"})
    assert (shown["created_at"], shown["author"]["type"]) == ("2026-11-30T20:45:10.120Z", "oidc")
    assert (shown["call"]["external_number"], "number" in shown["call"]) == ("+12015550123", False)


def test_the_references_of_records_are_collected_once() -> None:
    references = stored_names.references(
        [CALL, TAG, MISSED, COMMENT, {"supervisor_id": "sales", "member_ids": ["boris"]}]
    )
    assert (references.contacts, references.tasks, references.lines) == ({"acme"}, {"offer"}, {"4930901820"})
    assert (references.employees, references.supervisors) == ({"anna", "deleted", "boris"}, {"sales"})
    assert references.numbers is True


def test_a_live_message_sends_the_state_as_window_state() -> None:
    state = WindowState("c", 1, True, {"direction": "in"}, {"anna": {"state": "ringing", "extension": "101"}})
    assert state.message("anna")["call"] == {
        "id": "c",
        "seq": 1,
        "window_state": "ringing",
        "direction": "in",
        "extension": "101",
    }
