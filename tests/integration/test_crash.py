"""Crash test: every story, once for each of its AWS calls that changes data, with that call failing.

A write fails before it is sent, and in another run after it took effect, in each story. A read changes nothing, so one
side is enough: each read (operation, kind of item, and its number in the story) fails once in READ_IN stories. The
marks of report hours, which do not concern the tag, fail on both sides in READ_IN stories. HANGTAG_CRASH=all
(`make crash`) fails all of these in every story.

Promise: after an acknowledgement, without any redelivery and with the platform's own retries only, the record is the
same and there is exactly one tag. The proxy at the endpoint fails the call; the product contains no test code for it.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from crash import Result, Stage, dead_letters
from fault_proxy import FaultPlan, Side, Signature, fault_proxy
from local import stack as local_stack
from local.simulator import Api, Office, Story, build_office, load_office_plan, load_stories
from local.simulator.story import TENANTS
from local.stack import Stack
from office_clone import Mould, Tenant, take_mould
from schedules import stop_schedule

PORT = 4611
PROXY_PORT = 4612
# Stories in parallel. Each has its own tenants.
AT_ONCE = 32
# Undisturbed stories in parallel: few, because load changes the order of a story's calls.
LOOKS_AT_ONCE = 4
# A race can omit a call from one run (a batch read early); it must occur in one of these runs.
PLAYINGS = 4
# Otherwise the story runs again with little load, this many times, as long as there is time. A call that does not
# occur again depends on a race, such as a message sent twice. Those calls are listed, and must be few.
QUIET_PLAYINGS = 6
QUIET_AT_ONCE = 4
QUIET_SECONDS = 420.0
MOST_RARE_SHARE = 0.05
READ_IN = 2
READS = ("GetItem", "BatchGetItem", "Query")
MARKS = ("UpdateItem REPORT.MARK",)
EVERYTHING = os.environ.get("HANGTAG_CRASH") == "all"
PARAMETERS = {"HangupTimeoutSeconds": "20", "LogLevel": "WARNING"}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(7200 if EVERYTHING else 3000)]


@dataclass(frozen=True, slots=True)
class Case:
    """One call of one story, failing on one side; `k` counts the calls of an undisturbed run from 1."""

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
            environment={"HANGTAG_WORKERS": "32"},
        ) as stack,
    ):
        # Call windows are separate, do not block on failures (test_live.py), and these tenants have none.
        switch_off(stack, "LiveFunction")
        # Recordings are separate from the tag too (test_recordings.py), and no server has those of the stories.
        switch_off(stack, "RecordingsFunction")
        # Report sums of all these tenants would disturb the test; test_report_sums.py covers them.
        stop_schedule(stack, "reports")
        api, plan_of_office = Api(stack.api, stack.operator_token), load_office_plan()
        offices = {name: build_office(api, plan_of_office, name) for name in TENANTS}
        dynamodb = stack.client("dynamodb")
        environment = stack.client("lambda").get_function_configuration(
            FunctionName=stack.functions["WebhookFunction"]
        )["Environment"]["Variables"]
        moulds: dict[str, Mould] = {
            name: take_mould(dynamodb, stack.table, tenant_of(office)) for name, office in offices.items()
        }
        yield Stage(dynamodb, stack.client("sqs"), stack.table, moulds, environment["TOKEN_KEY"], plan)


def switch_off(stack: Stack, function: str) -> None:
    """Disable all event sources of a function."""
    lambdas, name = stack.client("lambda"), stack.functions[function]
    for mapping in lambdas.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def tenant_of(office: Office) -> Tenant:
    """Return an office's tenant in the form that copies are created from."""
    token = office.webhook_url.rsplit("/", 1)[1]
    return Tenant(office.tenant_id, office.integration_id, token, office.webhook_url, office.planfix_token)


def cases_of(stage: Stage, story: Story) -> list[Case]:
    """Play a story undisturbed. Return a case for each of its calls and sides."""
    run, result = stage.play(story, None, Side.BEFORE)
    targets = list(run.calls)
    return [Case(story, k, target, side, result) for k, target in enumerate(targets, start=1) for side in Side]


def chosen(cases: list[Case]) -> list[Case]:
    """Return the cases to play: all writes, and the reads described in the module docstring."""
    if EVERYTHING:
        return cases
    played: list[Case] = []
    times: Counter[tuple[Signature, Side]] = Counter()
    for case in cases:
        is_read = case.target.what.startswith(READS)
        if is_read and case.side is not Side.BEFORE:
            continue
        if is_read or case.target.what.startswith(MARKS):
            times[case.target, case.side] += 1
            if times[case.target, case.side] > READ_IN:
                continue
        played.append(case)
    return played


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a case. `occurred`: the call occurred and failed. `fault` describes a wrong result."""

    case: Case
    occurred: bool
    fault: str | None = None

    def __str__(self) -> str:
        target = self.case.target
        call = f"{target.what} #{target.number}"
        return f"{self.case.story.name} k={self.case.k} {self.case.side} ({call}): {self.fault}"


def play(stage: Stage, case: Case, times: int) -> Finding:
    """Play a case until its call occurs, at most this many times."""
    for _ in range(times):
        try:
            run, result = stage.play(case.story, case.target, case.side, case.expected)
        except AssertionError as error:
            return Finding(case, True, str(error))
        if result != case.expected:
            return Finding(case, True, f"{result} instead of {case.expected}")
        if run.fired:
            return Finding(case, True)
    return Finding(case, False, "skipped, the call did not occur again")


def test_every_story_survives_the_failure_of_any_of_its_aws_calls(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    stories = load_stories()
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        all_cases = [case for cases in pool.map(lambda story: cases_of(stage, story), stories) for case in cases]
    cases = chosen(all_cases)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        findings = list(pool.map(lambda case: play(stage, case, PLAYINGS), cases))
    until = time.monotonic() + QUIET_SECONDS

    def again(finding: Finding) -> Finding:
        if finding.occurred or time.monotonic() > until:
            return finding
        return play(stage, finding.case, QUIET_PLAYINGS)

    with ThreadPoolExecutor(QUIET_AT_ONCE) as pool:
        findings = list(pool.map(again, findings))
    rare = [finding for finding in findings if not finding.occurred]
    failures = [str(finding) for finding in findings if finding.occurred and finding.fault]
    calls = {case.target.what for case in cases}
    assert calls == {case.target.what for case in all_cases}
    printed = (
        f"crash test: {len(cases)} of {len(all_cases)} (story, k, side) of {len(stories)} stories, "
        f"{len(calls)} kinds of calls; caused by a race once, and not repeated: {len(rare)}"
    )
    record_property("printed", "\n".join([printed, *failures, *map(str, rare)]))
    assert any(what.startswith("states dynamodb") for what in calls)
    assert any(what.startswith("states lambda") for what in calls)
    assert not failures, "; ".join(failures)[:2000]
    assert dead_letters(stage.sqs) == {}
    assert len(rare) <= MOST_RARE_SHARE * len(cases), "; ".join(map(str, rare))[:2000]
