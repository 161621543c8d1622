"""Assembly of the OpenAPI document from the functions' own documents, and the comparison of two documents."""

import copy
from typing import Any

import pytest

from tools.openapi import document, join
from tools.openapi_changes import breaking_changes


def part(name: str, **shape: Any) -> dict[str, Any]:
    return {"paths": {}, "components": {"schemas": {name: shape}}}


def test_schema_name_of_two_functions_has_one_definition() -> None:
    whole: dict[str, Any] = {"paths": {}, "components": {"schemas": {}}}
    join(whole, part("GroupOut", type="object"), {})
    join(whole, part("GroupOut", type="object"), {})
    assert whole["components"]["schemas"] == {"GroupOut": {"type": "object"}}
    with pytest.raises(ValueError, match="GroupOut"):
        join(whole, part("GroupOut", type="string"), {})


def sample() -> dict[str, Any]:
    """Return a document with one operation."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/CreateThing"}}}
    return {
        "paths": {
            "/v1/things": {
                "post": {
                    "operationId": "createThing",
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "requestBody": {"required": True, "content": body},
                    "responses": {
                        "201": {
                            "description": "Created.",
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Color": {"type": "string", "enum": ["red", "blue"]},
                "CreateThing": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "color": {"$ref": "#/components/schemas/Color"}},
                },
                "Thing": {
                    "type": "object",
                    "properties": {
                        "name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        "color": {"$ref": "#/components/schemas/Color"},
                        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    },
                },
            }
        },
    }


def change(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path of keys; None removes it."""
    *way, last = path.split(">")
    at: Any = document
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value


OPERATION = "paths>/v1/things>post"
SCHEMAS = "components>schemas"
BREAKING = [
    ("paths>/v1/things", None, "POST /v1/things was removed."),
    (f"{OPERATION}>operationId", "addThing", "operation id changed to addThing"),
    (f"{OPERATION}>parameters", [], "parameter limit was removed"),
    (f"{OPERATION}>parameters>0>required", True, "parameter limit became required"),
    (f"{OPERATION}>responses>201", None, "status 201 was removed"),
    (f"{SCHEMAS}>Thing>properties>color", None, "201: the property color was removed"),
    (f"{SCHEMAS}>Thing>properties>name>anyOf", [{"type": "integer"}], "type changed from null, string to integer"),
    (f"{SCHEMAS}>CreateThing>properties>color", None, "request: the property color was removed"),
    (f"{SCHEMAS}>CreateThing>required", ["name", "color"], "the property color became required"),
    (f"{SCHEMAS}>Color>enum", ["red"], "request.color: values removed: blue"),
    (f"{SCHEMAS}>Color>enum", ["red", "blue", "green"], "201.color: values added: green"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BREAKING)
def test_a_breaking_change_of_the_document_is_reported(path: str, value: Any, sentence: str) -> None:
    new = copy.deepcopy(sample())
    change(new, path, value)
    changes = breaking_changes(sample(), new)
    assert any(sentence in line for line in changes), changes


COMPATIBLE = [
    (f"{SCHEMAS}>Thing>properties>size", {"type": "integer"}),
    (f"{SCHEMAS}>CreateThing>properties>size", {"type": "integer"}),
    (f"{SCHEMAS}>Thing>properties>name>anyOf", [{"type": "string"}]),
    (f"{OPERATION}>summary", "Create a thing"),
    ("paths>/v1/others", {"get": {"responses": {}}}),
]


@pytest.mark.parametrize(("path", "value"), COMPATIBLE)
def test_an_addition_to_the_document_is_compatible(path: str, value: Any) -> None:
    new = copy.deepcopy(sample())
    change(new, path, value)
    assert breaking_changes(sample(), new) == []


def test_a_document_has_no_breaking_change_against_itself() -> None:
    whole = document()
    assert breaking_changes(whole, copy.deepcopy(whole)) == []
