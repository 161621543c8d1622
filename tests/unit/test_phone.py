"""Phone numbers, as PBXs and people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.phone import country_of, dialled, is_emergency, is_premium, is_short, normalise

COUNTRIES = ("RU", "KZ", "BY", "UA", "RO", "DE", "US", "GB", "BR", "IN")


@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("+79101234567", "RU", "+79101234567"),
        ("79101234567", "RU", "+79101234567"),
        ("79101234567", "DE", "+79101234567"),
        ("79101234567", "US", "+79101234567"),
        ("79101234567", "UA", "+79101234567"),
        ("89101234567", "RU", "+79101234567"),
        ("9101234567", "RU", "+79101234567"),
        ("0079101234567", "RU", "+79101234567"),
        ("0079101234567", "DE", "+79101234567"),
        ("81079101234567", "RU", "+79101234567"),
        ("81079101234567", "DE", "+79101234567"),
        ("810491512345678", "RU", "+491512345678"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("+7 (495) 123-45-67", "RU", "+74951234567"),
        ("7(495)1234567", "RU", "+74951234567"),
        (" 79101234567", "RU", "+79101234567"),
        ("+7\u00a0910\u00a0123\u201145\u201167", "RU", "+79101234567"),
        ("4951234567", "RU", "+74951234567"),
        ("84951234567", "RU", "+74951234567"),
        ("sip:+79101234567@pbx.example", "RU", "+79101234567"),
        ("tel:+7-910-123-45-67", "RU", "+79101234567"),
        ("8-800-100-00-00", "RU", "+78001000000"),
        ("030 123456", "DE", "+4930123456"),
        ("4930123456", "DE", "+4930123456"),
        ("07911 123456", "GB", "+447911123456"),
        ("447911123456", "GB", "+447911123456"),
        ("4155551234", "US", "+14155551234"),
        ("14155552671", "US", "+14155552671"),
        ("80291234567", "BY", "+375291234567"),
        ("375291234567", "RU", "+375291234567"),
        ("87012345678", "KZ", "+77012345678"),
        ("0722 123 456", "RO", "+40722123456"),
        ("40722123456", "RO", "+40722123456"),
        ("380441234567", "RU", "+380441234567"),
        ("+70001234567", "RU", "+70001234567"),
        ("70001234567", "RU", "+70001234567"),
    ],
)
def test_number_is_parsed_in_the_formats_that_pbxs_send(raw: str, country: str, e164: str) -> None:
    number = normalise(raw, country)
    assert number is not None
    assert (number.e164, number.extension, number.raw) == (e164, None, raw)


@pytest.mark.parametrize(
    ("raw", "extension"),
    [
        ("8 (495) 123-45-67 доб. 12", "12"),
        ("+74951234567 ext. 5", "5"),
        ("74951234567,12", "12"),
        ("+74951234567x101", "101"),
        ("74951234567;ext=12", "12"),
    ],
)
def test_extension_is_separated_from_the_number(raw: str, extension: str) -> None:
    number = normalise(raw, "RU")
    assert number is not None
    assert (number.e164, number.extension) == ("+74951234567", extension)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "-",
        "--",
        "0",
        "000000",
        "anonymous",
        "Anonymous",
        "unknown",
        "PRIVATE",
        "Restricted",
        "withheld",
        "sip:anonymous@anonymous.invalid",
        "+",
        "null",
        "s",
        "<unknown>",
        "101",
        "5" * 5000,
        "+" * 5000,
        "\0",
        "\ud800",
        "1;DROP TABLE",
        "\u0967\u0968",
    ],
)
@pytest.mark.parametrize("country", COUNTRIES)
def test_withheld_or_invalid_number_is_none(raw: str, country: str) -> None:
    assert normalise(raw, country) is None


@given(st.text(max_size=80), st.sampled_from((*COUNTRIES, "", "XX", "ru", "\0")))
def test_normalise_never_raises_for_any_text(raw: str, country: str) -> None:
    number = normalise(raw, country)
    assert number is None or (number.e164.startswith("+") and number.e164[1:].isdigit())


MOBILES = st.integers(min_value=0, max_value=9_999_999).map(lambda tail: f"910{tail:07d}")


@given(MOBILES)
def test_all_spellings_of_a_number_give_the_same_e164_form(national: str) -> None:
    ways = [f"+7{national}", f"7{national}", f"8{national}", national, f"007{national}", f"8107{national}"]
    spaced = f"8 ({national[:3]}) {national[3:6]}-{national[6:8]}-{national[8:]}"
    read = [normalise(way, "RU") for way in (*ways, spaced)]
    assert [number.e164 if number else None for number in read] == [f"+7{national}"] * len(read)


@given(MOBILES, st.sampled_from(COUNTRIES))
def test_normalising_an_e164_number_leaves_it_unchanged(national: str, country: str) -> None:
    first = normalise(f"+7{national}", country)
    assert first is not None
    for written in (first.e164, first.e164[1:]):
        again = normalise(written, country)
        assert again is not None
        assert again.e164 == first.e164


@pytest.mark.parametrize(
    ("raw", "short"),
    [
        ("12", True),
        ("101", True),
        ("9999", True),
        (" 101 ", True),
        ("1", False),
        ("12345", False),
        ("+12", False),
        ("", False),
        ("1a1", False),
        ("１０１", False),
    ],
)
def test_short_number_has_two_to_four_digits_without_plus(raw: str, short: bool) -> None:
    assert is_short(raw) is short


@pytest.mark.parametrize(
    ("e164", "country", "form", "dialled_as"),
    [
        ("+79101234567", "RU", None, "+79101234567"),
        ("+79101234567", "RU", "e164", "+79101234567"),
        ("+79101234567", "RU", "international", "79101234567"),
        ("+79101234567", "RU", "national", "89101234567"),
        ("+442037691880", "RU", "national", "810442037691880"),
        ("+442037691880", "GB", "national", "02037691880"),
        ("+442037691880", "us", "national", "011442037691880"),
        ("+12025550123", "US", "national", "12025550123"),
    ],
)
def test_number_is_formatted_for_a_pbx_in_a_country(e164: str, country: str, form: str | None, dialled_as: str) -> None:
    assert dialled(e164, country, form) == dialled_as


@pytest.mark.parametrize(
    ("raw", "country", "emergency"),
    [
        ("112", "RU", True),
        (" 01 ", "RU", True),
        ("911", "us", True),
        ("tel:112", "DE", True),
        ("+79101234567", "RU", False),
    ],
)
def test_emergency_numbers_are_recognised_by_country(raw: str, country: str, emergency: bool) -> None:
    assert is_emergency(raw, country) is emergency


def test_number_has_a_country_except_satellite_numbers() -> None:
    assert [country_of(one) for one in ("+79101234567", "+77011234567", "+881612345678")] == ["RU", "KZ", None]
    assert [is_premium(one) for one in ("+78091234567", "+19002345678", "+79101234567")] == [True, True, False]
