"""Whatever is sent to any route, by whomever: never a 5xx, and every answer is as the OpenAPI document says."""

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
# Of each route, for each caller: about a minute together.
EXAMPLES = 4
SCHEMA = schemathesis.openapi.from_dict(document())
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class Scene:
    """An office with something in it, the ids of that, and the tokens of who asks."""

    stack: Stack
    office: Office
    ids: Mapping[str, str]
    tokens: dict[str, str | None]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with running(port=PORT) as stack:
        office = open_office(stack.api, stack.operator_token)
        spare = office.operator.made("/v1/tenants", {"name": "Spare"})
        tag = Line(office).talk("schema", "79105556601")
        task = office.owner.made("/v1/tasks", {"title": "Call back", "contact_ids": [tag["contact_id"]]})
        group = office.owner.made("/v1/groups", {"name": "Sales", "employee_ids": [office.anna["id"]]})
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
        yield Scene(stack, office, ids, tokens)


@pytest.mark.parametrize("role", ["owner", "employee", "operator"])
def test_every_answer_is_as_the_document_says(scene: Scene, role: str) -> None:
    wrong: dict[str, str] = {}
    for found in SCHEMA.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        name = f"{operation.method.upper()} {operation.path}"
        try:
            ask_often(scene, role, operation)
        except (AssertionError, BaseExceptionGroup) as error:
            parts = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
            wrong[name] = " | ".join(f"{type(part).__name__}: {part}"[:500] for part in parts)
    assert not wrong, "\n\n".join(f"{name}\n{said}" for name, said in wrong.items())


def ask_often(scene: Scene, role: str, operation: schemathesis.APIOperation) -> None:  # type: ignore[type-arg]
    """A few requests to one route, of which every other one is about something that exists, if it deletes nothing."""
    count = 0

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        nonlocal count
        count += 1
        if operation.method != "delete" and count % 2:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = scene.ids.get(name) or id_for(name, scene.ids)
        headers = {"authorization": f"Bearer {scene.tokens[role]}"}
        response = case.call(base_url=scene.stack.api, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS, headers=headers)
        said = response.json() if response.content else {}
        if isinstance(said, dict) and "owner_token" in said and operation.path == "/v1/tokens/owner":
            # The one before has ended with this.
            scene.tokens[role] = said["owner_token"]

    ask()
