"""Calls for the API: lists, single calls, and the visibility of each for the caller."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from hangtag import representation
from hangtag.api.calls.models import Call, CallPage
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Caller
from hangtag.api.kernel.listing import Times
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.kernel.paging import page_of
from hangtag.api.kernel.visibility import Visibility
from hangtag.errors import NotFoundError
from hangtag.services.calls.view import click_view, open_view
from hangtag.store.calls import clicks
from hangtag.store.calls import items as call_items
from hangtag.store.calls.items import CallItem
from hangtag.store.office import names, participants

__all__ = ["call_key", "find_by_pbx_id", "get_call", "list_calls", "load_body", "present"]

Body = Mapping[str, Any]

# Open calls that one request reads at most.
MAX_OPEN = 500
_CALL_ID = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{32}\.(\d{4}|click)", re.ASCII)


def list_calls(
    caller: Caller,
    times: Times,
    filters: Mapping[str, str | None],
    limit: int | None,
    cursor: str | None,
) -> CallPage:
    """Return a page of the calls of a period that match the filters (None: any value), newest first.

    Open calls have no place in the index of days: with the filter `state` = open, one page contains all of them up to
    the limit; otherwise the list contains closed calls only.
    """
    sight, tenant_id = Visibility(caller), caller.tenant_id

    def accept(body: Body) -> bool:
        return _fits(body, filters) and times.holds(body.get("started_at")) and sight.may_see(body)

    if filters.get("state") == "open":
        bodies = _open_bodies(tenant_id, accept)[: limit or DEFAULT_LIMIT]
        return page_of(CallPage, present(tenant_id, bodies))
    return listing.by_days(
        CallPage, tenant_id, "CALLS", times.span, limit, cursor, accept, lambda page: present(tenant_id, page)
    )


def _fits(body: Body, filters: Mapping[str, str | None]) -> bool:
    employee_id = filters.get("employee_id")
    if employee_id not in (None, body.get("employee_id")) and not _rings_at(body, employee_id):
        return False
    others = ((name, value) for name, value in filters.items() if name != "employee_id")
    return all(value is None or body.get(name) == value for name, value in others)


def _rings_at(body: Body, employee_id: str | None) -> bool:
    """Return True for an open call that rings at the employee."""
    return body.get("state") == "open" and employee_id in body.get("employee_ids", ())


def _open_bodies(tenant_id: str, accept: Callable[[Body], bool]) -> list[Body]:
    stored = (call_items.read(place) for place in call_items.live_calls(tenant_id))
    items = list(islice((item for item in stored if item), MAX_OPEN))
    bodies = [body for body in _bodies(tenant_id, items) if accept(body)]
    return sorted(bodies, key=lambda body: body["started_at"] or "", reverse=True)


def find_by_pbx_id(caller: Caller, integration_id: str, pbx_call_id: str) -> CallPage:
    """Return a page with the open or closed call that has this id at the PBX; an empty page without one."""
    tenant_id = caller.tenant_id
    item = call_items.read_newest(tenant_id, integration_id, pbx_call_id)
    bodies = [body for body in _bodies(tenant_id, [item] if item else []) if Visibility(caller).may_see(body)]
    return page_of(CallPage, present(tenant_id, bodies))


def get_call(caller: Caller, call_id: str) -> Call:
    """Return one call. Raises NotFoundError, also for a call that the caller cannot see."""
    (shown,) = present(caller.tenant_id, [load_body(caller, call_id)])
    return Call.model_validate(shown)


def load_body(caller: Caller, call_id: str) -> Body:
    """Return the stored JSON of one call. Raises NotFoundError, also for a call that the caller cannot see."""
    tenant_id = caller.tenant_id
    place = call_key(tenant_id, call_id)
    item = call_items.read(place) if place else None
    if item is not None and item.click_id is None:
        # The click matched a moment ago, and the call's item does not have its id yet.
        item = replace(item, click_id=call_items.click_of(call_id))
    body = _bodies(tenant_id, [item])[0] if item else _click_body(tenant_id, call_id)
    if body is None or not Visibility(caller).may_see(body):
        raise NotFoundError("No such call.")
    return body


def call_key(tenant_id: str, call_id: str) -> call_items.CallKey | None:
    """Return the table key of a call of this tenant; None if the text cannot be a call's id."""
    return clicks.find_call_key(tenant_id, call_id) if _CALL_ID.fullmatch(call_id) else None


def present(tenant_id: str, bodies: Iterable[Body]) -> list[dict[str, Any]]:
    """Return the public JSON of stored calls; all names come from one batched read."""
    stored = list(bodies)
    related = names.load(tenant_id, names.references(stored)) if stored else None
    return [representation.call(body, related) for body in stored] if related else []


def _click_body(tenant_id: str, call_id: str) -> Body | None:
    """Return a click-to-call that its PBX has not reported yet."""
    click_id = call_items.click_of(call_id) if _CALL_ID.fullmatch(call_id) else None
    click = clicks.find(tenant_id, click_id) if click_id else None
    return click_view(click) if click is not None and click.public_id == call_id else None


def _bodies(tenant_id: str, items: list[CallItem]) -> list[Body]:
    """Return the JSON of calls; those without a tag get their employees from the extensions, by one batched read."""
    bodies = [_body(item) for item in items]
    pending = [body for body in bodies if _is_pending(body)]
    phones = {
        (body["integration_id"], leg["extension"]) for body in pending for leg in body["legs"] if leg["extension"]
    }
    employees = participants.employees_of(tenant_id, sorted(phones)) if phones else {}
    return [_with_employees(body, employees) if _is_pending(body) else body for body in bodies]


def _is_pending(body: Body) -> bool:
    """Return True if Hangtag has not decided on the call's tag yet."""
    return body["tag_id"] is None and body["skip_reason"] is None


def _body(item: CallItem) -> Body:
    current = item.body is not None and item.emitted == item.fold().digest()
    return item.body if current and item.body is not None else open_view(item)


def _with_employees(body: Body, employees: Mapping[tuple[str, str], participants.EmployeeRef]) -> Body:
    """Return the call with the employees whose phones take part: the one who answered, otherwise the first to ring."""
    extensions = (leg["extension"] for leg in body["legs"])
    people = {extension: employees.get((body["integration_id"], extension)) for extension in extensions if extension}
    ids = list(dict.fromkeys(person.id for person in people.values() if person))
    answered = people.get(body["answered_by"] or "")
    first = answered.id if answered else next(iter(ids), None)
    return {**body, "employee_id": first, "employee_ids": ids}
