"""Exports of a tenant's data."""

import json

import pytest

from api_client import Office, open_office
from local.stack import Stack
from seeded_office import exported, seed

pytestmark = pytest.mark.stack

PORT = 4691


@pytest.fixture
def office(stack: Stack) -> Office:
    return seed(open_office(stack.api, stack.operator_token))


def test_export_contains_all_kinds_without_secrets(office: Office) -> None:
    rows = exported(office)
    kinds = {row["kind"] for row in rows}
    assert kinds == {
        "contact", "call", "tag", "task", "comment", "employee", "group", "line", "integration", "settings",
        "missed_call", "audit",
    }  # fmt: skip
    count = {kind: sum(row["kind"] == kind for row in rows) for kind in kinds}
    assert [count[kind] for kind in ("contact", "call", "tag", "task", "comment")] == [2, 4, 4, 1, 2]
    text = json.dumps(rows)
    assert "pbx-key-of-the-tenant" not in text
    assert office.integration["secrets"]["planfix_token"] not in text
    assert office.employee.get("/v1/exports/0123456789abcdef").status == 403
    assert office.owner.get("/v1/exports/0123456789abcdef").status == 404
