"""Errors as RFC 9457 `application/problem+json`."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hangtag.errors import FieldError, FieldErrorCode, HangtagError, UnauthorizedError, UnavailableError, status_of

__all__ = ["CONTENT_TYPE", "problem", "validation_fields"]

CONTENT_TYPE = "application/problem+json"
_MAX_FIELDS = 20
_MAX_NAME = 100
_LIMITS = ("min_length", "max_length", "ge", "gt", "le", "lt")


def problem(
    error: HangtagError, headers: Mapping[str, str] | None = None, *, request_id: str | None = None
) -> dict[str, Any]:
    """Return the HTTP API response of a failed request. `request_id` is the HTTP API's id of the request."""
    status, title = status_of(error)
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "code": error.code.value}
    if error.message:
        body["detail"] = error.message
    if error.params:
        body["params"] = dict(error.params)
    if error.fields:
        body["errors"] = [_entry(invalid) for invalid in error.fields[:_MAX_FIELDS]]
    if error.tel:
        body["tel"] = error.tel
    if request_id is not None:
        body["request_id"] = request_id
    all_headers = {"content-type": CONTENT_TYPE, **(headers or {})}
    if isinstance(error, UnauthorizedError):
        all_headers["www-authenticate"] = "Bearer"
    if isinstance(error, UnavailableError):
        all_headers["retry-after"] = "1"
    return {
        "statusCode": status,
        "headers": all_headers,
        "body": json.dumps(body, ensure_ascii=False),
        "isBase64Encoded": False,
        "cookies": [],
    }


def _entry(invalid: FieldError) -> dict[str, Any]:
    entry: dict[str, Any] = {"field": invalid.field, "code": invalid.code.value, "reason": invalid.reason}
    if invalid.params:
        entry["params"] = dict(invalid.params)
    return entry


def validation_fields(errors: Sequence[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """Map pydantic's errors to field errors. They contain names and rules only, never a submitted value."""
    return tuple(_field_error(error) for error in errors)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, context = str(error.get("type", "")), error.get("ctx") or {}
    name = _name(error.get("loc", ()))
    if kind in _OWN:
        # Raised by a validator of Hangtag's as PydanticCustomError; message and context are its own.
        return FieldError(name, FieldErrorCode(kind), str(error["msg"]), dict(context))
    if kind in ("value_error", "assertion_error"):
        text = str(error.get("msg", "")).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return FieldError(name, FieldErrorCode.INVALID_FORMAT, text or "The format is not valid.")
    code = _code(kind)
    params = _params(context)
    return FieldError(name, code, _SENTENCES[code](params), params)


def _name(location: Sequence[Any]) -> str:
    # A part in brackets is the name of a union's member, not of a field.
    parts = [str(part) for part in location if not str(part).startswith("(")]
    if parts and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    return ".".join(parts)[:_MAX_NAME]


# Pydantic has errors named too_short and too_long itself.
_OWN = frozenset(FieldErrorCode) - {FieldErrorCode.TOO_SHORT, FieldErrorCode.TOO_LONG}
_TYPES = {
    "missing": FieldErrorCode.REQUIRED,
    "extra_forbidden": FieldErrorCode.UNKNOWN_FIELD,
    "string_too_short": FieldErrorCode.TOO_SHORT,
    "string_too_long": FieldErrorCode.TOO_LONG,
    "literal_error": FieldErrorCode.NOT_ALLOWED_VALUE,
    "enum": FieldErrorCode.NOT_ALLOWED_VALUE,
    "string_pattern_mismatch": FieldErrorCode.INVALID_FORMAT,
    "union_tag_invalid": FieldErrorCode.NOT_ALLOWED_VALUE,
    "union_tag_not_found": FieldErrorCode.REQUIRED,
}
_PREFIXES = (
    ("datetime_", FieldErrorCode.INVALID_TIME),
    ("date_", FieldErrorCode.INVALID_TIME),
    ("time_", FieldErrorCode.INVALID_TIME),
    ("timezone_", FieldErrorCode.INVALID_TIME),
    ("greater_than", FieldErrorCode.OUT_OF_RANGE),
    ("less_than", FieldErrorCode.OUT_OF_RANGE),
    ("finite_number", FieldErrorCode.OUT_OF_RANGE),
    ("too_short", FieldErrorCode.TOO_SHORT),
    ("too_long", FieldErrorCode.TOO_LONG),
    ("url_", FieldErrorCode.INVALID_URL),
)


def _code(kind: str) -> FieldErrorCode:
    """Return the code of a pydantic error type; unlisted types are INVALID_TYPE."""
    if kind in _TYPES:
        return _TYPES[kind]
    return next((code for prefix, code in _PREFIXES if kind.startswith(prefix)), FieldErrorCode.INVALID_TYPE)


def _params(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits and permitted values of a rule, if pydantic reports them."""
    params = {name: context[name] for name in _LIMITS if name in context}
    if "expected" in context:
        params["allowed"] = [
            value.strip().strip("'") for value in str(context["expected"]).replace(" or ", ", ").split(",")
        ]
    return params


def _too_short(params: Mapping[str, Any]) -> str:
    return f"Too short: at least {params['min_length']} needed." if "min_length" in params else "Too short."


def _too_long(params: Mapping[str, Any]) -> str:
    return f"Too long: at most {params['max_length']} allowed." if "max_length" in params else "Too long."


def _out_of_range(params: Mapping[str, Any]) -> str:
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    limits = " and ".join(f"{words} {params[name]}" for name, words in signs.items() if name in params)
    return f"Out of range: enter a number of {limits}." if limits else "Out of range."


def _not_allowed(params: Mapping[str, Any]) -> str:
    return (
        f"Not an allowed value. Use one of: {', '.join(params['allowed'])}."
        if "allowed" in params
        else ("Not an allowed value.")
    )


_SENTENCES: Mapping[FieldErrorCode, Callable[[Mapping[str, Any]], str]] = {
    FieldErrorCode.REQUIRED: lambda _: "This field is required.",
    FieldErrorCode.UNKNOWN_FIELD: lambda _: "Unknown field. Remove it or correct its name.",
    FieldErrorCode.INVALID_TYPE: lambda _: "Wrong type of value. See the API reference for the type.",
    FieldErrorCode.TOO_SHORT: _too_short,
    FieldErrorCode.TOO_LONG: _too_long,
    FieldErrorCode.OUT_OF_RANGE: _out_of_range,
    FieldErrorCode.NOT_ALLOWED_VALUE: _not_allowed,
    FieldErrorCode.INVALID_FORMAT: lambda _: "The format is not valid. See the API reference for the pattern.",
    FieldErrorCode.INVALID_TIME: lambda _: "Not a time in ISO 8601. Use a form such as 2026-11-30T09:30:00Z.",
    FieldErrorCode.INVALID_URL: lambda _: "Not a valid URL.",
}
