"""Removal of one phone number from texts, without touching other numbers."""

import pytest

from hangtag.services.jobs.redact import Scrubber

SCRUBBER = Scrubber("+79105557701")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("+79105557701", ""),
        ("79105557701", ""),
        ("89105557701", ""),
        ("9105557701", ""),
        ("0079105557701", ""),
        ("81079105557701", ""),
        ("+7 (910) 555-77-01", ""),
        ("8-910-555-77-01", ""),
        ("phone=%2B79105557701&ext=101", "phone=&ext=101"),
        ("call-79105557701-1", "call--1"),
        ("Call +79105557701 back", "Call  back"),
    ],
)
def test_every_spelling_of_the_number_is_removed(text: str, cleaned: str) -> None:
    assert SCRUBBER.holds(text)
    assert "9105557701" not in SCRUBBER.clean(text)
    assert SCRUBBER.clean(text).replace("-", "") == cleaned.replace("-", "")


@pytest.mark.parametrize("text", ["", "+79105557702", "791055577011", "179105557701", "1769105557701", "no number"])
def test_texts_without_the_number_are_unchanged(text: str) -> None:
    assert not SCRUBBER.holds(text)
    assert SCRUBBER.clean(text) == text


def test_number_is_removed_from_all_values_of_a_json_document() -> None:
    document = {"a": ["+79105557701", 1, None], "b": {"c": "x 89105557701"}}
    assert SCRUBBER.clean_all(document) == {"a": ["", 1, None], "b": {"c": "x "}}
