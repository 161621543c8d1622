"""Masking of phone numbers for the log."""

import pytest

from hangtag.phone import mask_number


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+74951234567", "+7495***4567"),
        ("79101234567", "79101***4567"),
        ("101", "***"),
        ("", "***"),
        ("1234567890", "***"),
    ],
)
def test_number_is_masked_in_its_middle_or_completely(number: str, masked: str) -> None:
    assert mask_number(number) == masked
