"""Keys: different inputs give different keys."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hangtag.store.db.keys import call_pk, digest, key

# Anything a PBX may call a call: separators, slashes, spaces, 300 characters, any Unicode, lone surrogates.
HOSTILE = st.one_of(
    st.text(alphabet="#/% u;2345ABCDef", max_size=300),
    st.text(max_size=300),
    st.text(alphabet=st.characters(categories=("Cs", "Ll", "Po")), max_size=300),
)
PARTS = st.lists(HOSTILE, min_size=1, max_size=4)


@given(PARTS, PARTS)
@example(["a#b"], ["a", "b"])
@example(["a%23b"], ["a#b"])
@example(["", ""], [""])
@example(["\ud800"], ["%ud800;"])
@example(["a" * 300], ["a" * 299 + "b"])
def test_different_parts_give_different_keys(one: list[str], other: list[str]) -> None:
    """Promise: key building is injective over hostile ids."""
    assert (key(*one) == key(*other)) == (one == other)
    assert (digest(*one) == digest(*other)) == (one == other)


@given(PARTS)
def test_every_key_is_valid_utf_8(parts: list[str]) -> None:
    """Promise: the key of any id is valid UTF-8."""
    assert key(*parts).encode().decode() == key(*parts)


@given(HOSTILE)
def test_call_id_is_unique_per_tenant_and_integration(call_id: str) -> None:
    """Promise: calls of two tenants, or of two PBXs of one tenant, never share a key."""
    keys = {call_pk(tenant, pbx, call_id) for tenant in "ab" for pbx in "xy"}
    assert len(keys) == 4
    assert all(call_id not in encoded for encoded in keys if len(call_id) > 40)


def test_key_without_parts_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        key()
