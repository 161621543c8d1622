"""OpenAPI document of the API, generated from the routes of all functions.

`python -m tools.openapi` writes `docs/openapi.json` and the copy that the admin function serves; `--check` reports
differences, `--breaking FILE` the changes against another document that break existing programs.
"""

import importlib.util
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic.json_schema import models_json_schema

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Problem
from hangtag.api.kernel.operations import TAGS, Operation
from hangtag.errors import CODE_STATUS, STATUS, ErrorCode
from hangtag.runtime import VARIABLES
from tools.openapi_changes import breaking_changes

__all__ = ["app_of", "document", "join", "operations", "reached", "text"]

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "openapi.json"
SERVED = ROOT / "layers" / "common" / "hangtag" / "api" / "openapi.json"
FUNCTIONS = ("admin", "desk", "originate", "recordings", "reports")
# Read when a function's module is imported; no request is sent to AWS, and the document does not depend on the values.
_ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1"} | dict.fromkeys(VARIABLES, "1")
_REF = "#/components/schemas/{model}"
# Properties that every problem contains.
_PROBLEMS = {"Problem": ["type", "title", "status", "code"], "FieldProblem": ["field", "code", "reason"]}
_UNUSED = ("HTTPValidationError", "ResponseValidationError", "ValidationError")
_TITLES = dict(STATUS.values()) | {412: "Precondition Failed", 428: "Precondition Required"}
_WRITES = ("post", "put", "patch", "delete")
_WITH_BODY = ("post", "put", "patch")
_BODY_CODES = (
    ErrorCode.INVALID_JSON,
    ErrorCode.INVALID_BODY,
    ErrorCode.INVALID_ENCODING,
    ErrorCode.BODY_TOO_DEEP,
    ErrorCode.DUPLICATE_FIELD,
    ErrorCode.BODY_TOO_LARGE,
    ErrorCode.MEDIA_TYPE_UNSUPPORTED,
)
_SUCCESSES = {
    "200": "The request succeeded.",
    "201": "The resource was created.",
    "202": "The request was accepted and is being processed.",
    "204": "The request succeeded; the response has no body.",
}
_DESCRIPTION = """\
Hangtag connects cloud PBXs to a CRM: it follows each call and writes a tag when the call ends.

- Times are ISO 8601 in UTC with milliseconds. Phone numbers in responses are E.164; requests accept any format.
- Lists return `items` and `next_cursor`; send the cursor as `cursor` for the next page.
- A POST with an `Idempotency-Key` header runs once per day and key.
- Errors are `application/problem+json` (RFC 9457) with a stable `code`. Unknown paths return `route_not_found`; a
  method that a path does not support returns 405 `method_not_allowed` with an `Allow` header.
- Unknown query parameters and body fields are rejected.
"""
_ROLES = """\
A token of Hangtag, of the operator, or a JWT of the operator's identity provider. Its role decides what it can do:

- `employee`: calls, contacts, tasks and tags that the employee can see.
- `admin`: additionally the tenant's settings, staff and integrations.
- `owner`: additionally exports and the owner token.
- `operator`: tenants of the installation only, without access to their data.

`x-required-role` of an operation is the least role that can call it.
"""
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The request runs once per day and key; a repetition returns the first response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "examples": ["order-4711"]},
}
_ID = "5f0c2a7be1d94c36"
# Parameters that have the same meaning at every path.
_PARAMETERS: Mapping[str, tuple[str, Any]] = {
    "call_id": ("Id of the call.", "9c1d27f0a4b35e68.5f0c2a7be1d94c365f0c2a7be1d94c36.0001"),
    "contact_id": ("Id of the contact.", _ID),
    "cursor": ("`next_cursor` of the previous page; omit it for the first page.", "WyJDQUxMUyJd"),
    "delivery_id": ("Id of the webhook request.", _ID),
    "employee_id": ("Id of the employee.", _ID),
    "erasure_id": ("Id of the erasure.", _ID),
    "export_id": ("Id of the export.", _ID),
    "file_id": ("Id of the report file.", _ID),
    "group_id": ("Id of the group.", _ID),
    "import_id": ("Id of the contact import.", _ID),
    "integration_id": ("Id of the integration.", _ID),
    "letter_id": ("Id of the dead letter.", _ID),
    "limit": ("Items per page.", 50),
    "missed_call_id": ("Id of the missed call.", _ID),
    "number": ("The line's phone number in any format, URL-encoded.", "+442079460010"),
    "recording_id": ("Id of the recording.", _ID),
    "tag_id": ("Id of the tag.", _ID),
    "task_id": ("Id of the task.", _ID),
    "tenant_id": ("Id of the tenant.", _ID),
    "token_id": ("Id of the token.", _ID),
}


@lru_cache(maxsize=1)
def _version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def document() -> dict[str, Any]:
    """Return the whole API as OpenAPI 3.1: the routes of every function that serves `/v1`."""
    _, problem = models_json_schema([(Problem, "serialization")], ref_template=_REF)
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hangtag",
            "version": _version(),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": description} for name, description in sorted(TAGS.items())],
        "paths": {},
        "components": {
            "schemas": dict(problem["$defs"]),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": _ROLES}},
        },
    }
    for name in FUNCTIONS:
        part, described = _part(name)
        join(whole, part, described)
    whole["paths"] = dict(sorted(whole["paths"].items()))
    schemas = {name: _without_titles(schema) for name, schema in sorted(whole["components"]["schemas"].items())}
    whole["components"]["schemas"] = schemas
    _set_required(whole)
    return whole


def _set_required(whole: dict[str, Any]) -> None:
    """Adapt properties with a default to the direction of their schema.

    A response always contains them, except in problems. Generators treat a default in a request as a required field,
    therefore it moves into the description.
    """
    schemas = whole["components"]["schemas"]
    operations = [operation for methods in whole["paths"].values() for operation in methods.values()]
    requests = reached(schemas, [operation.get("requestBody", {}) for operation in operations])
    responses = reached(schemas, [operation["responses"] for operation in operations])
    for name in responses - requests - set(_PROBLEMS):
        properties = schemas[name].get("properties", {})
        if properties:
            schemas[name]["required"] = list(properties)
        for schema in properties.values():
            schema.pop("default", None)
    for name in set(_PROBLEMS) & schemas.keys():
        for schema in schemas[name]["properties"].values():
            schema.pop("default", None)
        schemas[name]["required"] = _PROBLEMS[name]
    for name in requests - responses:
        for schema in schemas[name].get("properties", {}).values():
            default = schema.pop("default", None)
            if default not in (None, [], {}):
                text = f"{schema.get('description', '')} Default: `{json.dumps(default, ensure_ascii=False)}`."
                schema["description"] = text.strip()


def references(node: Any) -> Iterator[str]:
    """Yield the names of the schemas that a part of the document refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rsplit("/", 1)[1]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def reached(schemas: Mapping[str, Any], nodes: list[Any]) -> set[str]:
    """Return the names of all schemas that parts of the document refer to, directly or through others."""
    names: set[str] = set()
    waiting = [name for node in nodes for name in references(node)]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += references(schemas[name])
    return names


def operations() -> dict[str, Operation]:
    """Return the descriptions of all operations by id."""
    return {one.operation_id: one for name in FUNCTIONS for one in _part(name)[1].values()}


def _part(function: str) -> tuple[dict[str, Any], dict[tuple[str, str], Operation]]:
    """Return the document of one function and the operations by method and path."""
    app = app_of(function)
    part: dict[str, Any] = json.loads(app.get_openapi_json_schema(title="part", version="1"))
    described = {
        (route.method.lower(), route.openapi_path): app.operations[route.method, str(route.path)]
        for route in app.all_routes()
    }
    return part, described


@lru_cache(maxsize=len(FUNCTIONS))
def app_of(function: str) -> Any:
    """Return the API of a function, imported with placeholder settings."""
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"openapi_{function}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    with patch.dict(os.environ, _ENVIRONMENT):
        spec.loader.exec_module(module)
    return module.app


def join(whole: dict[str, Any], part: dict[str, Any], described: Mapping[tuple[str, str], Operation]) -> None:
    """Add one function's document to the whole. Raises ValueError for two different schemas of one name."""
    for path, methods in part["paths"].items():
        at = whole["paths"].setdefault(path, {})
        for method, operation in methods.items():
            at[method] = _operation(method, path, operation, described[method, path])
    schemas = whole["components"]["schemas"]
    for name, schema in part.get("components", {}).get("schemas", {}).items():
        if name not in _UNUSED and schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two functions have different schemas named {name}")


def _operation(method: str, path: str, operation: dict[str, Any], described: Operation) -> dict[str, Any]:
    """Return one operation with its parameters described and the responses that can occur."""
    parameters = [_parameter(parameter) for parameter in operation.get("parameters", [])]
    if method == "post":
        parameters.append(_IDEMPOTENCY_KEY)
    responses = {
        status: _success(status, response) for status, response in operation["responses"].items() if status[0] in "23"
    }
    names = {parameter["name"] for parameter in parameters}
    changed = {**operation, "responses": {**responses, **_failures(_codes(method, path, names, described))}}
    changed.pop("parameters", None)
    if parameters:
        changed["parameters"] = parameters
    if described.role is None:
        changed["security"] = []
    if described.example is not None:
        changed["requestBody"]["content"]["application/json"]["example"] = described.example
    if "requestBody" in changed:
        changed["requestBody"] = _without_titles(changed["requestBody"])
    return changed


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter with a description and an example; the route's own ones take precedence."""
    schema = _without_titles(parameter["schema"])
    description = schema.pop("description", None) or parameter.get("description")
    name = parameter["name"]
    if name in _PARAMETERS:
        usual, example = _PARAMETERS[name]
        description = description or usual
        if "$ref" not in schema:
            schema.setdefault("examples", [example])
    return {**parameter, **({"description": description} if description else {}), "schema": schema}


def _success(status: str, response: dict[str, Any]) -> dict[str, Any]:
    if status == "204":
        return {"description": _SUCCESSES[status]}
    usual = response.get("description") in (None, "", "Successful Response")
    described = {**response, "description": _SUCCESSES.get(status, "")} if usual else response
    return {name: _without_titles(value) if name == "content" else value for name, value in described.items()}


def _codes(method: str, path: str, parameters: set[str], described: Operation) -> set[ErrorCode]:
    """Return the codes that follow from the operation's shape, and those stated at its route."""
    always = {
        ErrorCode.VALIDATION_FAILED,
        ErrorCode.UNKNOWN_PARAMETER,
        ErrorCode.RATE_LIMITED,
        ErrorCode.INTERNAL_ERROR,
        ErrorCode.UNAVAILABLE,
    }
    rules = (
        (
            described.role is not None,
            (ErrorCode.AUTHENTICATION_REQUIRED, ErrorCode.TOKEN_INVALID, ErrorCode.TOKEN_EXPIRED),
        ),
        (described.role not in (None, Role.ANYONE), (ErrorCode.ROLE_NOT_ALLOWED,)),
        ("{" in path, (ErrorCode.NOT_FOUND,)),
        (method in _WITH_BODY, _BODY_CODES),
        (method in _WRITES, (ErrorCode.OPERATION_RUNNING,)),
        (method == "post", (ErrorCode.IDEMPOTENCY_KEY_INVALID, ErrorCode.IDEMPOTENCY_KEY_REUSED)),
        ("cursor" in parameters, (ErrorCode.CURSOR_INVALID,)),
        ("from" in parameters, (ErrorCode.RANGE_INVALID,)),
    )
    return always | {code for holds, codes in rules if holds for code in codes} | described.errors


def _failures(codes: set[ErrorCode]) -> dict[str, Any]:
    """Return the error responses by status; each lists its codes."""
    responses = {}
    for status in sorted({CODE_STATUS[code] for code in codes}):
        names = ", ".join(f"`{code}`" for code in ErrorCode if code in codes and CODE_STATUS[code] == status)
        responses[str(status)] = {
            "description": f"{_TITLES[status]}: {names}.",
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    return responses


def _without_titles(schema: Any) -> Any:
    """Return a schema without pydantic's generated titles; properties named `title` stay."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _without_titles(one) for key, one in value.items()}
        if name == "properties"
        else value
        if name in ("examples", "example", "default", "enum")
        else _without_titles(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }


def text() -> str:
    """Return the document as `docs/openapi.json` contains it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _compact(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")) + "\n"


def _differences(old: str, new: str) -> Iterator[str]:
    try:
        before = json.loads(old)
    except ValueError:
        before = {}
    after = json.loads(new)
    for part in ("paths", "components"):
        old_part, new_part = before.get(part, {}), after[part]
        if part == "components":
            old_part, new_part = old_part.get("schemas", {}), new_part["schemas"]
        for name in sorted(old_part.keys() | new_part.keys()):
            if old_part.get(name) != new_part.get(name):
                yield name


def _write() -> int:
    new = text()
    FILE.write_text(new)
    SERVED.write_text(_compact(new))
    return 0


def _check() -> int:
    new = text()
    old = FILE.read_text() if FILE.exists() else ""
    if old == new and SERVED.exists() and SERVED.read_text() == _compact(new):
        return 0
    print("docs/openapi.json differs from the code; run `make docs`:", *_differences(old, new), sep="\n  ")
    return 1


def _breaking(file: Path) -> int:
    changes = breaking_changes(json.loads(file.read_text()), document())
    print(*changes, sep="\n")
    return 1 if changes else 0


def main() -> int:
    """Run the command line."""
    arguments = sys.argv[1:]
    commands: Mapping[str, Callable[[], int]] = {"--check": _check}
    if arguments[:1] == ["--breaking"]:
        return _breaking(Path(arguments[1]) if len(arguments) > 1 else FILE)
    return commands.get(arguments[0], _write)() if arguments else _write()


if __name__ == "__main__":
    sys.exit(main())
