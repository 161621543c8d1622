"""Comparison of two OpenAPI documents: the changes that break programs written against the old one."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["breaking_changes"]

Schema = Mapping[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Return one sentence per breaking change, sorted.

    Breaking are: a removed operation, success status or response property; a renamed operation id; a removed or newly
    required parameter; a removed or newly required body property; another type; a removed value of a request's enum, an
    added value of a response's enum.
    """
    return sorted(set(_paths(old, new)))


def _paths(old: Schema, new: Schema) -> Iterator[str]:
    for path, methods in old.get("paths", {}).items():
        for method in _METHODS:
            if method not in methods:
                continue
            name = f"{method.upper()} {path}"
            current = new.get("paths", {}).get(path, {}).get(method)
            if current is None:
                yield f"{name} was removed."
            else:
                yield from _operation(name, methods[method], current, old, new)


def _operation(name: str, old: Schema, new: Schema, old_document: Schema, new_document: Schema) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):
        yield f"{name}: the operation id changed to {new.get('operationId')}."
    yield from _parameters(name, old, new)
    old_body, new_body = _body(old.get("requestBody", {})), _body(new.get("requestBody", {}))
    if new_body is not None and old_body is None and new["requestBody"].get("required"):
        yield f"{name}: a body became required."
    if old_body is not None and new_body is not None:
        yield from _Comparison(old_document, new_document, is_request=True).compare(
            f"{name} request", old_body, new_body
        )
    for status, response in old.get("responses", {}).items():
        if not status.startswith("2"):
            continue
        if status not in new.get("responses", {}):
            yield f"{name}: status {status} was removed."
            continue
        old_schema, new_schema = _body(response), _body(new["responses"][status])
        if old_schema is not None and new_schema is not None:
            comparison = _Comparison(old_document, new_document, is_request=False)
            yield from comparison.compare(f"{name} {status}", old_schema, new_schema)


def _parameters(name: str, old: Schema, new: Schema) -> Iterator[str]:
    before = {(one["in"], one["name"]): one for one in old.get("parameters", [])}
    after = {(one["in"], one["name"]): one for one in new.get("parameters", [])}
    for key in before.keys() - after.keys():
        yield f"{name}: the parameter {key[1]} was removed."
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{name}: the parameter {key[1]} became required."


def _body(holder: Schema) -> Schema | None:
    schema: Schema | None = holder.get("content", {}).get("application/json", {}).get("schema")
    return schema


class _Comparison:
    """Compares two schemas, each in its own document."""

    def __init__(self, old: Schema, new: Schema, *, is_request: bool) -> None:
        self._old = old
        self._new = new
        self._is_request = is_request
        self._compared: set[tuple[str, str]] = set()

    def compare(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """Yield the breaking changes of a schema and of the schemas in it."""
        pair = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if any(pair):
            if pair in self._compared:
                return
            self._compared.add(pair)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        old_types, new_types = _types(self._old, old), _types(self._new, new)
        lost = (old_types - new_types) if self._is_request else (new_types - old_types)
        if lost and old_types and new_types:
            yield f"{where}: the type changed from {_listed(old_types)} to {_listed(new_types)}."
            return
        yield from self._values(where, old, new)
        yield from self._properties(where, old, new)
        if "items" in old and "items" in new:
            yield from self.compare(f"{where}[]", old["items"], new["items"])
        for first, second in zip(_members(old), _members(new), strict=False):
            yield from self.compare(where, first, second)

    def _values(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = set(map(str, old.get("enum", ()))), set(map(str, new.get("enum", ())))
        if before and after:
            changed = before - after if self._is_request else after - before
            verb = "removed" if self._is_request else "added"
            if changed:
                yield f"{where}: values {verb}: {_listed(changed)}."

    def _properties(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before):
            if name not in after:
                yield f"{where}: the property {name} was removed."
            else:
                yield from self.compare(f"{where}.{name}", before[name], after[name])
        if self._is_request:
            for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
                yield f"{where}: the property {name} became required."


def _resolved(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _members(schema: Schema) -> list[Schema]:
    members: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    return [member for member in members if member.get("type") != "null"]


def _types(document: Schema, schema: Schema) -> set[str]:
    """Return the JSON types that a schema accepts; empty if it accepts any."""
    if "type" in schema:
        return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    members = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    return {kind for member in members for kind in _types(document, _resolved(document, member))}


def _listed(values: set[str]) -> str:
    return ", ".join(sorted(values))
