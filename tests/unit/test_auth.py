"""Tokens and secrets."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.auth import Purpose, is_ours, make_token, secret_hash, secrets_match, token_hash

KEY = "a" * 64
OTHER = "b" * 64
PURPOSES: tuple[Purpose, ...] = ("hook", "api")
KEYS = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=64)


@given(KEYS, st.sampled_from(PURPOSES))
def test_token_is_recognised_by_the_key_that_signed_it(key: str, purpose: Purpose) -> None:
    assert is_ours(make_token(purpose, key), purpose, key)


@pytest.mark.parametrize(("signed", "used"), [("hook", "api"), ("api", "hook")])
def test_token_of_one_purpose_is_rejected_for_the_other(signed: Purpose, used: Purpose) -> None:
    assert not is_ours(make_token(signed, KEY), used, KEY)


def test_first_key_signs_while_every_key_verifies() -> None:
    old = make_token("hook", KEY)
    new = make_token("hook", f"{OTHER}, {KEY}")
    assert is_ours(old, "hook", f"{OTHER},{KEY}")
    assert is_ours(new, "hook", OTHER)
    assert not is_ours(new, "hook", KEY)


@pytest.mark.parametrize("keys", ["", " ", ",", " , "])
def test_tokens_are_neither_created_nor_accepted_without_a_key(keys: str) -> None:
    assert not is_ours(make_token("hook", KEY), "hook", keys)
    with pytest.raises(ValueError, match="no key"):
        make_token("hook", keys)


@given(st.text(max_size=200) | st.text(alphabet=string.ascii_letters + "-_=", min_size=40, max_size=41))
def test_random_text_is_rejected_without_an_error(junk: str) -> None:
    assert not is_ours(junk, "hook", KEY)


@pytest.mark.parametrize("junk", ["\ud800" * 40, "é" * 40, "A" * 1_000_000, "\0" * 40, "４" * 40])
def test_hostile_text_is_rejected_as_a_token(junk: str) -> None:
    assert not is_ours(junk, "api", KEY)
    assert len(token_hash(junk)) == 64


@given(st.integers(min_value=0, max_value=39), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_token_with_one_changed_character_is_rejected(place: int, character: str) -> None:
    token = make_token("hook", KEY)
    changed = token[:place] + character + token[place + 1 :]
    assert is_ours(changed, "hook", KEY) == (changed == token)


@pytest.mark.parametrize("around", ["{}\n", " {}", "{}=", "{}\0"])
def test_token_is_accepted_in_one_spelling_only(around: str) -> None:
    assert not is_ours(around.format(make_token("hook", KEY)), "hook", KEY)


def test_each_token_contains_144_random_bits() -> None:
    assert len({make_token("hook", KEY)[:24] for _ in range(1000)}) == 1000


@given(st.text())
def test_secret_matches_only_its_own_hash(secret: str) -> None:
    assert secrets_match(secret, secret_hash(secret))
    assert not secrets_match(secret + "x", secret_hash(secret))
    assert not secrets_match(secret, "")
    assert not secrets_match(secret, "ключ")


def test_secret_with_lone_surrogates_is_hashed() -> None:
    assert secrets_match("\ud800", secret_hash("\ud800"))
