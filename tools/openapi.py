"""Makes docs/openapi.json from the routes of all functions: `python -m tools.openapi [--check]`."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hangtag.runtime import VARIABLES

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "openapi.json"
FUNCTIONS = ("admin", "desk", "originate", "recordings", "reports")
# Read when a function's module is imported; nothing of AWS is asked.
# The document does not depend on their values.
_ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1"} | dict.fromkeys(VARIABLES, "1")
# What any route may answer instead: errors.py, as problem+json.
_ERRORS = {
    "400": "What was sent can't be understood or is not allowed",
    "401": "No token, or none that is valid",
    "403": "The token's role does not reach this far",
    "404": "There is no such thing",
    "409": "A rule between things would break",
    "413": "The body is too long",
    "415": "The body is no JSON",
    "422": "It contradicts itself, or what was sent before under the same key",
    "429": "Slow down",
    "502": "A service outside did not answer as it should",
    "503": "Try again in a moment",
}
_PROBLEM = {
    "type": "object",
    "description": "An error, by RFC 9457.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "tel": {"type": "string", "description": "A link that dials the number from another phone (RFC 3966)."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_UNUSED = ("HTTPValidationError", "ResponseValidationError", "ValidationError")


def document() -> dict[str, Any]:
    """The whole API as OpenAPI 3.1: the routes of every function that serves `/v1`."""
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hangtag",
            "version": "1",
            "description": "Connects cloud PBXs to a CRM. Times are ISO 8601 in UTC, numbers E.164.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {},
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "responses": {
                f"Problem{status}": {
                    "description": text,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for status, text in _ERRORS.items()
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    for name in FUNCTIONS:
        join(whole, _part(name))
    whole["paths"] = dict(sorted(whole["paths"].items()))
    whole["components"]["schemas"] = dict(sorted(whole["components"]["schemas"].items()))
    return whole


def _part(function: str) -> dict[str, Any]:
    """What one function serves."""
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"openapi_{function}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    with patch.dict(os.environ, _ENVIRONMENT):
        spec.loader.exec_module(module)
    part: dict[str, Any] = json.loads(module.app.get_openapi_json_schema(title="part", version="1"))
    return part


def join(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add one function's document to the whole. Raises ValueError for another shape of a name that is taken."""
    for path, methods in part["paths"].items():
        at = whole["paths"].setdefault(path, {})
        for method, operation in methods.items():
            at[method] = _operation(method, operation)
    schemas = whole["components"]["schemas"]
    for name, shape in part.get("components", {}).get("schemas", {}).items():
        if name not in _UNUSED and schemas.setdefault(name, shape) != shape:
            raise ValueError(f"two functions have a shape called {name}, and they are not the same")


def _operation(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One route, with our errors in place of the framework's, and the header that any POST takes."""
    succeeds = {status: said for status, said in operation["responses"].items() if status[0] in "23"}
    if "204" in succeeds:
        succeeds["204"] = {"description": "Done; there is nothing to say"}
    errors = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _ERRORS}
    changed = {**operation, "responses": {**succeeds, **errors}}
    if method == "post":
        header = {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same request under the same key is carried out once, for a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }
        changed["parameters"] = [*operation.get("parameters", []), header]
    return changed


def text() -> str:
    """The file's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _differences(old: str, new: str) -> Iterator[str]:
    try:
        before = json.loads(old)
    except ValueError:
        before = {}
    after = json.loads(new)
    for part in ("paths", "components"):
        was, is_now = before.get(part, {}), after[part]
        if part == "components":
            was, is_now = was.get("schemas", {}), is_now["schemas"]
        for name in sorted(was.keys() | is_now.keys()):
            if was.get(name) != is_now.get(name):
                yield name


def main() -> int:
    """Write the file, or with --check say what in it is not what the code says."""
    new = text()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(new)
        return 0
    old = FILE.read_text() if FILE.exists() else ""
    if old == new:
        return 0
    print("docs/openapi.json is not what the code says (make docs):", *_differences(old, new), sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())
