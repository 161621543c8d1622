"""The crash test: for every AWS call that a story takes, the story with that call failing.

Promise: after an acknowledgement, with no redelivery at all and nothing but the platform's own retries, the record is
the same and there is exactly one tag. The proxy at the endpoint fails the call; the product has no hook for it.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from crash import Result, Stage, given_up
from fault_proxy import FaultPlan, Side, Signature, fault_proxy
from local import stack as local_stack
from local.simulator import Api, Story, build_office, load_office_plan, load_stories
from office_clone import Tenant, take_mould

PORT = 4611
PROXY_PORT = 4612
# Stories at a time. Each has tenants of its own.
AT_ONCE = 20
# A call may be missing from one playing because of a race (a batch seen early); it has to be met in one of these.
PLAYINGS = 4
PARAMETERS = {"HangupTimeoutSeconds": "20", "LogLevel": "WARNING"}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1500)]


@dataclass(frozen=True, slots=True)
class Case:
    """One call of one story, failing on one side; `k` counts the calls of an undisturbed playing from 1."""

    story: Story
    k: int
    target: Signature
    side: Side
    expected: Result


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    plan = FaultPlan()
    with (
        fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint,
        local_stack.running(
            port=PORT,
            fault_endpoint=endpoint,
            parameters=PARAMETERS,
            environment={"HANGTAG_WORKERS": "16"},
        ) as stack,
    ):
        office = build_office(Api(stack.api, stack.operator_token), load_office_plan())
        token = office.webhook_url.rsplit("/", 1)[1]
        original = Tenant(office.tenant_id, office.integration_id, token, office.webhook_url, office.planfix_token)
        dynamodb = stack.client("dynamodb")
        environment = stack.client("lambda").get_function_configuration(
            FunctionName=stack.functions["WebhookFunction"]
        )["Environment"]["Variables"]
        mould = take_mould(dynamodb, stack.table, original)
        yield Stage(dynamodb, stack.client("sqs"), stack.table, mould, environment["TOKEN_KEY"], plan)


def cases_of(stage: Stage, story: Story) -> list[Case]:
    """Play a story undisturbed; a case for each of its calls and sides."""
    run, result = stage.play(story, None, Side.BEFORE)
    seen = list(run.seen)
    return [Case(story, k, target, side, result) for k, target in enumerate(seen, start=1) for side in Side]


def failure(stage: Stage, case: Case) -> str | None:
    """Play a case; None if all went well, else what did not."""
    name = f"{case.story.name} k={case.k} {case.side} ({case.target.what} #{case.target.number})"
    for _ in range(PLAYINGS):
        try:
            run, result = stage.play(case.story, case.target, case.side, case.expected)
        except AssertionError as error:
            return f"{name}: {error}"
        if result != case.expected:
            return f"{name}: {result} instead of {case.expected}"
        if run.fired:
            return None
    return f"{name}: skipped, the call was never met again"


def test_every_aws_call_of_every_story_may_fail(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stories = load_stories()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # One at a time, so that no story meets a worker which does not know its tenant yet.
        cases = [case for story in stories for case in cases_of(stage, story)]
        failures = [found for found in pool.map(lambda c: failure(stage, c), cases) if found]
    with capsys.disabled():
        calls = {case.target.what for case in cases}
        print(f"\ncrash test: {len(cases)} (story, k, side) of {len(stories)} stories, {len(calls)} kinds of calls")
        print("\n".join(failures))
    assert any(what.startswith("states dynamodb") for what in calls)
    assert any(what.startswith("states lambda") for what in calls)
    assert given_up(stage.sqs) == {}
    assert not failures, json.dumps(failures, indent=1)[:5000]
