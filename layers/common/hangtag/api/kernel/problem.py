"""Errors as RFC 9457 `application/problem+json`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hangtag.errors import FieldError, HangtagError, UnauthorizedError, UnavailableError, status_of

__all__ = ["CONTENT_TYPE", "problem", "validation_fields"]

CONTENT_TYPE = "application/problem+json"
_MAX_FIELDS = 20
_MAX_NAME = 100


def problem(error: HangtagError, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The answer to a request that failed, in the form that the HTTP API takes."""
    status, title = status_of(error)
    said: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if error.message:
        said["detail"] = error.message
    if error.fields:
        said["errors"] = [{"field": fault.field, "reason": fault.reason} for fault in error.fields[:_MAX_FIELDS]]
    if error.tel:
        said["tel"] = error.tel
    all_headers = {"content-type": CONTENT_TYPE, **(headers or {})}
    if isinstance(error, UnauthorizedError):
        all_headers["www-authenticate"] = "Bearer"
    if isinstance(error, UnavailableError):
        all_headers["retry-after"] = "1"
    body = json.dumps(said, ensure_ascii=False)
    return {
        "statusCode": status,
        "headers": all_headers,
        "body": body,
        "isBase64Encoded": False,
        "cookies": [],
    }


def validation_fields(errors: Sequence[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """Which fields a validation refused and why. Only names and rules are told, never what was sent."""
    return tuple(FieldError(_name(error.get("loc", ())), _reason(error)) for error in errors)


def _name(location: Sequence[Any]) -> str:
    # What is in brackets names a form of a value, not a field.
    parts = [str(part) for part in location if not str(part).startswith("(")]
    if parts and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    return ".".join(parts)[:_MAX_NAME]


def _reason(error: Mapping[str, Any]) -> str:
    kind = str(error.get("type", ""))
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "there is no such field"
    return str(error.get("msg", "it is not valid")).removeprefix("Value error, ")
