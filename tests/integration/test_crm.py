"""A CRM outside that is slow, fails, lies or loses its answers: a real table, real HTTP, and a clock of our own."""

import heapq
import itertools
import json
import logging
import random
import secrets as random_bytes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

import fake_crm
from api_client import Answer, Office, open_office
from fake_crm import DOWN, OK, FakeCrm, Message, Reply
from hangtag.crm import config, lookup
from hangtag.observability import logger
from hangtag.representation import Names
from hangtag.services.crm.outbox_worker import deliver
from hangtag.services.tags import notifications
from hangtag.settings import MissedCallNotificationSettings
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.db import audit, client
from hangtag.store.office import contacts, employees, tenants
from local.stack import Stack
from pbx_line import Line

pytestmark = pytest.mark.stack

PORT = 4636
KEYS = "k" * 64
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def account(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The embedded AWS in this process, which may tell a CRM on this machine."""
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    return environment


@pytest.fixture(scope="module")
def quiet_table(stack: Stack) -> str:
    """A table like the stack's, whose stream nobody reads: what happens is what a test does."""
    tables = stack.client("dynamodb")
    like = tables.describe_table(TableName=stack.table)["Table"]
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in like["GlobalSecondaryIndexes"]
    ]
    tables.create_table(
        TableName="quiet",
        AttributeDefinitions=like["AttributeDefinitions"],
        KeySchema=like["KeySchema"],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )
    return "quiet"


@pytest.fixture
def quiet(account: pytest.MonkeyPatch, quiet_table: str) -> Iterator[str]:
    """The quiet table in place of the stack's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", quiet_table)
        yield quiet_table


@pytest.fixture
def far() -> Iterator[FakeCrm]:
    with fake_crm.running() as started:
        yield started


def tenant_with(far: FakeCrm) -> str:
    """A tenant whose CRM is that one."""
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    config.connect(tenant.id, far.url, "owner")
    return tenant.id


def write(writes: Any) -> None:
    client.dynamodb().transact_write_items(TransactItems=writes)


def put_tag(tenant: str, tag: str, at: datetime, revision: int = 1) -> str:
    """Write a message as emission does; its id."""
    writes = outbox.puts(tenant, "tag", tag, revision, {"tag": {"id": tag, "name": "Иван"}}, at)
    write(writes)
    return outbox.message_id("tag", tag, revision)


def drive(tenant: str, messages: list[tuple[datetime, str]], until: datetime, clock: "Clock | None" = None) -> datetime:
    """Work the messages off as the queue does: each again after as many seconds as the worker says. When it ended."""
    draw = random.Random(7).random  # noqa: S311
    order = itertools.count()
    queue = [(at, next(order), message) for at, message in messages]
    heapq.heapify(queue)
    now = START
    while queue:
        now, _, message = heapq.heappop(queue)
        assert now < until, "it takes too long"
        if clock is not None:
            clock.now = now
        wait = deliver(tenant, message, now, draw)
        if wait is not None:
            assert 1 <= wait <= 900
            heapq.heappush(queue, (now + timedelta(seconds=wait), next(order), message))
    return now


class Clock:
    """The time that the CRM of a simulation sees."""

    now = START


def items(stack: Stack, table: str, tenant: str) -> list[dict[str, Any]]:
    """What of a tenant's is left in the outbox."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    found = [item for page in pages for item in page["Items"]]
    return [item for item in found if item["pk"]["S"].startswith(f"T#{tenant}#OUTBOX")]


# ------------------------------------------------------------------ a day's outage


def test_a_crm_that_answers_500_for_a_simulated_day_and_then_recovers_gets_every_tag_once(
    stack: Stack, quiet: str, far: FakeCrm
) -> None:
    tenant, clock = tenant_with(far), Clock()
    recovers = START + timedelta(days=1)
    far.answer = lambda _: DOWN if clock.now < recovers else OK
    tags = {f"tag-{number}": START + number * 10 * HOUR for number in range(3)}
    messages = [(at, put_tag(tenant, tag, at)) for tag, at in tags.items()]
    ended = drive(tenant, messages, START + timedelta(hours=30), clock)
    assert far.writes == {(tag, 1): 1 for tag in tags}
    assert recovers <= ended < recovers + 2 * HOUR
    # Left alone for up to a quarter of an hour at a time, it was not flooded either.
    assert 30 < len(far.asked) < 200
    assert {message.headers["webhook-id"] for message in far.asked} == {message for _, message in messages}
    assert {message.said["revision"] for message in far.asked} == {1}
    assert len({message.text for message in far.asked}) == len(tags)
    (key,) = config.signing_secrets(tenant, config.require(tenant), START)
    for message in far.asked:
        sent = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
        signed = Webhook(key).sign(message.headers["webhook-id"], sent, message.text)
        assert message.headers["webhook-signature"] == signed
    assert {item["sk"]["S"] for item in items(stack, quiet, tenant)} == {"DELIVERED"}
    assert breaker.health(tenant) == breaker.Health(0, None, None, None)


def test_a_crm_that_honours_the_key_has_one_tag_though_its_answers_are_lost(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    far.answer = lambda _: Reply(lost=len(far.asked) < 3)
    drive(tenant, [(START, put_tag(tenant, "tag", START))], START + HOUR)
    assert len(far.asked) == 4
    assert len({message.headers["webhook-id"] for message in far.asked}) == 1
    assert far.writes == {("tag", 1): 1}


def test_what_is_never_taken_is_dead_after_thirty_hours_with_the_reason_and_can_be_redriven(
    quiet: str, far: FakeCrm
) -> None:
    tenant, clock = tenant_with(far), Clock()
    far.answer = lambda _: Reply(503, taken=False)
    message = put_tag(tenant, "tag", START)
    ended = drive(tenant, [(START, message)], START + 33 * HOUR, clock)
    assert ended >= START + 30 * HOUR
    (dead,), following = outbox.list_dead_letters(tenant, 10, None)
    assert (dead["id"], dead["last_status"], dead["reason"], following) == (
        message,
        503,
        "The CRM returned a server error.",
        None,
    )
    assert deliver(tenant, message, ended + HOUR) is None
    far.answer = lambda _: OK
    assert outbox.redrive(tenant, message, ended + HOUR)
    assert not outbox.redrive(tenant, message, ended + HOUR)
    drive(tenant, [(ended + HOUR, message)], ended + 3 * HOUR)
    assert far.writes == {("tag", 1): 1}
    assert outbox.list_dead_letters(tenant, 10, None) == ([], None)


# ------------------------------------------------------------------ answers


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_crm_will_never_take_is_dead_at_once(quiet: str, far: FakeCrm, status: int) -> None:
    tenant = tenant_with(far)
    far.answer = lambda _: Reply(status, taken=False)
    assert deliver(tenant, put_tag(tenant, "tag", START), START) is None
    assert [dead["last_status"] for dead in outbox.list_dead_letters(tenant, 10, None)[0]] == [status]
    assert breaker.health(tenant).failures == 0


@pytest.mark.parametrize("said", ["600", "Mon, 02 Mar 2026 09:40:00 GMT"])
def test_retry_after_is_honoured_for_all_messages_of_the_tenant(quiet: str, far: FakeCrm, said: str) -> None:
    tenant = tenant_with(far)
    first, second = (put_tag(tenant, tag, START) for tag in ("one", "two"))
    far.answer = lambda _: Reply(429, headers={"retry-after": said}, taken=False)
    assert deliver(tenant, first, START) == 600
    far.answer = lambda _: OK
    for minute in range(10):
        waits = [deliver(tenant, message, START + timedelta(minutes=minute)) for message in (first, second)]
        assert None not in waits
    assert len(far.asked) == 1
    drive(tenant, [(START + timedelta(minutes=10), message) for message in (first, second)], START + HOUR)
    assert far.writes == {("one", 1): 1, ("two", 1): 1}


def test_a_revision_older_than_one_that_was_delivered_is_dropped_unsent(stack: Stack, quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    first = put_tag(tenant, "tag", START)
    far.answer = lambda _: DOWN
    assert deliver(tenant, first, START) is not None
    second = put_tag(tenant, "tag", START, revision=2)
    far.answer = lambda _: OK
    assert deliver(tenant, second, START) is None
    assert deliver(tenant, first, START + HOUR) is None
    assert [message.said["revision"] for message in far.asked] == [1, 2]
    assert [item["sk"]["S"] for item in items(stack, quiet, tenant)] == ["DELIVERED"]


def test_a_message_that_comes_twice_at_once_is_sent_once(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    message = put_tag(tenant, "tag", START)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: deliver(tenant, message, START), range(8))).count(None) >= 1
    assert len(far.asked) == 1


def test_an_endless_answer_and_a_redirect_are_failures_and_nothing_is_followed(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    message = put_tag(tenant, "tag", START)
    far.answer = lambda _: Reply(200, b"x" * 1_000_000, taken=False)
    wait = deliver(tenant, message, START)
    assert wait is not None
    far.answer = lambda _: Reply(307, headers={"location": far.url}, taken=False)
    assert deliver(tenant, message, START + HOUR) is not None
    assert len(far.asked) == 2
    assert "final URL" in (breaker.health(tenant).fault or outbox.Fault(None, "")).reason


# ------------------------------------------------------------------ the breaker


def test_a_failing_crm_is_left_alone_and_other_tenants_are_told_at_once(quiet: str, far: FakeCrm) -> None:
    failing, well = tenant_with(far), tenant_with(far)
    far.answer = lambda message: DOWN if message.said["tenant"] == failing else OK
    messages = [put_tag(failing, f"tag-{number}", START) for number in range(8)]
    waits = [deliver(failing, message, START) for message in messages]
    assert None not in waits
    assert len(far.asked) == breaker.THRESHOLD
    assert deliver(well, put_tag(well, "tag", START), START) is None
    assert breaker.health(failing).paused_until == START + timedelta(seconds=30)


def test_after_the_pause_one_probe_is_let_through_and_its_success_lets_all_through(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    messages = [put_tag(tenant, f"tag-{number}", START) for number in range(12)]
    far.answer = lambda _: DOWN
    for message in messages:
        deliver(tenant, message, START)
    before = len(far.asked)
    later = START + HOUR
    far.answer = lambda _: Reply(500, taken=False, stalls=True)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(deliver, tenant, message, later) for message in messages]
        far.await_asked(before + 1)
        far.ended.set()
        assert all(one.result() is not None for one in tries)
    assert len(far.asked) == before + 1
    far.answer = lambda _: OK
    drive(tenant, [(later + HOUR, message) for message in messages], later + 3 * HOUR)
    assert len(far.writes) == 12


def test_of_many_who_see_the_end_of_the_pause_at_once_one_is_the_probe(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    for _ in range(breaker.THRESHOLD):
        breaker.failed(breaker.Pass(tenant, None), START, outbox.Fault(500, "the CRM failed"))
    over = START + timedelta(seconds=30)
    assert breaker.health(tenant).paused_until == over
    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(lambda _: breaker._probe(tenant, over, over, lambda: 0.5), range(8)))
    assert entered.count(breaker.Pass(tenant, None, probe=True)) == 1
    assert entered.count(breaker.Wait(45.0, paused=True)) == 7


def test_a_slow_crm_holds_up_only_so_many_workers(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    messages = [put_tag(tenant, f"tag-{number}", START) for number in range(breaker.SLOTS + 4)]
    far.answer = lambda _: Reply(stalls=True)
    with ThreadPoolExecutor(len(messages)) as pool:
        tries = [pool.submit(deliver, tenant, message, START) for message in messages]
        # These end while the CRM still holds back the answers of the others.
        put_off = [one.result() for one in itertools.islice(as_completed(tries, timeout=20), 4)]
        far.ended.set()
    assert all(wait is not None and 2 <= wait <= 10 for wait in put_off)
    assert 1 <= len(far.asked) <= breaker.SLOTS
    far.answer = lambda _: OK
    drive(tenant, [(START + HOUR, message) for message in messages], START + 2 * HOUR)
    assert set(far.writes.values()) == {1}
    assert len(far.writes) == len(messages)


def test_a_refused_signature_is_shown_until_the_crm_accepts_it_again(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    message = put_tag(tenant, "tag", START)
    far.answer = lambda _: Reply(401, taken=False)
    assert deliver(tenant, message, START) is not None
    health = breaker.health(tenant)
    assert (health.failures, health.fault) == (
        1,
        outbox.Fault(401, "The CRM rejected the signature. Check the secret there."),
    )
    far.answer = lambda _: OK
    assert deliver(tenant, message, START + HOUR) is None
    assert breaker.health(tenant) == breaker.Health(0, None, None, None)


def test_no_address_body_or_secret_is_logged_whatever_happens(quiet: str, far: FakeCrm) -> None:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(repr(record.__dict__))

    kept = Kept()
    logger.addHandler(kept)
    try:
        tenant = tenant_with(far)
        replies = iter([DOWN, Reply(401), Reply(lost=True), Reply(200, b"x" * 200_000), Reply(307), OK])
        far.answer = lambda _: next(replies, OK)
        messages = [put_tag(tenant, f"tag-{number}", START) for number in range(3)]
        drive(tenant, [(START, message) for message in messages], START + 3 * HOUR)
        far.answer = lambda _: Reply(500, b"echo: +74951234567")
        lookup.find_contact(tenant, "+74951234567")
        secret = config.signing_secrets(tenant, config.require(tenant), START)[0]
    finally:
        logging.getLogger(logger.name).removeHandler(kept)
    assert len(lines) > 6
    logged = "\n".join(lines)
    assert [
        word for word in ("in-the-query", "127.0.0.1", "Иван", "74951234567", secret, "v1,") if word in logged
    ] == []


# ------------------------------------------------------------------ the worker dies


class DeadError(Exception):
    """The worker is no more."""


@contextmanager
def dying(at_call: int, *, after: bool) -> Iterator[list[str]]:
    """Have this process die at its n-th call of the table, before it is sent or after it took effect."""
    calls: list[str] = []
    event = "after-call.dynamodb" if after else "before-call.dynamodb"

    def die(model: Any, **_: Any) -> None:
        calls.append(model.name)
        if len(calls) == at_call:
            raise DeadError

    events = client.dynamodb().meta.events
    events.register(event, die)
    try:
        yield calls
    finally:
        events.unregister(event, die)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", [OK, DOWN], ids=["accepted", "failed"])
def test_a_worker_that_dies_at_any_call_of_the_table_leaves_a_message_that_is_told_once(
    quiet: str, far: FakeCrm, first: Reply, after: bool
) -> None:
    tenant = tenant_with(far)
    for at_call in range(1, 20):
        tag = f"tag-{at_call}"
        at = START + at_call * 24 * HOUR
        message = put_tag(tenant, tag, at)
        crm.load(tenant)
        far.answer = lambda _: first
        with dying(at_call, after=after) as calls, suppress(DeadError):
            deliver(tenant, message, at)
        far.answer = lambda _: OK
        drive(tenant, [(at + timedelta(seconds=180), message)], at + HOUR)
        assert far.writes[tag, 1] == 1
        if len(calls) < at_call:
            break
    assert at_call >= 5
    assert set(far.writes.values()) == {1}


# ------------------------------------------------------------------ the end of things


def test_nothing_is_left_of_a_message_that_was_erased_while_it_was_sent(stack: Stack, quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    message = put_tag(tenant, "tag", START)

    def erase(_: Message) -> Reply:
        for item in items(stack, quiet, tenant):
            client.dynamodb().delete_item(TableName=quiet, Key={"pk": item["pk"], "sk": item["sk"]})
        return OK

    far.answer = erase
    assert deliver(tenant, message, START) is None
    assert deliver(tenant, message, START) is None
    assert items(stack, quiet, tenant) == []


def test_without_an_outside_crm_nothing_is_written_and_what_waits_is_dead_with_the_reason(
    quiet: str, far: FakeCrm
) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    assert outbox.puts(tenant.id, "tag", "tag", 1, {}, START) == []
    other = tenant_with(far)
    message = put_tag(other, "tag", START)
    config.disconnect(other, "owner")
    assert deliver(other, message, START) is None
    assert [dead["reason"] for dead in outbox.list_dead_letters(other, 10, None)[0]] == [
        "no outside CRM is set any more"
    ]


def test_dead_letters_are_listed_by_pages_the_latest_first(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    far.answer = lambda _: Reply(422, taken=False)
    moments = [START + number * HOUR for number in range(5)]
    sent = [put_tag(tenant, f"tag-{at:%H}", at) for at in moments]
    for at, message in zip(moments, sent, strict=True):
        deliver(tenant, message, at)
    listed: list[str] = []
    before: str | None = None
    for _ in range(3):
        page, before = outbox.list_dead_letters(tenant, 2, before)
        listed += [dead["id"] for dead in page]
    assert listed == sent[::-1]


# ------------------------------------------------------------------ lookups


def test_the_crm_is_asked_who_calls_and_its_answer_is_remembered(quiet: str, far: FakeCrm) -> None:
    tenant = tenant_with(far)
    said = {"contact": {"external_id": "77", "name": "Иван", "supervisor_external": "5", "more": 1}}
    far.answer = lambda _: Reply(body=json.dumps(said).encode())
    for _ in range(3):
        found = lookup.find_contact(tenant, "+74951234567")
        assert found == lookup.FoundContact(external_id="77", name="Иван", supervisor_external="5")
    (asked,) = far.asked
    (key,) = config.signing_secrets(tenant, config.require(tenant), START)
    assert Webhook(key).verify(asked.text, dict(asked.headers))["data"] == {"number": "+74951234567"}
    assert asked.said["type"] == "contact.find"
    far.answer = lambda _: Reply(body=b'{"contact": null}')
    assert [lookup.find_contact(tenant, "+74950000000") for _ in range(2)] == [None, None]
    assert len(far.asked) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(200, b"<html>"),
        Reply(200, b"[]"),
        Reply(200, b"{}"),
        Reply(200, b'{"contact": {"name": "no id"}}'),
        Reply(200, b'{"contact": {"external_id": 7, "name": "Ivan"}}'),
        Reply(200, b'{"contact": {"external_id": "7", "name": "' + b"x" * 500 + b'"}}'),
        Reply(200, b"[" * 50_000),
        Reply(200, b"x" * 1_000_000),
        Reply(302, headers={"location": "http://169.254.169.254/"}),
        Reply(500),
        Reply(lost=True),
    ],
)
def test_a_crm_that_lies_or_fails_when_it_is_asked_is_as_good_as_none(quiet: str, far: FakeCrm, reply: Reply) -> None:
    tenant = tenant_with(far)
    far.answer = lambda _: reply
    assert lookup.find_contact(tenant, "+74951234567") is None
    assert lookup.last_task(tenant, "77", [], None) is None


def test_a_crm_that_does_not_answer_within_two_seconds_is_not_waited_for_and_soon_not_asked(
    quiet: str, far: FakeCrm
) -> None:
    tenant = tenant_with(far)
    far.answer = lambda _: Reply(stalls=True)
    before = datetime.now(UTC)
    assert lookup.find_contact(tenant, "+74951234567") is None
    assert datetime.now(UTC) - before < timedelta(seconds=6)
    far.answer = lambda _: DOWN
    for number in range(10):
        assert lookup.find_contact(tenant, f"+7495123456{number}") is None
    assert len(far.asked) == breaker.THRESHOLD


ANSWERS = {
    "contact.find": {"contact": {"external_id": "77", "name": "Иван", "supervisor_external": "Boss@example.com"}},
    "task.last": {"task": {"external_id": "9", "title": "A deal of theirs"}},
}


def test_a_contact_and_a_task_of_the_outside_crm_are_kept_here_under_its_ids(
    stack: Stack, office: Office, line: Line, far: FakeCrm
) -> None:
    """An unknown number calls twice, and then the same person from another number: one contact, one task."""
    far.answer = lambda message: Reply(body=json.dumps(ANSWERS.get(message.said["type"], {})).encode())
    assert office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url}).status == 200
    assert office.owner.put("/v1/settings/telephony", {"attach": {"to": "last_active_task"}}).status == 200
    boss = office.owner.made("/v1/employees", {"name": "Boss", "email": "boss@example.com"})["id"]
    numbers = ("74951234567", "74951234567", "74957654321")
    tags = [line.talk(f"call-{place}", number) for place, number in enumerate(numbers)]
    (contact_id,) = {tag["contact_id"] for tag in tags}
    contact = office.owner.get(f"/v1/contacts/{contact_id}").json
    assert (contact["name"], contact["external_id"], contact["supervisor_id"]) == ("Иван", "77", boss)
    assert [phone["e164"] for phone in contact["phones"]] == ["+74951234567", "+74957654321"]
    (task_id,) = {tag["task_id"] for tag in tags}
    task = office.owner.get(f"/v1/tasks/{task_id}").json
    assert (task["title"], task["external_id"], task["contact_ids"]) == ("A deal of theirs", "9", [contact_id])
    told = {"contact.created": ("contact", "77"), "task.created": ("task", "9")}
    for kind, (thing, external_id) in told.items():
        (said,) = [one.said["data"][thing] for one in until_told(far, kind)]
        assert said["external_id"] == external_id
    (asked,) = [one.said["data"] for one in far.asked if one.said["type"] == "task.last"][:1]
    assert asked == {"contact": {"external_id": "77"}, "conditions": [], "logic": None}


def test_a_task_of_ours_comes_before_one_of_the_outside_crm(
    stack: Stack, office: Office, line: Line, far: FakeCrm
) -> None:
    far.answer = lambda message: Reply(body=json.dumps(ANSWERS.get(message.said["type"], {})).encode())
    assert office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url}).status == 200
    assert office.owner.put("/v1/settings/telephony", {"attach": {"to": "last_active_task"}}).status == 200
    card = {"name": "Olga", "phones": ["+74951234567"], "external_id": "77"}
    contact_id = office.owner.made("/v1/contacts", card)["id"]
    own = office.owner.made("/v1/tasks", {"title": "Ours", "contact_ids": [contact_id]})["id"]
    assert line.talk("call", "74951234567")["task_id"] == own
    assert "task.last" not in {message.said["type"] for message in far.asked}


def until_told(far: FakeCrm, kind: str) -> list[Message]:
    """The messages of a kind, once there is one; fails as `await_asked` does."""
    count = 1
    while True:
        found = [message for message in far.await_asked(count) if message.said["type"] == kind]
        if found:
            return found
        count = len(far.asked) + 1


# ------------------------------------------------------------------ e-mail


NAMES = Names(country="RU", partial=True)


def missed_call(tenant: str, *names: str) -> MissedCall:
    hired = [
        employees.create_employee(
            tenant, name=name, email=f"{name}@example.com", role="employee", phones=(), extensions=()
        )
        for name in names
    ]
    return MissedCall(
        id=random_bytes.token_hex(16),
        call_id="c",
        at="2026-03-02T09:30:00+00:00",
        number="+74951234567",
        line="+74950000000",
        contact_id=None,
        rung=(),
        recipients=tuple(one.id for one in hired),
    )


def mails(stack: Stack, address: str) -> list[dict[str, Any]]:
    found = requests.get(stack.endpoint + "/_ministack/ses/messages", timeout=10).json()["messages"]
    return [mail for sent in found.values() for mail in sent if address in mail["To"]]


def test_employees_are_told_of_a_missed_call_by_e_mail_once_whatever_crm_they_have(
    stack: Stack, quiet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    missed = missed_call(tenant.id, "anna", "boris")
    assert notifications.puts(tenant.id, missed, MissedCallNotificationSettings(email=True), NAMES) == []
    monkeypatch.setenv("EMAIL_FROM", "calls@example.com")
    stack.client("sesv2").create_email_identity(EmailIdentity="calls@example.com")
    assert notifications.puts(tenant.id, missed, MissedCallNotificationSettings(), NAMES) == []
    for _ in range(2):
        write(notifications.puts(tenant.id, missed, MissedCallNotificationSettings(email=True), NAMES))
        message = outbox.message_id(outbox.EMAIL, missed.id, 1)
        assert deliver(tenant.id, message, datetime.now(UTC)) is None
    for name in ("anna", "boris"):
        (mail,) = mails(stack, f"{name}@example.com")
        assert "+74951234567" in json.dumps(mail)
        assert "2026-03-02 12:30" in json.dumps(mail)


def test_a_contacts_name_adds_no_header_to_the_mail(quiet: str) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    contact = contacts.create_contact(tenant.id, "Ivan\r\nBcc: all@example.com", (), None)
    subject, text = notifications.compose(tenant.id, replace(missed_call(tenant.id), contact_id=contact.id))
    assert subject == "Missed call from Ivan  Bcc: all@example.com"
    assert text.splitlines()[2:] == [
        "When: 2026-03-02 12:30 (Europe/Moscow)",
        "Number: +74951234567",
        "Line called: +74950000000",
    ]


# ------------------------------------------------------------------ the API, and the whole way


def refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.media) == (status, "application/problem+json"), answer


def test_an_admin_sets_a_crm_and_a_tag_reaches_it_at_the_second_try_signed_with_the_secret_shown_once(
    stack: Stack, account: pytest.MonkeyPatch, far: FakeCrm
) -> None:
    office = open_office(stack.api, stack.operator_token)
    assert office.owner.get("/v1/settings/crm").json == {
        "kind": "builtin",
        "url": None,
        "previous_secret_until": None,
        "health": None,
    }
    made = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url})
    assert made.status == 200
    secret = made.json["secret"]
    shown = office.owner.get("/v1/settings/crm").json
    assert (shown["kind"], shown["url"], shown["health"]["state"]) == ("webhook", far.url, "ok")
    again = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url + "&more=1"})
    assert again.json["secret"] is None
    assert secret not in json.dumps([shown, again.json])
    far.answer = lambda _: OK if far.asked else DOWN
    put_tag(office.tenant_id, "tag", datetime.now(UTC))
    failed, told = far.await_asked(2)
    assert failed.headers["webhook-id"] == told.headers["webhook-id"]
    assert Webhook(secret).verify(told.text, dict(told.headers))["data"]["tag"]["id"] == "tag"


def test_a_rotated_secret_signs_beside_the_old_one(stack: Stack, account: pytest.MonkeyPatch, far: FakeCrm) -> None:
    office = open_office(stack.api, stack.operator_token)
    old = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url}).json["secret"]
    rotated = office.owner.post("/v1/settings/crm/rotate", {"overlap_hours": 1})
    assert rotated.status == 200
    new = rotated.json["secret"]
    assert new != old
    tested = office.owner.post("/v1/settings/crm/test", {})
    assert tested.json == {"ok": True, "http_status": 200, "message": "The CRM accepted the message."}
    for secret in (old, new):
        assert Webhook(secret).verify(far.asked[0].text, dict(far.asked[0].headers))["type"] == "test"
    new = office.owner.post("/v1/settings/crm/rotate", {"overlap_hours": 0}).json["secret"]
    office.owner.post("/v1/settings/crm/test", {})
    listed = [(change.action, change.who) for change in audit.list_changes(office.tenant_id, 3, None).items]
    assert listed == [("crm.rotated", "owner"), ("crm.rotated", "owner"), ("crm.changed", "owner")]
    assert len(far.asked[1].headers["webhook-signature"].split(" ")) == 1
    assert Webhook(new).verify(far.asked[1].text, dict(far.asked[1].headers))


def test_the_test_says_in_words_what_came_back(stack: Stack, office: Office, far: FakeCrm) -> None:
    refused(office.owner.post("/v1/settings/crm/test", {}), 409)
    office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url})
    far.answer = lambda _: Reply(401)
    said = office.owner.post("/v1/settings/crm/test", {}).json
    assert (said["ok"], said["http_status"]) == (False, 401)
    assert "Check the secret" in said["message"]
    far.answer = lambda _: Reply(lost=True)
    assert office.owner.post("/v1/settings/crm/test", {}).json == {
        "ok": False,
        "http_status": None,
        "message": "the service did not answer",
    }
    assert office.owner.put("/v1/settings/crm", {"kind": "builtin"}).json["kind"] == "builtin"


def test_an_admin_sees_what_the_crm_refused_and_has_it_sent_again(
    stack: Stack, account: pytest.MonkeyPatch, far: FakeCrm
) -> None:
    office = open_office(stack.api, stack.operator_token)
    office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": far.url})
    far.answer = lambda _: Reply(422, taken=False)
    sent = {put_tag(office.tenant_id, tag, datetime.now(UTC)) for tag in ("one", "two", "three")}
    far.await_asked(3)
    letters = await_letters(office, 3)
    assert {letter["id"] for letter in letters} == sent
    reasons = {(letter["last_http_status"], letter["reason"]) for letter in letters}
    assert reasons == {(422, "The CRM rejected the message.")}
    first = office.owner.get("/v1/settings/crm/dead-letters", limit=2).json
    rest = office.owner.get("/v1/settings/crm/dead-letters", limit=2, cursor=first["next_cursor"]).json
    assert [*first["items"], *rest["items"]] == letters
    far.answer = lambda _: OK
    path = "/v1/settings/crm/dead-letters"
    assert office.owner.post(f"{path}/{letters[0]['id']}/redrive", {}).json == {"redriven": 1, "has_more": False}
    refused(office.owner.post(f"{path}/{random_bytes.token_hex(16)}/redrive", {}), 404)
    refused(office.owner.post(f"{path}/nonsense/redrive", {}), 404)
    assert office.owner.post(f"{path}/redrive", {}).json == {"redriven": 2, "has_more": False}
    far.await_asked(6)
    assert set(far.writes.values()) == {1}
    assert len(far.writes) == 3
    assert await_letters(office, 0) == []


def await_letters(office: Office, count: int) -> list[dict[str, Any]]:
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < deadline:
        found: list[dict[str, Any]] = office.owner.get("/v1/settings/crm/dead-letters").json["items"]
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} of {count}")


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "webhook"},
        {"kind": "builtin", "url": "https://crm.example.com/"},
        {"kind": "webhook", "url": "crm.example.com"},
        {"kind": "webhook", "url": "ftp://crm.example.com/"},
        {"kind": "webhook", "url": "https://user:password@crm.example.com/"},
        {"kind": "webhook", "url": "https://169.254.169.254/latest"},
        {"kind": "webhook", "url": "https://crm.example.com/\n"},
        {"kind": "webhook", "url": "https://" + "x" * 3000},
        {"kind": "webhook", "url": "https://[::1/"},
        {"kind": "planfix", "url": "https://crm.example.com/"},
        {"kind": "webhook", "url": "https://crm.example.com/", "secret": "mine"},
    ],
)
def test_a_crm_that_can_not_be_is_refused(office: Office, wanted: dict[str, Any]) -> None:
    refused(office.owner.put("/v1/settings/crm", wanted), 400)


def test_an_employee_and_another_tenant_see_nothing_of_it(stack: Stack, office: Office) -> None:
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/dead-letters"),
        ("POST", "/dead-letters/redrive"),
    ):
        refused(office.employee.send(method, "/v1/settings/crm" + path, json={}), 403)
    assert crm.load(office.tenant_id) is None
