"""What the files of this suite share. Each names the port of its own stack, `PORT`; no two have the same."""

from collections.abc import Iterator

import pytest

from api_client import Office, open_office
from hangtag.store.db import client, models
from local.stack import Stack, running
from pbx_line import Line


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The file's own stack."""
    with running(port=request.module.PORT) as started:
        yield started


@pytest.fixture
def office(stack: Stack) -> Office:
    """A new tenant, ready to be called."""
    return open_office(stack.api, stack.operator_token)


@pytest.fixture(scope="module")
def shared(stack: Stack) -> Office:
    """An office for tests that leave nothing in it."""
    return open_office(stack.api, stack.operator_token)


@pytest.fixture
def line(office: Office) -> Line:
    """The PBX of the office."""
    return Line(office)


@pytest.fixture(scope="module")
def environment(stack: Stack) -> Iterator[pytest.MonkeyPatch]:
    """The embedded AWS in this process, as the functions find it: by their environment."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.functions["AdminFunction"])
    wanted = {
        "TABLE_NAME": stack.table,
        "CREDENTIALS_KEY_ID": function["Environment"]["Variables"]["CREDENTIALS_KEY_ID"],
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wanted.items():
            patch.setenv(name, value)
        _forget_clients()
        yield patch
    _forget_clients()


def _forget_clients() -> None:
    client.make.cache_clear()
    models.Entry._connection = None
