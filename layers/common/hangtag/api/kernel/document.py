"""The OpenAPI document as packaged with the functions, and the methods of each path in it.

`python -m tools.openapi` writes `openapi.json` next to this package.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.kernel.service import Routes

__all__ = ["FILE", "methods_of", "routes", "served"]

FILE = Path(__file__).parent.parent / "openapi.json"
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")

routes = Routes(None)


@routes.get(
    "/v1/openapi.json",
    operation_id="getOpenApiDocument",
    tags=["Document"],
    summary="Get the OpenAPI document",
    description="Returns this document as JSON, with the address of this installation in `servers`.",
)
def get_open_api_document() -> Response[Any]:
    """Return the OpenAPI document."""
    # Without a public URL the server is relative to the document.
    url = runtime.settings().public_url.rstrip("/") or "/"
    return Response(status_code=200, content_type="application/json", body=served(url))


def served(url: str) -> dict[str, Any]:
    """Return the document with one server."""
    return {**_document(), "servers": [{"url": url}]}


def methods_of(path: str) -> list[str]:
    """Return the methods that a path supports at any function, sorted; empty for an unknown path."""
    return sorted({method for pattern, methods in _table() if pattern.fullmatch(path) for method in methods})


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return document


@lru_cache(maxsize=1)
def _table() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    return [
        (
            re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))),
            tuple(verb for verb in _VERBS if verb.lower() in operations),
        )
        for path, operations in _document()["paths"].items()
    ]
