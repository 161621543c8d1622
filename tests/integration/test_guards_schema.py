"""Responses to generated requests match the OpenAPI document and are never a 5xx, for every route and role."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api_client import Office, open_office
from guard_routes import id_for
from local.stack import Stack, running
from pbx_line import Line
from tools.openapi import document

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4646
# Examples per route and role: about a minute in total.
EXAMPLES = 4
SCHEMA = schemathesis.openapi.from_dict(document())
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class GeneratedRequests:
    """An office with resources, their ids, and tokens of the roles."""

    stack: Stack
    office: Office
    ids: Mapping[str, str]
    tokens: dict[str, str | None]


@pytest.fixture(scope="module")
def target() -> Iterator[GeneratedRequests]:
    with running(port=PORT) as stack:
        office = open_office(stack.api, stack.operator_token)
        spare = office.operator.create("/v1/tenants", {"name": "Spare"})
        tag = Line(office).talk("schema", "79105556601")
        task = office.owner.create("/v1/tasks", {"title": "Call back", "contact_ids": [tag["contact_id"]]})
        group = office.owner.create("/v1/groups", {"name": "Sales", "employee_ids": [office.anna["id"]]})
        ids = {
            "call_id": tag["call_id"], "tag_id": tag["id"], "contact_id": tag["contact_id"], "task_id": task["id"],
            "group_id": group["id"], "employee_id": office.anna["id"], "tenant_id": spare["id"],
            "integration_id": office.integration["id"], "number": "74951230001",
        }  # fmt: skip
        tokens = {
            "owner": office.owner.token,
            "employee": office.employee.token,
            "operator": office.operator.token,
        }
        yield GeneratedRequests(stack, office, ids, tokens)


@pytest.mark.parametrize("role", ["owner", "employee", "operator"])
def test_every_response_matches_the_openapi_document(target: GeneratedRequests, role: str) -> None:
    faults: dict[str, str] = {}
    for result in SCHEMA.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        name = f"{operation.method.upper()} {operation.path}"
        try:
            send_examples(target, role, operation)
        except (AssertionError, BaseExceptionGroup) as error:
            parts = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
            faults[name] = " | ".join(f"{type(part).__name__}: {part}"[:500] for part in parts)
    assert not faults, "\n\n".join(f"{name}\n{text}" for name, text in faults.items())


def send_examples(target: GeneratedRequests, role: str, operation: schemathesis.APIOperation) -> None:  # type: ignore[type-arg]
    """Send generated requests to one route; every other one uses existing ids, except for DELETE."""
    count = 0

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        nonlocal count
        count += 1
        if operation.method != "delete" and count % 2:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = target.ids.get(name) or id_for(name, target.ids)
        headers = {"authorization": f"Bearer {target.tokens[role]}"}
        response = case.call(base_url=target.stack.api, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS, headers=headers)
        body = response.json() if response.content else {}
        if isinstance(body, dict) and "owner_token" in body and operation.path == "/v1/tokens/owner":
            # This response ended the previous token.
            target.tokens[role] = body["owner_token"]

    send()
