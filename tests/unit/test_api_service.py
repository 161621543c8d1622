"""Handling of a request by an API, without AWS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import BaseModel

from hangtag.api.kernel import document
from hangtag.api.kernel.caller import Caller, Role, require
from hangtag.api.kernel.service import Api, Routes
from hangtag.auth import make_token
from hangtag.errors import ConflictError
from hangtag.store.db.models import Entry

KEY = "k" * 64
OPERATOR = "the-operators-token"


class Thing(BaseModel):
    """Response of a route."""

    size: int


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "secret-detail"}}, "GetItem")


ERRORS: dict[str, Exception] = {
    "bug": KeyError("secret-detail"),
    "conflict": ConflictError("taken"),
    "denied": ClientError({"Error": {"Code": "AccessDeniedException", "Message": "secret-detail"}}, "GetItem"),
    "throttled": throttled(),
    "unreachable": EndpointConnectionError(endpoint_url="http://secret-detail"),
}

routes = Routes(Role.OPERATOR)


@routes.get("/fails/<how>", operation_id="fail", tags=["Calls"], summary="Do it", description="Do it.")
def fails(how: str) -> Thing:
    """Raise the error in the path."""
    raise ERRORS[how]


@routes.get("/wrong", operation_id="getWrong", tags=["Calls"], summary="Do it", description="Do it.")
def wrong() -> Thing:
    """Return a response of the wrong type."""
    return "secret-detail"  # type: ignore[return-value]


@routes.post("/things", operation_id="createThing", tags=["Calls"], summary="Do it", description="Do it.")
def take(thing: Thing) -> Thing:
    """Return the request body."""
    return thing


app = Api(routes)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "OPERATOR_TOKEN": OPERATOR,
        "TOKEN_KEY": KEY,
        "TABLE_NAME": "table",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A closed port.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    # The connection belongs to this environment.
    Entry._connection = None


def send(method: str, path: str, token: str = OPERATOR, **more: Any) -> tuple[int, Any]:
    event = {
        "version": "2.0",
        "rawPath": path,
        "headers": {"Authorization": f"Bearer {token}"},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        **more,
    }
    response = app.handle(event, None)
    assert response["headers"]["cache-control"] == "no-store"
    return response["statusCode"], json.loads(response["body"])


@pytest.mark.parametrize(
    ("how", "status"),
    [("bug", 500), ("denied", 500), ("conflict", 409), ("throttled", 503), ("unreachable", 503)],
)
def test_every_error_becomes_a_problem_without_internal_details(how: str, status: int) -> None:
    received, body = send("GET", f"/fails/{how}")
    assert (received, body["status"]) == (status, status)
    assert "secret-detail" not in json.dumps(body)


def test_response_of_the_wrong_type_is_a_server_error() -> None:
    status, body = send("GET", "/wrong")
    assert (status, body["title"]) == (500, "Internal Server Error")
    assert "secret-detail" not in json.dumps(body)


def test_unreachable_table_returns_a_503_problem() -> None:
    status, body = send("GET", "/things", make_token("api", KEY))
    assert (status, body["title"]) == (503, "Service Unavailable")


def test_foreign_token_is_rejected_without_a_table_read() -> None:
    # A read of the table would return 503.
    for token in ("junk", make_token("api", "x" * 64), make_token("hook", KEY), OPERATOR + "x"):
        assert send("GET", "/things", token)[0] == 401


def test_body_is_parsed_from_text_or_base64_of_the_gateway() -> None:
    assert send("POST", "/things", body='{"size": 3}') == (200, {"size": 3})
    assert send("POST", "/things", body="eyJzaXplIjogM30=", isBase64Encoded=True) == (200, {"size": 3})
    assert send("POST", "/things", body="{", isBase64Encoded=True)[0] == 400
    assert send("POST", "/things")[0] == 400


def test_rejected_field_is_named_without_its_value() -> None:
    status, body = send("POST", "/things", body='{"size": "secret-detail"}')
    assert status == 400
    assert [fault["field"] for fault in body["errors"]] == ["size"]
    assert "secret-detail" not in json.dumps(body)


def test_context_of_a_request_is_cleared_for_the_next() -> None:
    send("POST", "/things", body='{"size": 3}')
    send("GET", "/nothing")
    assert app.context == {}


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("role", Role)
def test_role_permits_itself_with_lower_roles_except_operator(needed: Role, role: Role) -> None:
    allowed = needed is Role.ANYONE or (role >= needed and (role is Role.OPERATOR) == (needed is Role.OPERATOR))
    if allowed:
        require(Caller("t", None, role), needed)
    else:
        with pytest.raises(Exception, match="role"):
            require(Caller("t", None, role), needed)


def test_an_unknown_query_parameter_is_named() -> None:
    status, body = send("GET", "/fails/bug", queryStringParameters={"limt": "5", "how": "x"})
    assert (status, body["code"]) == (400, "unknown_parameter")
    assert [entry["field"] for entry in body["errors"]] == ["how", "limt"]


def test_an_unknown_path_needs_no_token() -> None:
    for token in ("junk", OPERATOR):
        status, body = send("GET", "/v1/nothing", token)
        assert (status, body["code"]) == (404, "route_not_found")


def test_a_method_of_another_function_is_allowed_by_its_path() -> None:
    # The OpenAPI document has the path; the API of this test does not serve it.
    status, body = send("DELETE", "/v1/calls")
    assert (status, body["code"], body["params"]) == (405, "method_not_allowed", {"allow": ["GET", "POST"]})


def test_path_with_characters_outside_of_ids_is_not_found() -> None:
    status, body = send("GET", "/v1/calls/a\x80b")
    assert (status, body["code"]) == (404, "not_found")


def test_a_problem_contains_the_id_of_its_request() -> None:
    context = {"http": {"method": "GET", "path": "/x"}, "stage": "$default", "requestId": "Kx3c="}
    assert send("GET", "/x", requestContext=context)[1]["request_id"] == "Kx3c="


def test_validation_errors_have_sentences_of_hangtag() -> None:
    for body in ('{"size": "x"}', "{}", '{"size": 1.5}'):
        _, problem = send("POST", "/things", body=body)
        (entry,) = problem["errors"]
        assert entry["code"] in ("invalid_type", "required")
        assert "should" not in entry["reason"]
        assert "Input" not in entry["reason"]


def test_the_document_names_the_public_url_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    public = Api(document.routes)
    event = {
        "version": "2.0",
        "rawPath": "/v1/openapi.json",
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/v1/openapi.json"}, "stage": "$default"},
    }
    monkeypatch.setenv("PUBLIC_URL", "https://pbx.example.com/")
    response = public.handle(event, None)
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["servers"] == [{"url": "https://pbx.example.com"}]
