"""Every route of the API, from its OpenAPI document, for tests that cover each new route."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.openapi import document

_PARAMETER = re.compile(r"\{(\w+)\}")
# Roles of the routes, independent of the code. All other routes are for admins.
PUBLIC = {"GET /v1/openapi.json"}
ANYONES = {"GET /v1/me"}
OWNERS = {"POST /v1/tokens/owner", "POST /v1/exports", "GET /v1/exports/{export_id}"}
OPERATORS = re.compile(r"\w+ /v1/tenants")
EMPLOYEES = re.compile(
    r"(?!.*/recordings/)"
    r"(GET|POST|PUT|PATCH) /v1/(contacts|calls|tasks|tags|planner|missed-calls|live-tickets)(?![\w-])|GET /v1/masks$"
    r"|GET /v1/reports/"
)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the document. `path` has its parameters in braces."""

    method: str
    path: str
    operation: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the route, such as `GET /v1/me`."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """Names of the path parameters."""
        return _PARAMETER.findall(self.path)

    @property
    def query(self) -> list[str]:
        """Names of the query parameters."""
        return [one["name"] for one in self.operation.get("parameters", []) if one["in"] == "query"]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """Schema of the body; None for a route without one."""
        content = self.operation.get("requestBody", {}).get("content", {})
        return content["application/json"]["schema"] if content else None

    def address(self, ids: Mapping[str, str]) -> str:
        """Return the path with these values of its parameters."""
        return _PARAMETER.sub(lambda match: ids[match[1]], self.path)

    @property
    def role(self) -> str:
        """Lowest role that can call the route; `none` without authentication."""
        if self.name in PUBLIC:
            return "none"
        if self.name in ANYONES:
            return "anyone"
        if self.name in OWNERS:
            return "owner"
        if OPERATORS.match(self.name):
            return "operator"
        return "employee" if EMPLOYEES.match(self.name) else "admin"


def all_routes() -> list[Route]:
    """Return every route of the functions."""
    return [
        Route(method.upper(), path, operation)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    ]


def bodies(schema: Mapping[str, Any], ids: Mapping[str, str]) -> Iterator[Any]:
    """Yield two bodies of a schema, filled with these ids: the required properties, then all properties."""
    schemas = document()["components"]["schemas"]
    yield _sample(schema, schemas, ids, "", whole=False)
    yield _sample(schema, schemas, ids, "", whole=True)


def _sample(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], ids: Mapping[str, str], name: str, whole: bool
) -> Any:
    """Return a value of a schema; with `whole`, optional properties are included."""
    if "$ref" in schema:
        return _sample(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, ids, name, whole)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _sample(schema[several][0], schemas, ids, name, whole)
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        names = properties if whole else schema.get("required", ())
        return {one: _sample(properties[one], schemas, ids, one, whole) for one in names}
    if kind == "array":
        filled = whole or schema.get("minItems", 0) > 0
        return [_sample(schema["items"], schemas, ids, name, whole)] if filled else []
    return _simple(schema, ids, name)


def _simple(schema: Mapping[str, Any], ids: Mapping[str, str], name: str) -> Any:
    fixed: list[Any] = [schema["const"]] if "const" in schema else list(schema.get("enum", ()))
    if fixed:
        return fixed[0]
    number = max(1, schema.get("minimum", 1))
    others = {"integer": number, "number": number, "boolean": True, "null": None}
    if schema.get("type") in others:
        return others[schema["type"]]
    return id_for(name, ids) or _text(schema, name)


def id_for(name: str, ids: Mapping[str, str]) -> str | None:
    """Return the id for a field of this name; unknown names, such as `deputy_id`, get an employee."""
    if not name.endswith(("_id", "_ids")):
        return None
    singular = name.removesuffix("s")
    return ids.get(singular, ids["employee_id"])


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "date-time" or name.endswith("_at"):
        return "2026-06-01T09:00:00+00:00"
    if "phone" in name or name == "number":
        return "+79105550199"
    samples = {"country": "RU", "time_zone": "Europe/Moscow", "provider": "telephony_api", "color": "#112233"}
    fitting = {
        "email": "a@example.com",
        "start": "09:00",
        "from": "09:00",
        "to": "18:00",
        "url": "https://example.com/",
    }
    return (samples | fitting).get(name, "sample")


def texts_of(response: Any) -> str:
    """Return the JSON of a response as one text."""
    return json.dumps(response, ensure_ascii=False)
