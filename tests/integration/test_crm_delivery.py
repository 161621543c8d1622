"""Delivery of messages to an external CRM that is slow, fails or loses its responses, with a simulated clock."""

import itertools
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from crm_outbox import HOUR, KEYS, START, Clock, items, put_tag, run_queue, tenant_with
from fake_crm import DOWN, OK, CrmResponse, FakeCrm, Message
from hangtag.crm import config, lookup
from hangtag.observability import logger
from hangtag.services.crm.outbox_worker import deliver
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.db import client
from hangtag.store.office import tenants
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4636


# ------------------------------------------------------------------ a day of errors


def test_crm_receives_each_tag_once_after_a_day_of_errors(
    stack: Stack, outbox_table: str, external_crm: FakeCrm
) -> None:
    tenant, clock = tenant_with(external_crm), Clock()
    recovers = START + timedelta(days=1)
    external_crm.respond = lambda _: DOWN if clock.now < recovers else OK
    tags = {f"tag-{number}": START + number * 10 * HOUR for number in range(3)}
    messages = [(at, put_tag(tenant, tag, at)) for tag, at in tags.items()]
    ended = run_queue(tenant, messages, START + timedelta(hours=30), clock)
    assert external_crm.writes == {(tag, 1): 1 for tag in tags}
    assert recovers <= ended < recovers + 2 * HOUR
    # Pauses of at most 15 minutes, without a flood of requests.
    assert 30 < len(external_crm.messages) < 200
    assert {message.headers["webhook-id"] for message in external_crm.messages} == {message for _, message in messages}
    assert {message.payload["revision"] for message in external_crm.messages} == {1}
    assert len({message.text for message in external_crm.messages}) == len(tags)
    (key,) = config.signing_secrets(tenant, config.require(tenant), START)
    for message in external_crm.messages:
        sent = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
        signed = Webhook(key).sign(message.headers["webhook-id"], sent, message.text)
        assert message.headers["webhook-signature"] == signed
    assert {item["sk"]["S"] for item in items(stack, outbox_table, tenant)} == {"DELIVERED"}
    assert breaker.health(tenant) == breaker.Health(0, None, None, None)


def test_lost_responses_leave_one_tag_at_the_crm(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    external_crm.respond = lambda _: CrmResponse(lost=len(external_crm.messages) < 3)
    run_queue(tenant, [(START, put_tag(tenant, "tag", START))], START + HOUR)
    assert len(external_crm.messages) == 4
    assert len({message.headers["webhook-id"] for message in external_crm.messages}) == 1
    assert external_crm.writes == {("tag", 1): 1}


def test_undelivered_message_is_a_dead_letter_after_30_hours(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant, clock = tenant_with(external_crm), Clock()
    external_crm.respond = lambda _: CrmResponse(503, accepted=False)
    message = put_tag(tenant, "tag", START)
    ended = run_queue(tenant, [(START, message)], START + 33 * HOUR, clock)
    assert ended >= START + 30 * HOUR
    (letter,), following = outbox.list_dead_letters(tenant, 10, None)
    assert (letter["id"], letter["last_status"], letter["reason"], following) == (
        message,
        503,
        "The CRM returned a server error.",
        None,
    )
    assert deliver(tenant, message, ended + HOUR) is None
    external_crm.respond = lambda _: OK
    assert outbox.redrive(tenant, message, ended + HOUR)
    assert not outbox.redrive(tenant, message, ended + HOUR)
    run_queue(tenant, [(ended + HOUR, message)], ended + 3 * HOUR)
    assert external_crm.writes == {("tag", 1): 1}
    assert outbox.list_dead_letters(tenant, 10, None) == ([], None)


# ------------------------------------------------------------------ responses


@pytest.mark.parametrize("status", [400, 413, 422])
def test_message_rejected_for_good_is_a_dead_letter_at_once(
    outbox_table: str, external_crm: FakeCrm, status: int
) -> None:
    tenant = tenant_with(external_crm)
    external_crm.respond = lambda _: CrmResponse(status, accepted=False)
    assert deliver(tenant, put_tag(tenant, "tag", START), START) is None
    assert [letter["last_status"] for letter in outbox.list_dead_letters(tenant, 10, None)[0]] == [status]
    assert breaker.health(tenant).failures == 0


@pytest.mark.parametrize("retry_after", ["600", "Mon, 02 Mar 2026 09:40:00 GMT"])
def test_retry_after_delays_all_messages_of_the_tenant(
    outbox_table: str, external_crm: FakeCrm, retry_after: str
) -> None:
    tenant = tenant_with(external_crm)
    first, second = (put_tag(tenant, tag, START) for tag in ("one", "two"))
    external_crm.respond = lambda _: CrmResponse(429, headers={"retry-after": retry_after}, accepted=False)
    assert deliver(tenant, first, START) == 600
    external_crm.respond = lambda _: OK
    for minute in range(10):
        waits = [deliver(tenant, message, START + timedelta(minutes=minute)) for message in (first, second)]
        assert None not in waits
    assert len(external_crm.messages) == 1
    run_queue(tenant, [(START + timedelta(minutes=10), message) for message in (first, second)], START + HOUR)
    assert external_crm.writes == {("one", 1): 1, ("two", 1): 1}


def test_revision_older_than_the_delivered_one_is_dropped(
    stack: Stack, outbox_table: str, external_crm: FakeCrm
) -> None:
    tenant = tenant_with(external_crm)
    first = put_tag(tenant, "tag", START)
    external_crm.respond = lambda _: DOWN
    assert deliver(tenant, first, START) is not None
    second = put_tag(tenant, "tag", START, revision=2)
    external_crm.respond = lambda _: OK
    assert deliver(tenant, second, START) is None
    assert deliver(tenant, first, START + HOUR) is None
    assert [message.payload["revision"] for message in external_crm.messages] == [1, 2]
    assert [item["sk"]["S"] for item in items(stack, outbox_table, tenant)] == ["DELIVERED"]


def test_concurrent_duplicate_messages_are_sent_once(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    message = put_tag(tenant, "tag", START)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: deliver(tenant, message, START), range(8))).count(None) >= 1
    assert len(external_crm.messages) == 1


def test_endless_responses_or_redirects_are_failures(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    message = put_tag(tenant, "tag", START)
    external_crm.respond = lambda _: CrmResponse(200, b"x" * 1_000_000, accepted=False)
    wait = deliver(tenant, message, START)
    assert wait is not None
    external_crm.respond = lambda _: CrmResponse(307, headers={"location": external_crm.url}, accepted=False)
    assert deliver(tenant, message, START + HOUR) is not None
    assert len(external_crm.messages) == 2
    assert "final URL" in (breaker.health(tenant).fault or outbox.Fault(None, "")).reason


# ------------------------------------------------------------------ circuit breaker


def test_failing_crm_is_paused_for_its_own_tenant_only(outbox_table: str, external_crm: FakeCrm) -> None:
    failing, well = tenant_with(external_crm), tenant_with(external_crm)
    external_crm.respond = lambda message: DOWN if message.payload["tenant"] == failing else OK
    messages = [put_tag(failing, f"tag-{number}", START) for number in range(8)]
    waits = [deliver(failing, message, START) for message in messages]
    assert None not in waits
    assert len(external_crm.messages) == breaker.THRESHOLD
    assert deliver(well, put_tag(well, "tag", START), START) is None
    assert breaker.health(failing).paused_until == START + timedelta(seconds=30)


def test_one_successful_probe_ends_the_pause_of_a_crm(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    messages = [put_tag(tenant, f"tag-{number}", START) for number in range(12)]
    external_crm.respond = lambda _: DOWN
    for message in messages:
        deliver(tenant, message, START)
    before = len(external_crm.messages)
    later = START + HOUR
    external_crm.respond = lambda _: CrmResponse(500, accepted=False, stalls=True)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(deliver, tenant, message, later) for message in messages]
        external_crm.await_messages(before + 1)
        external_crm.ended.set()
        assert all(one.result() is not None for one in tries)
    assert len(external_crm.messages) == before + 1
    external_crm.respond = lambda _: OK
    run_queue(tenant, [(later + HOUR, message) for message in messages], later + 3 * HOUR)
    assert len(external_crm.writes) == 12


def test_concurrent_workers_send_one_probe_after_a_pause(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    for _ in range(breaker.THRESHOLD):
        breaker.record_failure(breaker.Pass(tenant, None), START, outbox.Fault(500, "The CRM failed."))
    over = START + timedelta(seconds=30)
    assert breaker.health(tenant).paused_until == over
    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(lambda _: breaker._probe(tenant, over, over, lambda: 0.5), range(8)))
    assert entered.count(breaker.Pass(tenant, None, probe=True)) == 1
    assert entered.count(breaker.Wait(45.0, paused=True)) == 7


def test_slow_crm_occupies_a_limited_number_of_workers(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    messages = [put_tag(tenant, f"tag-{number}", START) for number in range(breaker.SLOTS + 4)]
    external_crm.respond = lambda _: CrmResponse(stalls=True)
    with ThreadPoolExecutor(len(messages)) as pool:
        tries = [pool.submit(deliver, tenant, message, START) for message in messages]
        # These workers end while the CRM still delays the responses to the others.
        waits = [one.result() for one in itertools.islice(as_completed(tries, timeout=20), 4)]
        external_crm.ended.set()
    assert all(wait is not None and 2 <= wait <= 10 for wait in waits)
    assert 1 <= len(external_crm.messages) <= breaker.SLOTS
    external_crm.respond = lambda _: OK
    run_queue(tenant, [(START + HOUR, message) for message in messages], START + 2 * HOUR)
    assert set(external_crm.writes.values()) == {1}
    assert len(external_crm.writes) == len(messages)


def test_rejected_signature_is_reported_until_it_is_accepted(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    message = put_tag(tenant, "tag", START)
    external_crm.respond = lambda _: CrmResponse(401, accepted=False)
    assert deliver(tenant, message, START) is not None
    health = breaker.health(tenant)
    assert (health.failures, health.fault) == (
        1,
        outbox.Fault(401, "The CRM rejected the signature. Check the secret there."),
    )
    external_crm.respond = lambda _: OK
    assert deliver(tenant, message, START + HOUR) is None
    assert breaker.health(tenant) == breaker.Health(0, None, None, None)


def test_crm_logs_contain_no_address_body_or_secret(outbox_table: str, external_crm: FakeCrm) -> None:
    lines: list[str] = []

    class RecordedLogs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(repr(record.__dict__))

    handler = RecordedLogs()
    logger.addHandler(handler)
    try:
        tenant = tenant_with(external_crm)
        responses = iter(
            [DOWN, CrmResponse(401), CrmResponse(lost=True), CrmResponse(200, b"x" * 200_000), CrmResponse(307), OK]
        )
        external_crm.respond = lambda _: next(responses, OK)
        messages = [put_tag(tenant, f"tag-{number}", START) for number in range(3)]
        run_queue(tenant, [(START, message) for message in messages], START + 3 * HOUR)
        external_crm.respond = lambda _: CrmResponse(500, b"echo: +74951234567")
        lookup.find_contact(tenant, "+74951234567")
        secret = config.signing_secrets(tenant, config.require(tenant), START)[0]
    finally:
        logging.getLogger(logger.name).removeHandler(handler)
    assert len(lines) > 6
    logged = "\n".join(lines)
    assert [
        word for word in ("in-the-query", "127.0.0.1", "Иван", "74951234567", secret, "v1,") if word in logged
    ] == []


# ------------------------------------------------------------------ death of the worker


class WorkerDiedError(Exception):
    """Simulated end of the worker process."""


@contextmanager
def worker_dies(at_call: int, *, after: bool) -> Iterator[list[str]]:
    """Raise at the n-th call of the table, before it is sent or after it took effect."""
    calls: list[str] = []
    event = "after-call.dynamodb" if after else "before-call.dynamodb"

    def raise_at_call(model: Any, **_: Any) -> None:
        calls.append(model.name)
        if len(calls) == at_call:
            raise WorkerDiedError

    events = client.dynamodb().meta.events
    events.register(event, raise_at_call)
    try:
        yield calls
    finally:
        events.unregister(event, raise_at_call)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", [OK, DOWN], ids=["accepted", "failed"])
def test_message_is_delivered_once_if_its_worker_dies(
    outbox_table: str, external_crm: FakeCrm, first: CrmResponse, after: bool
) -> None:
    tenant = tenant_with(external_crm)
    for at_call in range(1, 20):
        tag = f"tag-{at_call}"
        at = START + at_call * 24 * HOUR
        message = put_tag(tenant, tag, at)
        crm.load(tenant)
        external_crm.respond = lambda _: first
        with worker_dies(at_call, after=after) as calls, suppress(WorkerDiedError):
            deliver(tenant, message, at)
        external_crm.respond = lambda _: OK
        run_queue(tenant, [(at + timedelta(seconds=180), message)], at + HOUR)
        assert external_crm.writes[tag, 1] == 1
        if len(calls) < at_call:
            break
    assert at_call >= 5
    assert set(external_crm.writes.values()) == {1}


# ------------------------------------------------------------------ dead letters


def test_message_erased_during_delivery_leaves_no_items(stack: Stack, outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    message = put_tag(tenant, "tag", START)

    def erase(_: Message) -> CrmResponse:
        for item in items(stack, outbox_table, tenant):
            client.dynamodb().delete_item(TableName=outbox_table, Key={"pk": item["pk"], "sk": item["sk"]})
        return OK

    external_crm.respond = erase
    assert deliver(tenant, message, START) is None
    assert deliver(tenant, message, START) is None
    assert items(stack, outbox_table, tenant) == []


def test_disconnected_crm_makes_waiting_messages_dead_letters(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    assert outbox.puts(tenant.id, "tag", "tag", 1, {}, START) == []
    other = tenant_with(external_crm)
    message = put_tag(other, "tag", START)
    config.disconnect(other, "owner")
    assert deliver(other, message, START) is None
    assert [letter["reason"] for letter in outbox.list_dead_letters(other, 10, None)[0]] == [
        "The external CRM was disconnected."
    ]


def test_dead_letters_are_listed_newest_first_in_pages(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    external_crm.respond = lambda _: CrmResponse(422, accepted=False)
    moments = [START + number * HOUR for number in range(5)]
    sent = [put_tag(tenant, f"tag-{at:%H}", at) for at in moments]
    for at, message in zip(moments, sent, strict=True):
        deliver(tenant, message, at)
    listed: list[str] = []
    before: str | None = None
    for _ in range(3):
        page, before = outbox.list_dead_letters(tenant, 2, before)
        listed += [letter["id"] for letter in page]
    assert listed == sent[::-1]
