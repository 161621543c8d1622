"""Masks of phone numbers: for display and entry only."""

import pytest

from hangtag.masks import mask_for, read, show
from hangtag.phone import normalise
from hangtag.settings import DisplayFormat


@pytest.mark.parametrize(
    ("mask", "e164", "extension", "shown"),
    [
        ("+# (###) ###-##-##", "+79101234567", None, "+7 (910) 123-45-67"),
        ("+# (###) ###-##-##,###", "+79101234567", "123", "+7 (910) 123-45-67,123"),
        ("+# (###) ###-##-##", "+79101234567", "12", "+7 (910) 123-45-67,12"),
        ("+## ## ######", "+4930901820", None, "+49 30 901820"),
        ("+# (###) ###-##-##", "+4930901820", None, "+4930901820"),
        ("+# (###) ###-##-##", "+4930901820", "5", "+4930901820,5"),
        ("###", "+79101234567", None, "+79101234567"),
    ],
)
def test_number_that_does_not_fit_its_format_is_shown_in_e164(
    mask: str, e164: str, extension: str | None, shown: str
) -> None:
    assert show(mask, e164, extension) == shown


def test_formatted_number_is_read_back_unchanged() -> None:
    typed = show("+# (###) ###-##-##,###", "+79101234567", "123")
    number = normalise(read(typed), "DE")
    assert number is not None
    assert (number.e164, number.extension) == ("+79101234567", "123")
    assert read("8 (910) 123-45-67") == "89101234567"


def test_phone_type_selects_its_display_format() -> None:
    masks = [DisplayFormat(type="Mobile", mask="+###"), DisplayFormat(type="Work", mask="##")]
    assert (mask_for(masks, "mobile"), mask_for(masks, "Home"), mask_for(masks, None)) == ("+###", None, None)
