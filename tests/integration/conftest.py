"""Fixtures of the integration tests. Each test file has a stack of its own, at its own `PORT`."""

from collections.abc import Iterator

import pytest

import fake_crm
from api_client import Office, open_office
from fake_crm import FakeCrm
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


@pytest.fixture(scope="module")
def loopback(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the environment of the functions in this process, and allow requests to this machine."""
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    return environment


@pytest.fixture(scope="module")
def unwatched_table(stack: Stack) -> str:
    """Create a table like the stack's, without stream readers: only the test changes its items."""
    tables = stack.client("dynamodb")
    like = tables.describe_table(TableName=stack.table)["Table"]
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in like["GlobalSecondaryIndexes"]
    ]
    tables.create_table(
        TableName="unwatched",
        AttributeDefinitions=like["AttributeDefinitions"],
        KeySchema=like["KeySchema"],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )
    return "unwatched"


@pytest.fixture
def outbox_table(loopback: pytest.MonkeyPatch, unwatched_table: str) -> Iterator[str]:
    """Use the table without stream readers in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", unwatched_table)
        yield unwatched_table


@pytest.fixture
def external_crm() -> Iterator[FakeCrm]:
    """Run an external CRM."""
    with fake_crm.running() as started:
        yield started


def _forget_clients() -> None:
    client.make.cache_clear()
    models.Entry._connection = None
