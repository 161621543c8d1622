"""Fixtures of the tests of a bridge: its fake API, running, and an account there."""

from collections.abc import Iterator

import pytest

from generic_helpers import account_of
from hangtag.providers.base import Account
from local.simulator import rest
from local.simulator.providers.generic import pbx
from local.simulator.providers.generic.api import Api


@pytest.fixture
def bridge_api() -> Api:
    """Return the fake API of a bridge."""
    return Api(pbx.CREDENTIALS)


@pytest.fixture
def bridge_server(bridge_api: Api) -> Iterator[rest.Server]:
    """Serve the fake API."""
    with rest.serving(bridge_api) as server:
        yield server


@pytest.fixture
def bridge_account(bridge_api: Api, bridge_server: rest.Server) -> Account:
    """Return an account at the fake API."""
    return account_of(bridge_api, bridge_server)
