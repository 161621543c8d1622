"""Isolation of tenants: every route is called by one tenant with the ids of another that has the same data."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from api_client import Caller, Office, Response, open_office
from guard_routes import Route, all_routes, bodies, id_for
from local.stack import Stack, running
from pbx_line import Line
from schedules import stop_schedule

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4644
PHONE = "79105556601"
WITHIN_SECONDS = 60.0
# Part of every text of the other tenant; no text of ours contains it.
MARK = "Foreign"
# Routes of one tenant, which the token selects.
ROUTES = [route for route in all_routes() if route.role != "operator"]
OPERATORS = [route for route in all_routes() if route.role == "operator"]


@dataclass(frozen=True, slots=True)
class Side:
    """A tenant and the ids of its resources, by the names of the path parameters."""

    office: Office
    ids: Mapping[str, str]


@dataclass(slots=True)
class TwoTenants:
    """A stack with two tenants that have the same numbers, extensions, call ids and titles."""

    stack: Stack
    ours: Side
    theirs: Side
    callers: dict[str, Caller]


def furnish(office: Office, mark: str) -> Side:
    """Create one resource of every kind; two offices differ only in their names."""
    owner, line = office.owner, Line(office)
    assert owner.put("/v1/settings/telephony", {"settle_seconds": 2}).status == 200
    owner.create("/v1/contacts", {"name": f"{mark} customer", "phones": [f"+{PHONE}"]})
    assert owner.put("/v1/lines/74951230001", {"name": f"{mark} line"}).status == 200
    owner.patch(f"/v1/employees/{office.anna['id']}", {"name": f"{mark} Anna"})
    tag = line.talk("same-call", PHONE)
    # A recording that is not processed does not change during the test.
    rules = owner.get("/v1/settings/telephony").json
    assert owner.put("/v1/settings/telephony", {**rules, "recordings": {"mode": "none"}}).status == 200
    line.post(cmd="record", callid="same-call", record_link=f"https://pbx.example/{mark}.mp3")
    recording = line.recording("same-call", "skipped")
    missed = line.missed("same-missed", PHONE)
    task = owner.create("/v1/tasks", {"title": "Same title", "contact_ids": [tag["contact_id"]]})
    comment = {"text": f"{mark} comment", "task_id": task["id"]}
    created = owner.create(f"/v1/calls/{tag['call_id']}/comments", comment)
    group = owner.create("/v1/groups", {"name": f"{mark} group", "employee_ids": [office.anna["id"]]})
    deliveries = owner.get(f"/v1/integrations/{office.integration['id']}/deliveries").json["items"]
    tokens = owner.get("/v1/tokens").json["items"]
    ids = {
        "call_id": tag["call_id"], "tag_id": tag["id"], "contact_id": tag["contact_id"], "task_id": task["id"],
        "missed_call_id": missed["id"], "comment_id": created["id"], "group_id": group["id"],
        "employee_id": office.anna["id"], "integration_id": office.integration["id"],
        "recording_id": recording["id"], "delivery_id": deliveries[0]["id"], "tenant_id": office.tenant_id,
        "token_id": next(one["id"] for one in tokens if one["employee_id"]),
        "erasure_id": done(owner, "/v1/erasures", {"number": "+79105550000"}),
        "export_id": done(owner, "/v1/exports", {}),
        # Ids without an existing resource.
        "letter_id": "0123456789abcdef0123456789abcdef", "import_id": "0123456789abcdef0123456789abcdef",
        "number": "74951230001", "file_id": written(owner),
    }  # fmt: skip
    return Side(office, ids)


def done(owner: Caller, path: str, body: Any) -> str:
    """Run a job to its end and return its id. A running job would change the tenant during the tests."""
    job_id: str = owner.create(path, body)["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while owner.get(f"{path}/{job_id}").json["state"] == "running":
        assert time.monotonic() < deadline, path
        # The API has no notification for this change.
        time.sleep(0.1)
    return job_id


def written(owner: Caller) -> str:
    """Have a job write a report file, and return its id."""
    headers = {"accept": "text/csv", "prefer": "respond-async"}
    job_id: str = owner.send("GET", "/v1/reports/calls-by-contact", headers=headers).json["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while owner.get(f"/v1/reports/files/{job_id}").json["state"] == "running":
        assert time.monotonic() < deadline
        # The API has no notification for this change.
        time.sleep(0.1)
    return job_id


@pytest.fixture(scope="module")
def tenants() -> Iterator[TwoTenants]:
    with running(port=PORT) as stack:
        # Scheduled jobs would change the other tenant as well.
        stop_schedule(stack, "reports")
        ours = furnish(open_office(stack.api, stack.operator_token), "Own")
        theirs = furnish(open_office(stack.api, stack.operator_token), MARK)
        callers = {"owner": ours.office.owner, "employee": ours.office.employee}
        yield TwoTenants(stack, ours, theirs, callers)


def state_of(tenants: TwoTenants, side: Side) -> dict[str, str]:
    """Return every item of the table that contains the tenant's id, by its key."""
    pages = tenants.stack.client("dynamodb").get_paginator("scan").paginate(TableName=tenants.stack.table)
    texts = {
        f"{item['pk']['S']} / {item['sk']['S']}": json.dumps(item, sort_keys=True, default=str)
        for page in pages
        for item in page["Items"]
    }
    return {place: text for place, text in texts.items() if side.office.tenant_id in place + text}


def fault_of(tenants: TwoTenants, sent: str, response: Response) -> str | None:
    """Return the fault of a response: a 5xx, their texts, or ids of theirs that were not sent; None without one."""
    text = json.dumps(response.json, ensure_ascii=False)
    if response.status >= 500:
        return f"{response.status}"
    if MARK in text:
        return "their texts"
    theirs = [value for name, value in tenants.theirs.ids.items() if name not in ("number", "letter_id", "import_id")]
    crossed = [value for value in theirs if value in text and (value not in sent or response.status < 300)]
    return f"{response.status} with their ids" if crossed else None


def mixed(route: Route, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Yield ids for the path: all theirs, some theirs, all ours."""
    for choice in product((theirs, ours), repeat=len(route.parameters)):
        yield {name: ids[name] for name, ids in zip(route.parameters, choice, strict=True)}


def request_fault(tenants: TwoTenants, role: str, route: Route, path: str, **request: Any) -> str | None:
    caller = tenants.callers[role]
    response = caller.send(route.method, path, **request)
    if route.name == "POST /v1/tokens/owner" and response.status == 201:
        tenants.callers[role] = caller.with_token(response.json["owner_token"])
    fault = fault_of(tenants, path + json.dumps(request), response)
    if fault is not None:
        return f"{role}: {route.method} {path} {json.dumps(request)}: {fault}: {json.dumps(response.json)[:300]}"
    return None


def test_every_path_parameter_has_an_id_of_the_other_tenant(tenants: TwoTenants) -> None:
    named = {name for route in ROUTES for name in route.parameters}
    assert named <= tenants.theirs.ids.keys()


@pytest.mark.parametrize("role", ["owner", "employee"])
def test_no_route_exposes_or_changes_data_of_another_tenant(tenants: TwoTenants, role: str) -> None:
    ours, theirs = tenants.ours.ids, tenants.theirs.ids
    before = state_of(tenants, tenants.theirs)
    assert len(before) > 20
    faults = []
    for route in ROUTES:
        shapes = list(bodies(route.body, theirs)) if route.body else [None]
        for ids in mixed(route, ours, theirs):
            is_ours = all(ids[name] == ours[name] for name in route.parameters)
            if route.method == "DELETE" and is_ours:
                # Later requests need our resources.
                continue
            for shape in shapes:
                request = {"json": shape or {}} if route.method in ("POST", "PUT", "PATCH") else {}
                faults.append(request_fault(tenants, role, route, route.address(ids), **request))
        for name in route.query:
            if (id_ := id_for(name, theirs)) is not None:
                address = route.address({one: ours[one] for one in route.parameters})
                faults.append(request_fault(tenants, role, route, address, params={name: id_}))
    assert [fault for fault in faults if fault is not None] == []
    assert state_of(tenants, tenants.theirs) == before


@pytest.mark.parametrize("role", ["owner", "employee"])
def test_ids_of_another_tenant_are_rejected_in_paths(tenants: TwoTenants, role: str) -> None:
    for route in ROUTES:
        if not route.parameters or route.parameters == ["number"]:
            continue
        body = next(bodies(route.body, tenants.ours.ids)) if route.body else {}
        request = {"json": body} if route.method in ("POST", "PUT", "PATCH") else {}
        response = tenants.callers[role].send(route.method, route.address(tenants.theirs.ids), **request)
        assert response.status in (400, 403, 404, 409, 422), (route.name, response)


def bodies_with_ids(ids: Mapping[str, str], extension: Iterator[int]) -> dict[str, Any]:
    """Return a valid body for each route whose body takes ids."""
    employee, contact = ids["employee_id"], ids["contact_id"]
    people = {"assignee_id": employee, "member_ids": [employee]}
    held = {"integration_id": ids["integration_id"], "extension": str(next(extension))}
    hired = {"name": "Hired", "extensions": [held], "deputy_id": employee}
    telephony = {
        "attach": {"to": "new_task", "task": {"title": "Of a call", **people}},
        "contacts": {"template": {"supervisor_id": ids["group_id"]}},
        "notifications": {"missed_calls": {"employee_ids": [employee]}},
    }
    clicked = {"to": "+79105550166", "contact_id": contact, "task_id": ids["task_id"]}
    return {
        "POST /v1/calls": {**clicked, "integration_id": ids["integration_id"]},
        "PUT /v1/calls/{call_id}/task": {"task_id": ids["task_id"]},
        "POST /v1/calls/{call_id}/comments": {"text": "text", "task_id": ids["task_id"]},
        "POST /v1/calls/{call_id}/tasks": {"title": "Made", "contact_ids": [contact], **people},
        "POST /v1/contacts": {"name": "Made", "phones": [], "supervisor_id": employee},
        "PATCH /v1/contacts/{contact_id}": {"supervisor_id": ids["group_id"]},
        "POST /v1/employees": hired,
        "PATCH /v1/employees/{employee_id}": {"extensions": [held]},
        "POST /v1/groups": {"name": "Made", "employee_ids": [employee]},
        "PATCH /v1/groups/{group_id}": {"employee_ids": [employee]},
        "PUT /v1/settings/telephony": telephony,
        "POST /v1/settings/telephony/preview": {"call_id": ids["call_id"]},
        "POST /v1/tasks": {"title": "Made", "contact_ids": [contact], **people},
        "PATCH /v1/tasks/{task_id}": {"contact_ids": [contact], **people},
        "POST /v1/tokens": {"employee_id": employee},
    }


def swapped(body: Any, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Any]:
    """Yield copies of a body, each with one of our ids replaced by theirs."""
    names = {value: name for name, value in ours.items()}
    if isinstance(body, dict):
        for key, inner in body.items():
            yield from ({**body, key: other} for other in swapped(inner, ours, theirs))
    elif isinstance(body, list):
        for place, inner in enumerate(body):
            yield from ([*body[:place], other, *body[place + 1 :]] for other in swapped(inner, ours, theirs))
    elif body in names:
        yield theirs[names[body]]


def test_ids_of_another_tenant_are_rejected_in_bodies(tenants: TwoTenants) -> None:
    """A body with our ids is accepted; with one of theirs it is rejected, and their data does not change."""
    ours, theirs = tenants.ours.ids, tenants.theirs.ids
    extensions = iter(range(700, 800))
    routes = {route.name: route for route in ROUTES}
    valid_bodies = bodies_with_ids(ours, extensions)
    taking = {
        route.name
        for route in ROUTES
        if route.body and "id of theirs" in json.dumps(list(bodies(route.body, dict.fromkeys(ours, "id of theirs"))))
    }
    assert taking == valid_bodies.keys()
    before = state_of(tenants, tenants.theirs)
    # A PBX that supports click-to-call.
    address = {"credentials": {"pbx_url": "https://pbx.example/api"}}
    assert tenants.callers["owner"].patch(f"/v1/integrations/{ours['integration_id']}", address).status == 200
    for name in sorted(valid_bodies):
        route = routes[name]
        # Only an employee has a phone to call from.
        caller = tenants.callers["employee" if name == "POST /v1/calls" else "owner"]
        body = bodies_with_ids(ours, extensions)[name]
        response = caller.send(route.method, route.address(ours), json=body)
        assert response.status < 300, (name, response)
        others = list(swapped(bodies_with_ids(ours, extensions)[name], ours, theirs))
        assert others, name
        for other in others:
            response = caller.send(route.method, route.address(ours), json=other)
            assert response.status in (400, 404), (name, other, response)
    assert state_of(tenants, tenants.theirs) == before


def test_owner_cannot_use_operator_routes_of_any_tenant(tenants: TwoTenants) -> None:
    for route in OPERATORS:
        for side in (tenants.ours, tenants.theirs):
            request: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
            response = tenants.callers["owner"].send(route.method, route.address(side.ids), **request)
            assert response.status == 403, (route.name, response)


def test_lists_contain_only_resources_of_the_own_tenant(tenants: TwoTenants) -> None:
    for side, other in ((tenants.ours, tenants.theirs), (tenants.theirs, tenants.ours)):
        owner = tenants.callers["owner"] if side is tenants.ours else side.office.owner
        contacts = owner.get("/v1/contacts", phone=f"+{PHONE}").json["items"]
        assert [one["id"] for one in contacts] == [side.ids["contact_id"]]
        text = json.dumps([owner.get(f"/v1/{name}").json for name in ("calls", "tags", "tasks", "employees", "groups")])
        assert not [value for name, value in other.ids.items() if name != "number" and value in text]
