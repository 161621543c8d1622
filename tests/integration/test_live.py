"""Live channel: call windows from ringing to the tag, and failures of connections."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api_client import Office, hire, open_office
from hangtag.auth import token_hash
from hangtag.store.calls import live
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import key
from hangtag_client.live import LiveClient, Timing
from live_listener import listening
from local.deploy import client
from local.stack import Stack
from pbx_line import Line, until

PORT = 4663

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

OUTSIDE = "79035550201"


def change_settings(office: Office, **changed: Any) -> None:
    assert office.owner.put("/v1/settings/telephony", {"settle_seconds": 1, **changed}).status == 200


def create_contact(office: Office, name: str = "Olga", **more: Any) -> Any:
    return office.owner.create("/v1/contacts", {"name": name, "phones": [f"+{OUTSIDE}"], **more})


def finish_call(office: Office, line: Line, call_id: str, ext: str = "101") -> None:
    """End a call and wait until it is closed; all its messages are sent or on their way."""
    line.hang_up(call_id, OUTSIDE, ext, final="1")
    line.call(call_id)


# ------------------------------------------------------------------ a window


def test_window_follows_the_call_from_ringing_to_its_tag(office: Office, line: Line) -> None:
    contact = create_contact(office)
    named = {"name": "Main office", "color": "#336699"}
    assert office.owner.put("/v1/lines/+74951230001", named).status == 200
    with listening(office.employee) as browser:
        line.ring("c1", OUTSIDE)
        ringing = browser.call("ringing")
        assert ringing["contact"] == {"id": contact["id"], "name": "Olga"}
        assert ringing["line"] == {"number": "+74951230001", **named}
        assert (ringing["external_number"], ringing["direction"], ringing["extension"]) == (f"+{OUTSIDE}", "in", "101")
        with listening(office.employee) as reloaded:
            assert [message["call"] for message in reloaded.all()] == [ringing]
            line.pick_up("c1", OUTSIDE)
            for one in (browser, reloaded):
                answered = one.call("answered")
                assert answered["employee"] == {"id": office.anna["id"], "name": "Anna"}
                assert answered["seq"] > ringing["seq"]
        finish_call(office, line, "c1")
        ended = browser.call("ended")
        assert ended["outcome"] == "success"
        tag = line.tag("c1")
        assert browser.call("ended", tag={"id": tag["id"], "type": "call"})["id"] == ringing["id"] == tag["call_id"]
        assert browser.states() == ["ringing", "answered", "ended"]
    with listening(office.employee) as later:
        assert later.all() == []


def test_unknown_caller_gets_a_contact_in_the_window(office: Office, line: Line) -> None:
    with listening(office.employee) as browser:
        line.ring("c1", "79035550299")
        assert browser.call("ringing")["external_number"] == "+79035550299"
        browser.until(lambda message: bool(message.get("call", {}).get("contact")))


def test_call_dialled_by_hand_opens_a_window(office: Office, line: Line) -> None:
    create_contact(office)
    with listening(office.employee) as browser:
        line.event("c1", "OUTGOING", OUTSIDE, type="out")
        window = browser.call("ringing")
        assert (window["direction"], window["contact"]["name"], window["click_to_call"]) == ("out", "Olga", False)


def test_withheld_number_has_a_window_without_a_number(office: Office, line: Line) -> None:
    with listening(office.employee) as browser:
        line.ring("c1", "")
        window = browser.call("ringing")
        assert (window["external_number"], window["external_number_state"], window["contact"]) == (
            None,
            "withheld",
            None,
        )


# ------------------------------------------------------------------ recipients


def test_answer_closes_the_windows_of_the_other_phones(office: Office, line: Line) -> None:
    create_contact(office)
    _, boris = hire(office, "Boris", "102")
    _, vera = hire(office, "Vera", "103")
    with listening(office.employee) as anna, listening(boris) as first, listening(vera) as uninvolved:
        for ext in ("101", "102"):
            line.ring("c1", OUTSIDE, ext)
        anna.call("ringing")
        first.call("ringing")
        line.pick_up("c1", OUTSIDE, "102")
        assert first.call("answered")["employee"]["name"] == "Boris"
        assert anna.call("taken")["employee"]["name"] == "Boris"
        finish_call(office, line, "c1", "102")
        first.call("ended", tag={"id": line.call("c1")["tag_id"], "type": "call"})
        anna.all()
        assert anna.states() == ["ringing", "taken"]
        assert uninvolved.all() == []


def test_two_connections_receive_the_same_messages(office: Office, line: Line) -> None:
    with listening(office.employee) as one, listening(office.employee) as other:
        line.ring("c1", OUTSIDE)
        assert one.call("ringing")["id"] == other.call("ringing")["id"]
        line.pick_up("c1", OUTSIDE)
        assert one.call("answered")["seq"] == other.call("answered")["seq"]


def test_supervisor_watches_calls_unless_it_is_disabled(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    create_contact(office, supervisor_id=boris_id)
    with listening(boris) as watching, listening(office.employee) as browser:
        line.ring("c1", OUTSIDE)
        assert watching.call("watching")["extension"] is None
        line.pick_up("c1", OUTSIDE)
        assert watching.call("watching", employee={"id": office.anna["id"], "name": "Anna"})
        finish_call(office, line, "c1")
        watching.call("ended")
        change_settings(office, notifications={"supervisor_window": False})
        line.ring("c2", OUTSIDE)
        browser.call("ringing", id=line.call("c2", state="open")["id"])
        finish_call(office, line, "c2")
        second = line.call("c2")["id"]
        browser.call("ended", id=second)
        assert all(message["call"]["id"] != second for message in watching.all() if message["type"] == "call")


def test_all_members_of_a_supervising_group_watch_calls(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    vera_id, vera = hire(office, "Vera", "103")
    group = office.owner.create("/v1/groups", {"name": "Sales", "employee_ids": [boris_id, vera_id]})
    create_contact(office, supervisor_id=group["id"])
    with listening(boris) as first, listening(vera) as second:
        line.ring("c1", OUTSIDE, "103")
        first.call("watching")
        # A member whose own phone rings has a ringing window instead of a watching one.
        second.call("ringing")
        assert second.states() == ["ringing"]


def test_window_follows_an_extension_to_its_new_employee(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    held = office.anna["extensions"]
    with listening(office.employee) as anna, listening(boris) as other:
        line.ring("c1", OUTSIDE)
        anna.call("ringing")
        assert office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": []}).status == 200
        assert office.owner.patch(f"/v1/employees/{boris_id}", {"extensions": held}).status == 200
        line.pick_up("c1", OUTSIDE)
        anna.call("gone")
        assert other.call("answered")["employee"]["name"] == "Boris"
        assert [message["call"]["window_state"] for message in anna.all()][-1] == "gone"


def test_internal_or_unmapped_calls_have_no_window(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    office.owner.patch(f"/v1/employees/{boris_id}", {"phones": ["+79100000102"]})
    with listening(office.employee) as anna, listening(boris) as other:
        # An extension, an employee's own number, an unmapped extension.
        for call_id, phone, ext in (("c1", "102", "101"), ("c2", "79100000102", "101"), ("c3", OUTSIDE, "199")):
            line.ring(call_id, phone, ext)
            line.pick_up(call_id, phone, ext)
            line.hang_up(call_id, phone, ext, final="1")
        reasons = [line.call(call_id)["skip_reason"] for call_id in ("c1", "c2", "c3")]
        assert reasons == ["internal", "employee_number", "unknown_extension"]
        # Messages of earlier calls would arrive before those of this call.
        line.ring("c4", OUTSIDE)
        ringing_id = anna.call("ringing")["id"]
        assert {message["call"]["id"] for message in anna.all()} == {ringing_id}
        assert other.all() == []


def test_hidden_tag_is_sent_to_members_of_its_task_only(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    contact = create_contact(office, supervisor_id=boris_id)
    task = {"title": "Deal", "contact_ids": [contact["id"]], "assignee_id": boris_id}
    created = office.owner.create("/v1/tasks", task)
    change_settings(office, attach={"to": "last_active_task", "hidden": True})
    with listening(office.employee) as anna, listening(boris) as on_task:
        tag = line.talk("c1", OUTSIDE, final="1")
        assert tag["hidden"]
        assert on_task.call("ended", tag={"id": tag["id"], "type": "call"})["task_id"] == created["id"]
        anna.call("ended")
        windows = [message["call"] for message in anna.all()]
        assert {(call["task_id"], call["tag"] is None) for call in windows} == {(None, True)}


def test_missed_call_is_sent_to_its_recipients_only(office: Office, line: Line) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    contact = create_contact(office, supervisor_id=boris_id)
    change_settings(office, notifications={"supervisor_window": False})
    with listening(office.employee) as anna, listening(boris) as recipient:
        tag = line.missed("c1", OUTSIDE)
        missed_call = recipient.until(lambda message: message["type"] == "missed_call")["missed_call"]
        assert (missed_call["id"], missed_call["contact_id"]) == (tag["id"], contact["id"])
        assert missed_call["notified_employees"] == [{"id": boris_id, "name": "Boris"}]
        anna.call("ended", outcome="missed")
        assert all(message["type"] == "call" for message in anna.all())
        assert all(message["type"] == "missed_call" for message in recipient.all())


# ------------------------------------------------------------------ browsers


def test_ticket_of_the_live_channel_opens_one_connection(office: Office) -> None:
    url = office.employee.create("/v1/live-tickets", {})["url"]
    token = url.rpartition("=")[2]
    with connect(url):
        pass
    bare = url.partition("?")[0]
    for invalid in (url, bare, f"{bare}?ticket=", f"{bare}?ticket={office.employee.token}", f"{url[:-1]}x"):
        with pytest.raises(InvalidStatus), connect(invalid):
            pass
    assert token not in (office.employee.token or "")
    rejected = office.owner.post("/v1/live-tickets", {})
    assert (rejected.status, rejected.media) == (403, "application/problem+json")


def test_expired_ticket_does_not_open_a_connection(office: Office, environment: pytest.MonkeyPatch) -> None:
    url = office.employee.create("/v1/live-tickets", {})["url"]
    hashed = token_hash(url.rpartition("=")[2])
    place: Any = {"pk": {"S": key("TICKET", hashed)}, "sk": {"S": "TICKET"}}
    dynamodb().update_item(
        TableName=table(),
        Key=place,
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    with pytest.raises(InvalidStatus), connect(url):
        pass


def test_each_message_of_a_client_gets_a_response(office: Office) -> None:
    with listening(office.employee) as browser:
        browser.send("ping")
        browser.until(lambda message: message["type"] == "pong")
        before = len(browser.messages)
        browser.send("sync")
        browser.until(lambda message: message["type"] == "synced" and len(browser.messages) > before)
        for junk in ("{", "[]", '"ping"', '{"type": 5}', "x" * 5000, "[" * 4000):
            browser._socket.send(junk)
        browser.until(lambda _: sum(message["type"] == "error" for message in browser.messages) == 6)


def test_dead_connection_is_removed_by_the_next_push(
    office: Office, line: Line, environment: pytest.MonkeyPatch
) -> None:
    tenant_id, anna = office.tenant_id, office.anna["id"]
    with listening(office.employee) as browser:
        dead = live.Connection("dead-connection", tenant_id, anna)
        live.connect(dead, datetime.now(UTC) - timedelta(minutes=1))
        assert dead in live.connections(tenant_id, [anna])
        line.ring("c1", OUTSIDE)
        browser.call("ringing")
        browser.all()
        line.pick_up("c1", OUTSIDE)
        browser.call("answered")
        assert [one.id for one in live.connections(tenant_id, [anna])] != []
        assert dead not in live.connections(tenant_id, [anna])
        assert live.find_connection(dead.id) is None


def test_connection_closed_by_its_client_is_removed(office: Office, environment: pytest.MonkeyPatch) -> None:
    with listening(office.employee):
        assert len(live.connections(office.tenant_id, [office.anna["id"]])) == 1
    _until(lambda: live.connections(office.tenant_id, [office.anna["id"]]) == ())


def test_ping_of_a_deleted_employee_closes_the_connection(office: Office) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    with listening(boris) as browser:
        assert office.owner.send("DELETE", f"/v1/employees/{boris_id}").status == 204
        browser.send("ping")
        browser.until_closed()


def test_hanging_push_does_not_delay_the_tag(stack: Stack, office: Office, line: Line) -> None:
    create_contact(office)
    with listening(office.employee) as browser:
        with silent_server() as url, environment_of(stack, "LiveFunction", CONNECTIONS_URL=url):
            line.talk("c1", OUTSIDE, final="1")
        # Later messages replace the lost ones.
        line.ring("c2", OUTSIDE)
        browser.call("ringing")


def test_many_events_of_one_call_send_few_messages(office: Office, line: Line) -> None:
    create_contact(office)
    with listening(office.employee) as browser:

        def again(number: int) -> None:
            line.ring("c1", OUTSIDE, event_id=f"double-{number}")

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(again, range(100)))
        line.pick_up("c1", OUTSIDE)
        browser.call("answered")
        finish_call(office, line, "c1")
        browser.call("ended")
        windows = [message for message in browser.all() if message["type"] == "call"]
        # Ringing, answered, ended and the tag of 102 events; corrections of the ringing time can add some.
        assert len(windows) <= 20, windows


def test_live_messages_are_isolated_by_tenant(stack: Stack, office: Office, line: Line) -> None:
    other = open_office(stack.api, stack.operator_token)
    with listening(office.employee) as mine, listening(other.employee) as theirs:
        line.ring("c1", OUTSIDE)
        mine.call("ringing")
        Line(other).ring("c1", OUTSIDE)
        theirs.call("ringing")
        ids = [{message["call"]["id"] for message in one.all()} for one in (mine, theirs)]
        assert [len(one) for one in ids] == [1, 1]
        assert ids[0].isdisjoint(ids[1])


def test_python_client_survives_a_cut_connection(stack: Stack, office: Office, line: Line) -> None:
    contact = create_contact(office)

    async def follow() -> list[tuple[str, str]]:
        changes: list[tuple[str, str]] = []
        async with LiveClient(stack.api, office.employee.token, timing=Timing(first_pause=0.05)) as browser:
            await asyncio.to_thread(line.ring, "c1", OUTSIDE)
            async for change in browser:
                assert change.call is not None
                if (change.kind, change.call.window_state) in changes:
                    continue
                changes.append((change.kind, change.call.window_state))
                if change.call.window_state == "ringing":
                    assert change.call.contact is not None
                    assert (change.call.contact.id, list(browser.calls)) == (contact["id"], [change.call.id])
                    # Like a network failure.
                    await asyncio.to_thread(cut, stack, office)
                    await asyncio.to_thread(line.pick_up, "c1", OUTSIDE)
                elif change.call.window_state == "answered":
                    await asyncio.to_thread(line.hang_up, "c1", OUTSIDE, final="1")
                else:
                    return changes
        raise AssertionError(changes)

    assert asyncio.run(asyncio.wait_for(follow(), 60)) == [("call", "ringing"), ("call", "answered"), ("call", "ended")]


def cut(stack: Stack, office: Office) -> None:
    """Close the connections of the office's employee at the gateway."""
    place = {"pk": {"S": key("T", office.tenant_id)}, "sk": {"S": key("LIVE", office.anna["id"])}}
    page = stack.client("dynamodb").get_item(TableName=stack.table, Key=place, ConsistentRead=True)
    gateway = client(stack.live.replace("ws://", "http://"), "apigatewaymanagementapi")
    for connection_id in page["Item"]["connections"]["SS"]:
        gateway.delete_connection(ConnectionId=connection_id)


# ------------------------------------------------------------------ requests during a call


def test_contacts_comments_or_tasks_are_created_during_a_call(office: Office, line: Line) -> None:
    change_settings(office, contacts={"create_unknown": "never"})
    with listening(office.employee) as browser:
        line.ring("c1", OUTSIDE)
        line.pick_up("c1", OUTSIDE)
        call_id = browser.call("answered")["id"]
        contact = office.employee.create("/v1/contacts", {"name": "Saved meanwhile", "phones": [f"+{OUTSIDE}"]})
        task = office.employee.create(
            f"/v1/calls/{call_id}/tasks", {"title": "Send the offer", "contact_ids": [contact["id"]]}
        )
        comment = {"text": "wants a discount", "task_id": task["id"]}
        office.employee.create(f"/v1/calls/{call_id}/comments", comment)
        put = office.employee.put(f"/v1/calls/{call_id}/task", {"task_id": task["id"]})
        assert (put.status, put.json["task_id"]) == (200, task["id"])
        finish_call(office, line, "c1")
        tag = line.tag("c1")
        assert (tag["contact_id"], tag["task_id"]) == (contact["id"], task["id"])
        browser.call("ended", task_id=task["id"], tag={"id": tag["id"], "type": "call"})


def test_tagged_call_can_be_assigned_to_another_task(office: Office, line: Line) -> None:
    contact = create_contact(office)
    task = office.owner.create("/v1/tasks", {"title": "Deal", "contact_ids": [contact["id"]]})
    tag = line.talk("c1", OUTSIDE, final="1")
    assert tag["task_id"] is None
    call_id = tag["call_id"]
    put = office.employee.put(f"/v1/calls/{call_id}/task", {"task_id": task["id"]})
    assert put.status == 200
    assert line.tag("c1", revision=2)["task_id"] == task["id"]
    assert until(office.owner, "/v1/tags", {"task_id": task["id"]}, lambda row: bool(row["id"] == tag["id"]))
    missing = office.employee.put(f"/v1/calls/{call_id}/task", {"task_id": "0" * 32})
    assert missing.status == 400


# ------------------------------------------------------------------ faults


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def environment_of(stack: Stack, function: str, **changed: str) -> Iterator[None]:
    """Change some environment variables of a function."""
    functions, name = stack.client("lambda"), stack.functions[function]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before | changed})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def _until(accept: Any) -> None:
    clock = threading.Event()
    for _ in range(300):
        if accept():
            return
        # The store has no notification for this change.
        clock.wait(0.1)
    raise AssertionError(accept())
