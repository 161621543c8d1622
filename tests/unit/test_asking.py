"""How a PBX's REST API is asked: what goes out, and what each answer is to whoever asked."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest

from doors import PlainDoor
from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.providers.asking import Api, Refusal, basic, in_its_words
from hangtag.providers.base import Account
from http_fake import Asked, Reply, serving

API = Api("Acme", "https://api.example.com", ("key", "secret"), (401, 403))


def account(url: str = "", **credentials: str) -> Account:
    return Account(provider="acme", credentials=credentials, settings={"api_url": url} if url else {})


def asked(reply: Reply, **sent: Any) -> tuple[Asked, Mapping[str, Any] | HangtagError]:
    """What a PBX was asked that answers so, and what came of it."""
    with serving(lambda _: reply) as server:
        answer = API.send(account(server.url + "/"), PlainDoor(), "POST", "/v1/calls", headers={"x-key": "k"}, **sent)
        try:
            return server.asked[0], API.said(answer, in_its_words)
        except HangtagError as error:
            return server.asked[0], error


def test_json_and_forms_go_out_as_what_they_are() -> None:
    request, said = asked(Reply(201, {"id": 7}), asked={"to": "+1"})
    assert (request.path, request.headers["content-type"], request.json) == (
        "/v1/calls",
        "application/json",
        {"to": "+1"},
    )
    assert (request.headers["x-key"], said) == ("k", {"id": 7})
    request, _ = asked(Reply(200, {}), form=[("to", "+1"), ("to", "a b")])
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.body == b"to=%2B1&to=a+b"
    request, said = asked(Reply(204))
    assert (request.body, "content-type" in request.headers, said) == (b"", False, {})


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(401, {"error": "no"}), BadInputError, "Acme does not take key and secret (401)"),
        (Reply(403), BadInputError, "Acme does not take key and secret (403)"),
        (Reply(400, {"error": "call +49151 not\nallowed"}), BadInputError, "Acme refused it (400): call + not allowed"),
        (Reply(422, {"error": {"message": "no line"}}), BadInputError, "Acme refused it (422): no line"),
        (Reply(404), BadInputError, "Acme refused it (404)"),
        (Reply(404, "\n<html>"), UnreachableError, "Acme answered 404, and nothing that can be read"),
        (Reply(302, "", {"location": "/x"}), UnreachableError, "Acme answered 302, and nothing that can be read"),
        (Reply(503, {"error": "busy"}), UnreachableError, "Acme answers that it fails itself (503)"),
        (Reply(200, "[]"), UnreachableError, "Acme answered 200, and nothing that can be read"),
        (Reply(200, "<html>"), UnreachableError, "Acme answered 200, and nothing that can be read"),
    ],
)
def test_what_is_no_success_is_told_in_words(reply: Reply, error: type[HangtagError], message: str) -> None:
    _, said = asked(reply)
    assert isinstance(said, error)
    assert said.message == message


def test_a_refusal_is_known_by_the_pbxs_own_code() -> None:
    assert API.refused(Refusal("no credit", "21610"), 400).message == "Acme refused it (21610): no credit"


def test_without_an_api_url_the_usual_address_is_asked() -> None:
    assert API.url(account(), "/v1") == "https://api.example.com/v1"


def test_what_is_not_entered_is_named() -> None:
    assert API.login(account(key="k", secret="s")) == ("k", "s")
    with pytest.raises(BadInputError, match="key and secret are needed to ask Acme"):
        API.login(account(key="k", secret=""))
    with pytest.raises(BadInputError, match="key is needed to ask Acme"):
        API._replace(logins=("key",)).login(account())


def test_rows_that_are_none_are_left_out_and_a_list_that_is_none_is_told() -> None:
    assert API.rows([{"a": 1}, None, [], "x"]) == [{"a": 1}]
    for said in (None, {"a": 1}, "rows"):
        with pytest.raises(UnreachableError, match="Acme's answer holds no list"):
            API.rows(said)


def test_basic_is_that_of_http() -> None:
    assert b64decode(basic("user", "päss").removeprefix("Basic ")).decode() == "user:päss"
