"""Quality of the OpenAPI document: names, descriptions, examples, enums and the responses that can occur."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hangtag.api.kernel.operations import MAX_SUMMARY, TAGS
from hangtag.errors import ErrorCode, FieldErrorCode
from tools.openapi import FILE, SERVED, document, reached

DOCUMENT = document()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
ROLES = {"none", "anyone", "employee", "admin", "owner", "operator"}
# Singular verbs in the imperative that a summary can start with.
VERBS = {
    "Assign", "Comment", "Connect", "Create", "Delete", "Disconnect", "Erase", "Export", "Get", "List", "Log", "Name",
    "Place", "Preview", "Reconcile", "Redrive", "Remove", "Replace", "Replay", "Report", "Resolve", "Retry", "Revoke",
    "Rotate", "Run", "Send", "Set", "Start", "Stop", "Update",
}  # fmt: skip


REQUESTS = reached(SCHEMAS, [operation.get("requestBody", {}) for _, operation in OPERATIONS])
RESPONSES = reached(SCHEMAS, [operation["responses"] for _, operation in OPERATIONS])
PROPERTIES = [
    (f"{name}.{field}", schema)
    for name, model in SCHEMAS.items()
    for field, schema in model.get("properties", {}).items()
]
PARAMETERS = [
    (f"{name} {parameter['name']}", parameter)
    for name, operation in OPERATIONS
    for parameter in operation.get("parameters", [])
]


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema inside a schema, itself included."""
    if isinstance(schema, list):
        for one in schema:
            yield from nodes(one)
    elif isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            if name == "properties":
                for one in value.values():
                    yield from nodes(one)
            elif name not in ("examples", "example", "default", "enum"):
                yield from nodes(value)


def is_reference(schema: dict[str, Any]) -> bool:
    """Return True for a reference to a named schema, which has its own examples, and for lists of such."""
    if "$ref" in schema:
        return True
    if schema.get("type") == "array":
        return is_reference(schema["items"])
    members = [one for one in schema.get("anyOf", schema.get("allOf", ())) if one.get("type") != "null"]
    return bool(members) and all(is_reference(one) for one in members)


def test_committed_documents_are_current() -> None:
    assert json.loads(FILE.read_text()) == DOCUMENT
    assert json.loads(SERVED.read_text()) == DOCUMENT


def test_operation_ids_are_unique_in_camel_case() -> None:
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", one)] == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_is_described(name: str, operation: dict[str, Any]) -> None:
    (tag,) = operation["tags"]
    assert tag in TAGS
    summary = operation["summary"]
    assert 0 < len(summary) <= MAX_SUMMARY
    assert not summary.endswith(".")
    assert summary.split()[0] in VERBS, summary
    assert operation["description"].strip()
    assert operation["x-required-role"] in ROLES
    assert "required" in operation["description"].lower()


def test_every_tag_of_the_document_is_described() -> None:
    assert {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]} == TAGS
    assert {tag for _, operation in OPERATIONS for tag in operation["tags"]} == set(TAGS)


def test_schema_names_are_plain_nouns() -> None:
    assert [name for name in SCHEMAS if not re.fullmatch(r"[A-Z][A-Za-z]+", name) or "Listed" in name] == []
    assert [name for name in SCHEMAS if name.endswith(("In", "Out"))] == []


def test_no_schema_is_used_in_both_directions() -> None:
    enums = {name for name, schema in SCHEMAS.items() if "enum" in schema}
    assert sorted((REQUESTS & RESPONSES) - enums) == []


def test_every_schema_is_used() -> None:
    in_parameters = reached(SCHEMAS, [parameter for _, parameter in PARAMETERS])
    assert sorted(set(SCHEMAS) - REQUESTS - RESPONSES - in_parameters) == []


def test_every_property_has_a_description() -> None:
    assert [name for name, schema in PROPERTIES if not schema.get("description")] == []


def test_every_property_has_an_example() -> None:
    lacking = [name for name, schema in PROPERTIES if not is_reference(schema) and not schema.get("examples")]
    assert lacking == []


def test_every_parameter_has_a_description() -> None:
    assert [name for name, parameter in PARAMETERS if not parameter.get("description")] == []


def test_every_parameter_has_an_example() -> None:
    lacking = [
        name
        for name, parameter in PARAMETERS
        if not is_reference(parameter["schema"]) and not parameter["schema"].get("examples")
    ]
    assert lacking == []


def test_every_enum_is_a_named_schema() -> None:
    inline = [
        name
        for name, schema in [*PROPERTIES, *((name, parameter["schema"]) for name, parameter in PARAMETERS)]
        for node in nodes(schema)
        if len(node.get("enum", ())) > 1
    ]
    assert inline == []


def test_every_value_of_an_enum_is_described() -> None:
    # Error codes are their own description, providers are listed by GET /v1/providers.
    own = {ErrorCode.__name__, FieldErrorCode.__name__, "ProviderKey"}
    lacking = [
        f"{name}.{value}"
        for name, schema in SCHEMAS.items()
        for value in schema.get("enum", ())
        if name not in own and f"`{value}`:" not in schema.get("description", "")
    ]
    assert lacking == []


# Maps whose keys depend on the provider or on the code.
MAPS = {"FieldProblem.params", "Integration.settings", "IntegrationDetail.settings", "Problem.params"}


def test_responses_have_no_undeclared_properties() -> None:
    assert [name for name in RESPONSES if SCHEMAS[name].get("additionalProperties") is True] == []
    in_requests_only = REQUESTS - RESPONSES
    open_maps = {
        name
        for name, schema in PROPERTIES
        if name.split(".")[0] not in in_requests_only
        and any(node.get("additionalProperties") is True for node in nodes(schema))
    }
    assert open_maps <= MAPS


def test_every_time_of_a_response_is_a_date_time() -> None:
    lacking = [
        name
        for name, schema in PROPERTIES
        if name.endswith(("_at", "_until")) and not any(node.get("format") == "date-time" for node in nodes(schema))
    ]
    assert lacking == []


def test_error_responses_follow_from_the_operation() -> None:
    responses = DOCUMENT["paths"]["/v1/masks"]["get"]["responses"]
    assert sorted(responses) == ["200", "400", "401", "403", "429", "500", "503"]
    responses = DOCUMENT["paths"]["/v1/openapi.json"]["get"]["responses"]
    assert sorted(responses) == ["200", "400", "429", "500", "503"]
    responses = DOCUMENT["paths"]["/v1/contacts"]["post"]["responses"]
    assert {"413", "415", "422"} <= set(responses)
    assert "404" not in responses


def test_every_property_of_a_response_is_always_present() -> None:
    problems = {"Problem", "FieldProblem"}
    lacking = [
        name
        for name in RESPONSES - REQUESTS - problems
        if set(SCHEMAS[name].get("properties", ())) != set(SCHEMAS[name].get("required", ()))
    ]
    assert lacking == []


def test_no_field_of_a_request_has_a_default_keyword() -> None:
    # openapi-typescript treats a field with a default as required.
    lacking = [
        f"{name}.{field}"
        for name in REQUESTS
        for field, schema in SCHEMAS[name].get("properties", {}).items()
        if "default" in schema
    ]
    assert lacking == []


def test_only_the_document_itself_needs_no_authentication() -> None:
    assert [name for name, operation in OPERATIONS if operation.get("security") == []] == ["GET /v1/openapi.json"]
