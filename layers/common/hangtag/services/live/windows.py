"""Call windows: the state of each call, published over the live channel to the employees it concerns.

A message contains the full state of a window, so the next message repairs a lost or late one. `windows`, which is pure,
decides the recipients and their window states from the current call, never from a change.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from hangtag import masks, representation
from hangtag.domain.calls.classify import is_internal, is_private
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call, Leg
from hangtag.errors import NotFoundError
from hangtag.phone import normalise
from hangtag.representation import Names
from hangtag.runtime import logger
from hangtag.services.live.push import Push
from hangtag.services.tags.match_click import with_click
from hangtag.store.calls import clicks, live
from hangtag.store.calls import items as calls
from hangtag.store.calls.clicks import Click, State
from hangtag.store.calls.items import CallItem
from hangtag.store.calls.live import Connection, WindowState
from hangtag.store.db.clock import now
from hangtag.store.office import groups, names, participants, tasks, tenants
from hangtag.store.office.participants import Roster

__all__ = ["Window", "follow_call", "follow_click", "push_missed_call", "replay", "welcome", "windows"]

_ROUNDS = 3


class Window(StrEnum):
    """State of a call for one employee.

    placing: the PBX has not reported the employee's click yet. ringing: the employee's phone rings, or the other
    party's for them. answered: the employee talks. taken: another employee talks. watching: others have a call with a
    contact that the employee supervises. gone: the call does not concern the employee any more. ended: the call is
    over. In taken and gone the window closes.
    """

    PLACING = "placing"
    RINGING = "ringing"
    ANSWERED = "answered"
    TAKEN = "taken"
    WATCHING = "watching"
    GONE = "gone"
    ENDED = "ended"


# If an employee has several phones, the first of these states counts.
_RANK = (Window.ANSWERED, Window.RINGING, Window.TAKEN, Window.GONE)
_CLOSED = (Window.TAKEN, Window.GONE)
_NOWHERE = {"task_id": None, "tag": None}
_UP = (Window.PLACING, Window.RINGING, Window.ANSWERED, Window.WATCHING)


@dataclass(frozen=True, slots=True)
class View:
    """State of a call for its employees: `shared` goes to all of them, `people` to one each."""

    shared: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Any]]

    @property
    def open(self) -> bool:
        """Return True if a window is open."""
        return any(own["state"] in _UP for own in self.people.values())


def windows(call: Call, office: Roster, supervisors: Iterable[str]) -> dict[str, tuple[Window, str | None]]:
    """Return the window state and extension of each employee who sees a call. Pure.

    Calls among employees, and calls without a phone of an employee, have no windows.
    """
    mapped = frozenset(office.employees)
    if is_private(call, mapped=mapped, external_is_employee=office.employee_of_number is not None):
        return {}
    states: dict[str, tuple[Window, str | None]] = {}
    for leg in call.legs:
        person = office.employees.get(leg.extension or "")
        if person is None:
            continue
        window = _window(call, leg)
        before = states.get(person.id)
        if before is None or _RANK.index(window) < _RANK.index(before[0]):
            states[person.id] = (window, leg.extension)
    if call.closed:
        talked = office.employees.get(call.answered_by or "")
        had_it = states.keys() if call.answered_by is None else {talked.id} if talked else set()
        states = {
            person: (Window.ENDED if person in had_it else Window.TAKEN, extension)
            for person, (_, extension) in states.items()
        }
    if states:
        watching = Window.ENDED if call.closed else Window.WATCHING
        states |= {person: (watching, None) for person in supervisors if person not in states}
    return states


def _window(call: Call, leg: Leg) -> Window:
    if leg.live:
        return Window.ANSWERED if leg.answered else Window.RINGING
    return Window.TAKEN if call.answered_by is not None else Window.GONE


# ------------------------------------------------------------------ calls


def follow_call(item: CallItem, push: Push) -> int:
    """Publish a call to the employees it concerns. Return the number of messages sent. Raises botocore's errors."""
    if not live.in_use(item.tenant_id):
        return 0
    call = item.fold()
    if not call.legs:
        return 0
    try:
        item = with_click(item, call)
        view = _view_of_call(item, call)
    except NotFoundError:
        # The tenant was erased during the call.
        return 0
    unclicked = calls.public_id(item.integration_id, item.key)
    ids = [item.public_id] if item.public_id == unclicked else [item.public_id, unclicked]
    return _publish(item.tenant_id, ids, view, push)


def _view_of_call(item: CallItem, call: Call) -> View:
    country = tenants.get_tenant(item.tenant_id).country
    number = normalise(call.external or "", country)
    e164 = number.e164 if number and not is_internal(call.external, frozenset()) else None
    extensions = frozenset((*call.extensions, *((call.external,) if call.external and len(call.external) <= 8 else ())))
    office = participants.find_participants(item.tenant_id, item.integration_id, extensions, e164, call.line)
    supervisors = _supervisors(item.tenant_id, office)
    people = windows(call, office, supervisors)
    answered = office.employees.get(call.answered_by or "")
    contact = office.contact
    related = _names(country, call.line, office)
    shared = {
        "direction": Direction.OUT if call.direction is Direction.OUT else Direction.IN,
        **representation.external_number(call.external, related),
        "line": representation.line_summary(call.line, related),
        "contact": {"id": contact.id, "name": contact.name} if contact else None,
        "employee": {"id": answered.id, "name": answered.name} if answered else None,
        "click_to_call": item.click_id is not None,
        "failure_reason": (item.body or {}).get("reason"),
        "outcome": call.outcome,
        "started_at": representation.instant(call.started_at),
        "answered_at": representation.instant(call.answered_at),
        "ended_at": representation.instant(call.ended_at),
        "talk_seconds": call.talk_seconds,
    }
    placed = _placed(item, people)
    own = {
        person: {"state": window, "extension": extension, **(placed[person] if window not in _CLOSED else _NOWHERE)}
        for person, (window, extension) in people.items()
    }
    return View(shared, own)


def _names(country: str, number: str | None, office: Roster) -> Names:
    """Return the names of the call's line and the tenant's display format, which were read with the roster."""
    line = (office.line_name, office.line_color) if office.line_name is not None else None
    lines = {representation.line_number(number, country): line} if number and line else {}
    return Names(country=country, lines=lines, show=partial(masks.show_any, office.settings.masks))


def _supervisors(tenant_id: str, office: Roster) -> tuple[str, ...]:
    supervisor = office.contact.supervisor_id if office.contact else None
    if supervisor is None or not office.settings.notifications.supervisor_window:
        return ()
    return groups.members(tenant_id, supervisor)


def _placed(item: CallItem, people: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return task and tag of the call for each employee: a hidden tag is visible to those on its task only."""
    body = item.body or {}
    task_id = body.get("task_id") or item.from_task
    tag = {"id": body["tag_id"], "type": body.get("tag_type")} if body.get("tag_id") else None
    whole = {"task_id": task_id, "tag": tag}
    if not body.get("hidden"):
        return dict.fromkeys(people, whole)
    on_task: frozenset[str] = frozenset()
    if task_id is not None:
        try:
            on_task = tasks.get_task(item.tenant_id, task_id).people
        except NotFoundError:
            on_task = frozenset()
    return {person: whole if person in on_task else _NOWHERE for person in people}


# ------------------------------------------------------------------ clicks


def follow_click(click: Click, push: Push) -> int:
    """Publish a click to its employee until the PBX reports the call. Return the number of messages sent."""
    if click.state is State.MATCHED or not live.in_use(click.tenant_id):
        return 0
    failed = click.state is State.FAILED
    contact = {"id": click.contact_id, "name": click.contact_name} if click.contact_id else None
    # No read for names and the display format: the messages of the PBX's call have them.
    bare = Names(country=tenants.get_tenant(click.tenant_id).country, partial=True)
    shared = {
        "direction": Direction.OUT,
        **representation.external_number(click.number, bare),
        "line": representation.line_summary(click.line, bare),
        "contact": contact,
        "employee": {"id": click.employee_id, "name": click.employee_name},
        "click_to_call": True,
        "failure_reason": click.reason,
        "outcome": "failed" if failed else None,
        "started_at": representation.instant(click.at),
        "answered_at": None,
        "ended_at": None,
        "talk_seconds": None,
    }
    state = Window.ENDED if failed else Window.PLACING
    own = {"state": state, "extension": click.extension, "task_id": click.task_id, "tag": None}

    def is_current() -> bool:
        # A changed click has a stream record of its own: a call's window must not return to an older click.
        return clicks.find(click.tenant_id, click.id) == click

    return _publish(click.tenant_id, [click.public_id], View(shared, {click.employee_id: own}), push, is_current)


# ------------------------------------------------------------------ publishing


def _publish(
    tenant_id: str, ids: list[str], view: View, push: Push, is_current: Callable[[], bool] = lambda: True
) -> int:
    """Publish a view under the first id. Close the windows of other ids, used before the click was matched.

    `is_current` is called after the published state was read, and before a new one is written.
    """
    for _ in range(_ROUNDS):
        states = live.load_states(tenant_id, ids)
        sent = sum(_close_window(tenant_id, states[other], push) for other in ids[1:] if other in states)
        before = states.get(ids[0])
        state = _next_state(ids[0], view, before)
        if state is None or not is_current():
            return sent
        if live.publish(tenant_id, state, before):
            return sent + _send(tenant_id, state, before, push)
    logger.warning("live.update_conflict", extra={"tenant": tenant_id, "attempts": _ROUNDS})
    return 0


def _next_state(call_id: str, view: View, before: WindowState | None) -> WindowState | None:
    """Return the state to publish; None if it is published. Earlier recipients without a part in it are set to gone."""
    people = {person: dict(own) for person, own in view.people.items()}
    for person, own in (before.people if before else {}).items():
        if person not in people:
            people[person] = {**own, "state": Window.GONE, **_NOWHERE}
    if not people:
        return None
    if before is not None and (before.shared, before.people) == (view.shared, people):
        return None
    return WindowState(call_id, _next(before), view.open, view.shared, people)


def _next(before: WindowState | None) -> int:
    """Return the next sequence number; from the clock, so it grows even if the earlier state was deleted."""
    clock = round(now().timestamp() * 1000)
    return max(clock, before.seq + 1) if before else clock


def _send(tenant_id: str, state: WindowState, before: WindowState | None, push: Push) -> int:
    """Send the state to the employees whose state changed. A closed window receives no further changes."""
    published = before.people if before else {}
    new = before is None or before.shared != state.shared
    recipients = [
        person
        for person, own in state.people.items()
        if published.get(person) != own or (new and own["state"] not in _CLOSED)
    ]
    connections = live.connections(tenant_id, recipients)
    return push.send([(connection, state.message(connection.employee_id)) for connection in connections])


def _close_window(tenant_id: str, state: WindowState, push: Push) -> int:
    people = {person: {**own, "state": Window.GONE} for person, own in state.people.items()}
    over = WindowState(state.call_id, _next(state), False, state.shared, people)
    live.delete_states(tenant_id, state.call_id)
    return _send(tenant_id, over, state, push)


def push_missed_call(tenant_id: str, missed: Mapping[str, Any], push: Push) -> int:
    """Send a missed call to its recipients who are connected; names cost one batched read. Raises botocore's errors."""
    if not live.in_use(tenant_id):
        return 0
    connections = live.connections(tenant_id, missed["recipients"])
    if not connections:
        return 0
    related = names.load(tenant_id, names.references([missed]))
    message = {"type": "missed_call", "missed_call": representation.missed_call(missed, related)}
    return push.send([(connection, message) for connection in connections])


def welcome(connection: Connection, push: Push) -> int:
    """Send a new connection all open calls once it accepts messages. Raises botocore's errors.

    Later changes are pushed to it; earlier ones are read after that.
    """
    return replay(connection, push) if push.reaches(connection) else 0


def replay(connection: Connection, push: Push) -> int:
    """Send a connection all open calls of its employee, then the end of the list. Raises botocore's errors."""
    mine = [
        state.message(connection.employee_id)
        for state in live.open_calls(connection.tenant_id)
        if state.people.get(connection.employee_id, {}).get("state") in _UP
    ]
    return push.send([(connection, message) for message in (*mine, {"type": "synced"})])
