"""Cursors of lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.api.kernel.cursor import MAX_PART, read_cursor, write_cursor
from hangtag.errors import BadInputError

PARTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_a_decoded_cursor_equals_the_encoded_parts(parts: list[str | None]) -> None:
    assert read_cursor("list", len(parts), write_cursor("list", *parts)) == tuple(parts)


@given(st.text(max_size=100))
def test_text_that_is_not_a_cursor_is_rejected(text: str) -> None:
    with pytest.raises(BadInputError):
        read_cursor("list", 1, text)


def test_the_longest_cursor_is_decoded_completely() -> None:
    parts = ["\U0001d49c" * MAX_PART] * 3
    assert read_cursor("list", 3, write_cursor("list", *parts)) == tuple(parts)


def test_a_cursor_of_another_list_is_rejected() -> None:
    with pytest.raises(BadInputError):
        read_cursor("list", 1, write_cursor("other", "a"))
    with pytest.raises(BadInputError):
        read_cursor("list", 2, write_cursor("list", "a"))


def test_a_list_without_a_cursor_starts_at_the_beginning() -> None:
    assert read_cursor("list", 1, None) is None
