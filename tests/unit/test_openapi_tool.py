"""The API document is put together from the functions' own; two shapes of one name would hide each other."""

from typing import Any

import pytest

from tools.openapi import join


def part(name: str, **shape: Any) -> dict[str, Any]:
    return {"paths": {}, "components": {"schemas": {name: shape}}}


def test_two_functions_may_have_the_same_shape_and_not_two_of_one_name() -> None:
    whole: dict[str, Any] = {"paths": {}, "components": {"schemas": {}}}
    join(whole, part("GroupOut", type="object"))
    join(whole, part("GroupOut", type="object"))
    assert whole["components"]["schemas"] == {"GroupOut": {"type": "object"}}
    with pytest.raises(ValueError, match="GroupOut"):
        join(whole, part("GroupOut", type="string"))
