"""Strict parsing of JSON request bodies."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.api.kernel.body import read_object
from hangtag.errors import BadInputError, TooLargeError, UnsupportedMediaError


def event(body: bytes) -> dict[str, Any]:
    """Return an event of the HTTP API with a body that is not text."""
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_any_plain_json_object_is_parsed_unchanged(value: dict[str, Any]) -> None:
    assert read_object(event(json.dumps(value).encode()), {}) == value
    assert read_object({"body": json.dumps(value, ensure_ascii=False)}, {}) == value


@given(st.binary(max_size=200))
def test_any_bytes_parse_to_an_object_or_are_rejected(body: bytes) -> None:
    with suppress(BadInputError):
        assert isinstance(read_object(event(body), {}), dict)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "{}", "isBase64Encoded": True},
        {"body": "é", "isBase64Encoded": True},
        {"body": "e30", "isBase64Encoded": True},
        {"body": "\ud800"},
        event(b'{"name": "\xff"}'),
        event(b'{"a": "\\ud800"}'),
        event(b'{"a": 1e999}'),
        event(b'{"a": -Infinity}'),
        event(b'{"a": ' + b"9" * 5000 + b"}"),
        event(b'{"a": 1, "a": 2}'),
        event(b'{"a": {"b": 1, "b": 2}}'),
        event(b"[" * 60_000),
        event(b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
    ],
    ids=range(13),
)
def test_body_with_unsupported_values_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        read_object(wrong, {})


@pytest.mark.parametrize("nothing", [{}, {"body": None}, {"body": " "}, event(b"")])
def test_missing_body_is_an_empty_object_where_optional(nothing: dict[str, Any]) -> None:
    assert read_object(nothing, {}, may_be_empty=True) == {}
    with pytest.raises(BadInputError):
        read_object(nothing, {})


def test_a_body_over_64_kb_is_too_large() -> None:
    with pytest.raises(TooLargeError):
        read_object(event(b" " * 65_537), {})


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_body_of_another_media_type_is_rejected(media: str) -> None:
    with pytest.raises(UnsupportedMediaError):
        read_object({"body": "{}"}, {"content-type": media})
