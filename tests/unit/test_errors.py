"""Error classes and their problem documents."""

import json

import pytest

from hangtag import errors
from hangtag.api.kernel.problem import problem
from hangtag.errors import (
    CODE_STATUS,
    STATUS,
    BadInputError,
    ConflictError,
    FieldError,
    FieldErrorCode,
    HangtagError,
    status_of,
)

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HangtagError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_class_has_a_status_in_the_documented_tree(kind: type[HangtagError]) -> None:
    assert kind in STATUS
    assert kind.__name__ in (errors.__doc__ or "")


def test_the_exported_names_are_complete() -> None:
    public = {name for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__}
    assert set(errors.__all__) == public | {"CODE_STATUS", "NO_PARAMS", "STATUS"}


@pytest.mark.parametrize("kind", KINDS)
def test_default_code_of_an_error_has_the_status_of_its_class(kind: type[HangtagError]) -> None:
    assert CODE_STATUS[kind.code] == STATUS[kind][0]


def test_every_error_code_has_a_status() -> None:
    assert set(CODE_STATUS) == set(errors.ErrorCode)


def test_a_subclass_without_a_row_has_its_parents_status() -> None:
    class NarrowError(ConflictError):
        pass

    assert status_of(NarrowError()) == (409, "Conflict")


def test_problem_lists_each_invalid_field_with_its_reason() -> None:
    response = problem(
        BadInputError(
            "not valid", (FieldError("phones.0", FieldErrorCode.INVALID_PHONE, "it can't be read", {"max_length": 64}),)
        )
    )
    assert response["statusCode"] == 400
    assert response["headers"]["content-type"] == "application/problem+json"
    assert json.loads(response["body"]) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "validation_failed",
        "detail": "not valid",
        "errors": [
            {"field": "phones.0", "code": "invalid_phone", "reason": "it can't be read", "params": {"max_length": 64}}
        ],
    }


def test_problem_of_a_plain_error_has_no_detail() -> None:
    body = json.loads(problem(HangtagError())["body"])
    assert body == {"type": "about:blank", "title": "Internal Server Error", "status": 500, "code": "internal_error"}
