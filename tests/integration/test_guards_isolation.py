"""Two tenants that look alike, and every route asked by the one about the other's things: nothing crosses."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from api_client import Answer, Caller, Office, open_office
from guard_routes import Route, all_routes, bodies, id_for
from local.stack import Stack, running
from pbx_line import Line
from schedules import stop_schedule

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4644
PHONE = "79105556601"
WITHIN_SECONDS = 60.0
# Stands in all that the other tenant's people typed, and in nothing of ours.
MARK = "Foreign"
# Ours comes from the token; the other's is nothing that a query or a body could name.
ROUTES = [route for route in all_routes() if route.role != "operator"]
OPERATORS = [route for route in all_routes() if route.role == "operator"]


@dataclass(frozen=True, slots=True)
class Side:
    """A tenant, and the ids of its things by the names that routes give them."""

    office: Office
    ids: Mapping[str, str]


@dataclass(slots=True)
class Scene:
    """A stack with two tenants of the same numbers, extensions, call ids and titles."""

    stack: Stack
    ours: Side
    theirs: Side
    callers: dict[str, Caller]


def furnish(office: Office, mark: str) -> Side:
    """One of everything; of two offices it is the same but for the names."""
    owner, line = office.owner, Line(office)
    assert owner.put("/v1/settings/telephony", {"settle_seconds": 2}).status == 200
    owner.made("/v1/contacts", {"name": f"{mark} customer", "phones": [f"+{PHONE}"]})
    assert owner.put("/v1/lines/74951230001", {"name": f"{mark} line"}).status == 200
    owner.patch(f"/v1/employees/{office.anna['id']}", {"name": f"{mark} Anna"})
    tag = line.talk("same-call", PHONE)
    # One that nothing is done about, so that it stays as it is.
    rules = owner.get("/v1/settings/telephony").json
    assert owner.put("/v1/settings/telephony", {**rules, "recordings": {"mode": "none"}}).status == 200
    line.post(cmd="record", callid="same-call", record_link=f"https://pbx.example/{mark}.mp3")
    recording = line.recording("same-call", "not_kept")
    missed = line.missed("same-missed", PHONE)
    task = owner.made("/v1/tasks", {"title": "Same title", "contact_ids": [tag["contact_id"]]})
    comment = {"text": f"{mark} comment", "task_id": task["id"]}
    made = owner.made(f"/v1/calls/{tag['call_id']}/comments", comment)
    group = owner.made("/v1/groups", {"name": f"{mark} group", "employee_ids": [office.anna["id"]]})
    deliveries = owner.get(f"/v1/integrations/{office.integration['id']}/deliveries").json["items"]
    tokens = owner.get("/v1/tokens").json["items"]
    ids = {
        "call_id": tag["call_id"], "tag_id": tag["id"], "contact_id": tag["contact_id"], "task_id": task["id"],
        "missed_call_id": missed["id"], "comment_id": made["id"], "group_id": group["id"],
        "employee_id": office.anna["id"], "integration_id": office.integration["id"],
        "recording_id": recording["id"], "delivery_id": deliveries[0]["id"], "tenant_id": office.tenant_id,
        "token_id": next(one["id"] for one in tokens if one["employee_id"]),
        "erasure_id": done(owner, "/v1/erasures", {"number": "+79105550000"}),
        "export_id": done(owner, "/v1/exports", {}),
        # What none of the lists has a value for.
        "letter_id": "0123456789abcdef0123456789abcdef", "import_id": "0123456789abcdef0123456789abcdef",
        "number": "74951230001", "file_id": written(owner),
    }  # fmt: skip
    return Side(office, ids)


def done(owner: Caller, path: str, body: Any) -> str:
    """Have a job done; its id. Else it would change the tenant while others look at it."""
    made_id: str = owner.made(path, body)["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while owner.get(f"{path}/{made_id}").json["state"] == "running":
        assert time.monotonic() < deadline, path
        # Nothing tells a client of the API that something changed; it asks again.
        time.sleep(0.1)
    return made_id


def written(owner: Caller) -> str:
    """Have a report's file written by a job; its id."""
    headers = {"accept": "text/csv", "prefer": "respond-async"}
    made_id: str = owner.send("GET", "/v1/reports/calls-by-contact", headers=headers).json["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while owner.get(f"/v1/reports/files/{made_id}").json["state"] == "running":
        assert time.monotonic() < deadline
        # Nothing tells a client of the API that something changed; it asks again.
        time.sleep(0.1)
    return made_id


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with running(port=PORT) as stack:
        # Nothing else may change the other tenant while requests try to.
        stop_schedule(stack, "reports")
        ours = furnish(open_office(stack.api, stack.operator_token), "Own")
        theirs = furnish(open_office(stack.api, stack.operator_token), MARK)
        callers = {"owner": ours.office.owner, "employee": ours.office.employee}
        yield Scene(stack, ours, theirs, callers)


def state_of(scene: Scene, side: Side) -> dict[str, str]:
    """Every item of the table in which the tenant's id stands."""
    pages = scene.stack.client("dynamodb").get_paginator("scan").paginate(TableName=scene.stack.table)
    texts = {
        f"{item['pk']['S']} / {item['sk']['S']}": json.dumps(item, sort_keys=True, default=str)
        for page in pages
        for item in page["Items"]
    }
    return {place: text for place, text in texts.items() if side.office.tenant_id in place + text}


def judge(scene: Scene, sent: str, answer: Answer) -> str | None:
    """What is wrong with an answer: a 5xx, their words in it, or ids of theirs that were not sent."""
    text = json.dumps(answer.json, ensure_ascii=False)
    if answer.status >= 500:
        return f"{answer.status}"
    if MARK in text:
        return "their words"
    theirs = [value for name, value in scene.theirs.ids.items() if name not in ("number", "letter_id", "import_id")]
    crossed = [value for value in theirs if value in text and (value not in sent or answer.status < 300)]
    return f"{answer.status} with their ids" if crossed else None


def mixed(route: Route, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The path's ids: theirs in every place, in some of them, and in none."""
    for choice in product((theirs, ours), repeat=len(route.parameters)):
        yield {name: ids[name] for name, ids in zip(route.parameters, choice, strict=True)}


def asked(scene: Scene, role: str, route: Route, path: str, **request: Any) -> str | None:
    caller = scene.callers[role]
    answer = caller.send(route.method, path, **request)
    if route.name == "POST /v1/tokens/owner" and answer.status == 201:
        scene.callers[role] = caller.with_token(answer.json["owner_token"])
    fault = judge(scene, path + json.dumps(request), answer)
    if fault is not None:
        return f"{role}: {route.method} {path} {json.dumps(request)}: {fault}: {json.dumps(answer.json)[:300]}"
    return None


def test_every_id_of_a_path_has_one_to_be_tried_with(scene: Scene) -> None:
    named = {name for route in ROUTES for name in route.parameters}
    assert named <= scene.theirs.ids.keys()


@pytest.mark.parametrize("role", ["owner", "employee"])
def test_no_route_gives_or_changes_anything_of_another_tenant(scene: Scene, role: str) -> None:
    ours, theirs = scene.ours.ids, scene.theirs.ids
    before = state_of(scene, scene.theirs)
    assert len(before) > 20
    faults = []
    for route in ROUTES:
        shapes = list(bodies(route.body, theirs)) if route.body else [None]
        for ids in mixed(route, ours, theirs):
            is_ours = all(ids[name] == ours[name] for name in route.parameters)
            if route.method == "DELETE" and is_ours:
                # Ours are needed for the rest.
                continue
            for shape in shapes:
                request = {"json": shape or {}} if route.method in ("POST", "PUT", "PATCH") else {}
                faults.append(asked(scene, role, route, route.address(ids), **request))
        for name in route.query:
            if (found := id_for(name, theirs)) is not None:
                address = route.address({one: ours[one] for one in route.parameters})
                faults.append(asked(scene, role, route, address, params={name: found}))
    assert [fault for fault in faults if fault is not None] == []
    assert state_of(scene, scene.theirs) == before


@pytest.mark.parametrize("role", ["owner", "employee"])
def test_their_things_are_not_found(scene: Scene, role: str) -> None:
    for route in ROUTES:
        if not route.parameters or route.parameters == ["number"]:
            continue
        body = next(bodies(route.body, scene.ours.ids)) if route.body else {}
        request = {"json": body} if route.method in ("POST", "PUT", "PATCH") else {}
        answer = scene.callers[role].send(route.method, route.address(scene.theirs.ids), **request)
        assert answer.status in (400, 403, 404, 409, 422), (route.name, answer)


def bodies_with_ids(ids: Mapping[str, str], extension: Iterator[int]) -> dict[str, Any]:
    """For each route whose body takes ids, one that is right in all else, so that the ids are looked up."""
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
    """The body again and again, each time with one id of ours replaced by theirs."""
    names = {value: name for name, value in ours.items()}
    if isinstance(body, dict):
        for key, inner in body.items():
            yield from ({**body, key: other} for other in swapped(inner, ours, theirs))
    elif isinstance(body, list):
        for place, inner in enumerate(body):
            yield from ([*body[:place], other, *body[place + 1 :]] for other in swapped(inner, ours, theirs))
    elif body in names:
        yield theirs[names[body]]


def test_every_id_in_a_body_is_looked_up_in_ones_own_tenant(scene: Scene) -> None:
    """With ours the request is taken, with theirs in any one place it is refused, and they are as before."""
    ours, theirs = scene.ours.ids, scene.theirs.ids
    extensions = iter(range(700, 800))
    routes = {route.name: route for route in ROUTES}
    known = bodies_with_ids(ours, extensions)
    taking = {
        route.name
        for route in ROUTES
        if route.body and "id of theirs" in json.dumps(list(bodies(route.body, dict.fromkeys(ours, "id of theirs"))))
    }
    assert taking == known.keys()
    before = state_of(scene, scene.theirs)
    # A PBX that can be asked to call.
    address = {"credentials": {"pbx_url": "https://pbx.example/api"}}
    assert scene.callers["owner"].patch(f"/v1/integrations/{ours['integration_id']}", address).status == 200
    for name in sorted(known):
        route = routes[name]
        # Only an employee has a phone to call from.
        caller = scene.callers["employee" if name == "POST /v1/calls" else "owner"]
        body = bodies_with_ids(ours, extensions)[name]
        answer = caller.send(route.method, route.address(ours), json=body)
        assert answer.status < 300, (name, answer)
        others = list(swapped(bodies_with_ids(ours, extensions)[name], ours, theirs))
        assert others, name
        for other in others:
            answer = caller.send(route.method, route.address(ours), json=other)
            assert answer.status in (400, 404), (name, other, answer)
    assert state_of(scene, scene.theirs) == before


def test_a_tenants_owner_gets_at_no_tenant_not_even_their_own(scene: Scene) -> None:
    for route in OPERATORS:
        for side in (scene.ours, scene.theirs):
            request: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
            answer = scene.callers["owner"].send(route.method, route.address(side.ids), **request)
            assert answer.status == 403, (route.name, answer)


def test_lists_hold_ones_own_only(scene: Scene) -> None:
    for side, other in ((scene.ours, scene.theirs), (scene.theirs, scene.ours)):
        owner = scene.callers["owner"] if side is scene.ours else side.office.owner
        contacts = owner.get("/v1/contacts", phone=f"+{PHONE}").json["items"]
        assert [one["id"] for one in contacts] == [side.ids["contact_id"]]
        text = json.dumps([owner.get(f"/v1/{name}").json for name in ("calls", "tags", "tasks", "employees", "groups")])
        assert not [value for name, value in other.ids.items() if name != "number" and value in text]
