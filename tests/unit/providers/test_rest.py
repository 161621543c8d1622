"""`hangtag.providers.rest`: the requests that go out, and the error for each kind of response."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.providers.base import Account
from hangtag.providers.rest import Api, Refusal, basic, error_of
from http_fake import Request, Response, serving

API = Api("Acme", "https://api.example.com", ("key", "secret"), (401, 403))


def account(url: str = "", **credentials: str) -> Account:
    return Account(provider="acme", credentials=credentials, settings={"api_url": url} if url else {})


def send(reply: Response, **options: Any) -> tuple[Request, Mapping[str, Any] | HangtagError]:
    """Send a request to a fake that returns `reply`; return the request as received, and the content or error."""
    with serving(lambda _: reply) as server:
        headers = {"x-key": "k"}
        response = API.send(account(server.url + "/"), PlainClient(), "POST", "/v1/calls", headers=headers, **options)
        try:
            return server.requests[0], API.json(response, error_of)
        except HangtagError as error:
            return server.requests[0], error


def test_json_and_forms_are_sent_with_their_content_type() -> None:
    request, content = send(Response(201, {"id": 7}), content={"to": "+1"})
    assert (request.path, request.headers["content-type"], request.json) == (
        "/v1/calls",
        "application/json",
        {"to": "+1"},
    )
    assert (request.headers["x-key"], content) == ("k", {"id": 7})
    request, _ = send(Response(200, {}), form=[("to", "+1"), ("to", "a b")])
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.body == b"to=%2B1&to=a+b"
    request, content = send(Response(204))
    assert (request.body, "content-type" in request.headers, content) == (b"", False, {})


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Response(401, {"error": "no"}), BadInputError, "Acme rejected key and secret (HTTP 401)."),
        (Response(403), BadInputError, "Acme rejected key and secret (HTTP 403)."),
        (
            Response(400, {"error": "call +49151 not\nallowed"}),
            BadInputError,
            "Acme rejected the request (HTTP 400): call + not allowed",
        ),
        (
            Response(422, {"error": {"message": "no line"}}),
            BadInputError,
            "Acme rejected the request (HTTP 422): no line",
        ),
        (Response(404), BadInputError, "Acme rejected the request (HTTP 404)."),
        (Response(404, "\n<html>"), UnreachableError, "Acme returned an unreadable response (HTTP 404)."),
        (Response(302, "", {"location": "/x"}), UnreachableError, "Acme returned an unreadable response (HTTP 302)."),
        (Response(503, {"error": "busy"}), UnreachableError, "Acme returned a server error (HTTP 503)."),
        (Response(200, "[]"), UnreachableError, "Acme returned an unreadable response (HTTP 200)."),
        (Response(200, "<html>"), UnreachableError, "Acme returned an unreadable response (HTTP 200)."),
    ],
)
def test_failed_response_raises_an_error_with_a_plain_message(
    reply: Response, error: type[HangtagError], message: str
) -> None:
    _, result = send(reply)
    assert isinstance(result, error)
    assert result.message == message


def test_rejection_contains_the_error_code_of_the_pbx() -> None:
    assert API.rejection(Refusal("no credit", "21610"), 400).message == "Acme rejected the request (21610): no credit"


def test_url_is_the_usual_address_without_api_url_setting() -> None:
    assert API.url(account(), "/v1") == "https://api.example.com/v1"


def test_login_names_the_missing_credentials() -> None:
    assert API.login(account(key="k", secret="s")) == ("k", "s")
    with pytest.raises(BadInputError, match=r"Enter key and secret to use the API of Acme\."):
        API.login(account(key="k", secret=""))
    with pytest.raises(BadInputError, match=r"Enter key to use the API of Acme\."):
        API._replace(logins=("key",)).login(account())


def test_rows_requires_a_list_without_non_objects() -> None:
    assert API.rows([{"a": 1}, None, [], "x"]) == [{"a": 1}]
    for value in (None, {"a": 1}, "rows"):
        with pytest.raises(UnreachableError, match="Acme does not contain the expected list"):
            API.rows(value)


def test_basic_returns_the_http_basic_header() -> None:
    assert b64decode(basic("user", "päss").removeprefix("Basic ")).decode() == "user:päss"
