"""Erasure of a whole tenant."""

import time

import pytest

from api_client import Office, open_office
from live_listener import listening
from local.stack import Stack
from seeded_office import WITHIN_SECONDS, exported, files, items_with, seed

pytestmark = pytest.mark.stack

PORT = 4692


@pytest.fixture
def office(stack: Stack) -> Office:
    return seed(open_office(stack.api, stack.operator_token))


def test_erased_tenant_leaves_no_items_or_files(stack: Stack, office: Office) -> None:
    exported(office)
    assert len(items_with(stack, office.tenant_id)) > 20
    deadline = time.monotonic() + WITHIN_SECONDS
    with listening(office.employee):
        while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status == 202:
            assert time.monotonic() < deadline
    assert items_with(stack, office.tenant_id) == []
    assert not [name for name in files(stack) if office.tenant_id in name]
