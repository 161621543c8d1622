"""Fixtures of the integration tests. Each test file has a stack of its own, at its own `PORT`."""

from collections.abc import Iterator

import pytest

from api_client import Office, open_office
from hangtag.store.db import client, models
from local.stack import Stack, running
from pbx_line import Line


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Return the stack of the test file."""
    with running(port=request.module.PORT) as started:
        yield started


@pytest.fixture
def office(stack: Stack) -> Office:
    """Return a new tenant that can receive calls."""
    return open_office(stack.api, stack.operator_token)


@pytest.fixture(scope="module")
def shared(stack: Stack) -> Office:
    """Return an office for tests that do not change it."""
    return open_office(stack.api, stack.operator_token)


@pytest.fixture
def line(office: Office) -> Line:
    """Return the PBX of the office."""
    return Line(office)


@pytest.fixture(scope="module")
def environment(stack: Stack) -> Iterator[pytest.MonkeyPatch]:
    """Set the environment of the functions in this process, for calls of the embedded AWS."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.functions["AdminFunction"])
    variables = {
        "TABLE_NAME": stack.table,
        "CREDENTIALS_KEY_ID": function["Environment"]["Variables"]["CREDENTIALS_KEY_ID"],
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        _forget_clients()
        yield patch
    _forget_clients()


def _forget_clients() -> None:
    client.make.cache_clear()
    models.Entry._connection = None
