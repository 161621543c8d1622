"""Store of the office on a table: concurrent claims, participants, webhook endpoints, erasure."""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from hangtag import secrets
from hangtag.auth import secret_hash, token_hash
from hangtag.errors import ConflictError, NotFoundError
from hangtag.hours import Hours, Span
from hangtag.phone import normalise
from hangtag.providers.base import WebhookRequest
from hangtag.settings import TagPlacementSettings, TelephonySettings
from hangtag.store.calls import active_calls
from hangtag.store.db import client
from hangtag.store.db.keys import key
from hangtag.store.integrations import endpoints, integrations, request_log
from hangtag.store.integrations.endpoint_items import Needs
from hangtag.store.office import contacts, employees, groups, lines, participants, routing, settings, tenants, tokens
from hangtag.store.office.employees import Employee, Extension
from hangtag.store.office.phones import Phone
from hangtag.store.office.routing import CallerRoute, Router
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4605
KEYS = "k" * 64
T = TypeVar("T")


@pytest.fixture(scope="module", autouse=True)
def table(stack: Stack, environment: pytest.MonkeyPatch) -> str:
    """Name of the table of the store in this process."""
    return stack.table


@pytest.fixture
def tenant() -> str:
    created, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    return created.id


@pytest.fixture
def pbx(tenant: str) -> integrations.NewIntegration:
    credentials = {"pbx_token": "typed"}
    return integrations.create_integration(
        tenant, "telephony_api", "PBX", credentials, {}, Needs(made_secrets=("planfix_token",)), KEYS, "owner"
    )


def phone(e164: str) -> Phone:
    return Phone(e164, e164, None)


def hire(tenant: str, name: str, *extensions: Extension, phones: tuple[str, ...] = ()) -> Employee:
    return employees.create_employee(
        tenant,
        name=name,
        email=None,
        role="employee",
        phones=tuple(phone(number) for number in phones),
        extensions=extensions,
    )


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work` in `count` threads that start together."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        barrier.wait(60)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def items_of(tenant: str, table: str) -> list[Any]:
    pages = client.dynamodb().get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"] if tenant in json.dumps(item, default=str)]


# ------------------------------------------------------------------ claims


def test_concurrent_calls_of_one_number_create_one_contact(tenant: str, table: str) -> None:
    created = at_once(16, lambda _: contacts.create_unknown(tenant, "+79990000001"))
    assert len(set(created)) == 1
    assert created[0].name == "+79990000001"
    assert len([item for item in items_of(tenant, table) if item["kind"]["S"] == "contact"]) == 1
    assert contacts.create_unknown(tenant, "+79990000001") == created[0]


def test_call_of_a_known_number_keeps_its_contact(tenant: str) -> None:
    ivan = contacts.create_contact(tenant, "Ivan", (phone("+79990000001"),), None)
    contact = contacts.create_unknown(tenant, "+79990000001", supervisor_id="0" * 16)
    assert (contact.id, contact.name) == (ivan.id, "Ivan")


def test_released_number_becomes_another_contact(tenant: str) -> None:
    first = contacts.create_unknown(tenant, "+79990000001")
    contacts.update_contact(tenant, first.id, {"phones": ()})
    second = contacts.create_unknown(tenant, "+79990000001")
    assert second.id != first.id
    assert contacts.find_by_number(tenant, "+79990000001") == contacts.get_contact(tenant, second.id)


def test_concurrent_changes_match_numbers_to_the_oldest_contact(tenant: str) -> None:
    numbers = [f"+7999000000{digit}" for digit in range(4)]
    people = [contacts.create_contact(tenant, f"Contact {number}", (), None) for number in range(4)]

    def take(place: int) -> None:
        person = people[place % 4]
        owned_phones = tuple(phone(number) for number in numbers[place % 3 : place % 3 + 2])
        try:
            contacts.update_contact(tenant, person.id, {"phones": owned_phones})
        except ConflictError:
            contacts.update_contact(tenant, person.id, {"phones": ()})

    for _ in range(3):
        at_once(8, take)
    held = {number: contacts.find_by_number(tenant, number) for number in numbers}
    now = sorted((contacts.get_contact(tenant, person.id) for person in people), key=lambda one: one.created_at)
    for number, holder in held.items():
        owners = [person for person in now if number in [owned.e164 for owned in person.phones]]
        assert holder == (owners[0] if owners else None)


def test_concurrent_changes_of_different_fields_are_merged(tenant: str) -> None:
    ivan = contacts.create_contact(tenant, "Ivan", (phone("+79990000001"),), None)
    changes = ({"name": "Ivan II"}, {"phones": (phone("+79990000002"),)}, {"supervisor_id": "a" * 16})
    at_once(3, lambda place: contacts.update_contact(tenant, ivan.id, changes[place]))
    now = contacts.get_contact(tenant, ivan.id)
    assert (now.name, now.supervisor_id, [owned.e164 for owned in now.phones]) == (
        "Ivan II",
        "a" * 16,
        ["+79990000002"],
    )
    assert contacts.create_unknown(tenant, "+79990000002").name == "Ivan II"


def test_concurrent_claims_of_an_extension_have_one_winner(tenant: str, pbx: integrations.NewIntegration) -> None:
    extension = Extension(pbx.integration.id, "101")

    def attempt(number: int) -> bool:
        try:
            hire(tenant, f"Employee {number}", extension)
        except ConflictError:
            return False
        return True

    assert sorted(at_once(8, attempt)) == [False] * 7 + [True]


def test_extensions_with_separators_do_not_collide(tenant: str) -> None:
    hire(tenant, "Anna", Extension("a", "b#c"))
    hire(tenant, "Boris", Extension("a#b", "c"))
    result = participants.find_participants(tenant, "a#b", frozenset({"c", "b#c"}), None, None)
    assert [(name, ref.name) for name, ref in result.employees.items()] == [("c", "Boris")]


# ------------------------------------------------------------------ participants


def test_participants_of_a_call_include_contact_with_line(
    tenant: str, pbx: integrations.NewIntegration, table: str
) -> None:
    of_pbx = pbx.integration.id
    anna = hire(tenant, "Anna", Extension(of_pbx, "101"), Extension(of_pbx, "102"), phones=("+79100000101",))
    hire(tenant, "Boris", Extension("0" * 16, "103"))
    ivan = contacts.create_contact(tenant, "Ivan", (phone("+74951234567"),), anna.id)
    lines.put_line(tenant, lines.Line("+74957770000", "Sales", None))
    expected_settings = TelephonySettings(settle_seconds=3, attach=TagPlacementSettings(hidden=True))
    settings.save_settings(tenant, expected_settings)
    result = participants.find_participants(
        tenant, of_pbx, frozenset({"101", "102", "103", "104"}), "+74951234567", "8 (495) 777-00-00"
    )
    assert {name: (ref.id, ref.name) for name, ref in result.employees.items()} == {
        "101": (anna.id, "Anna"),
        "102": (anna.id, "Anna"),
    }
    assert result.contact == contacts.ContactRef(ivan.id, "Ivan", anna.id)
    assert result.employee_of_number is None
    assert (result.line_name, result.country, result.time_zone) == ("Sales", "RU", "Europe/Moscow")
    assert result.settings == expected_settings
    employee_calls = participants.find_participants(tenant, of_pbx, frozenset(), "+79100000101", None)
    assert (employee_calls.employee_of_number, employee_calls.contact) == (anna.id, None)


def test_participants_of_an_empty_tenant_have_defaults(tenant: str) -> None:
    result = participants.find_participants(tenant, "0" * 16, frozenset(), None, None)
    assert (result.employees, result.contact, result.line_name) == ({}, None, None)
    assert result.settings == TelephonySettings()


def test_participants_of_250_extensions_are_complete(tenant: str, pbx: integrations.NewIntegration) -> None:
    names = [str(number) for number in range(1000, 1250)]
    for start in range(0, 250, 25):
        hire(tenant, f"Group {start}", *(Extension(pbx.integration.id, name) for name in names[start : start + 25]))
    result = participants.find_participants(tenant, pbx.integration.id, frozenset(names), "+74951234567", "line")
    assert sorted(result.employees) == names


def test_participants_have_the_current_name_of_an_employee(tenant: str, pbx: integrations.NewIntegration) -> None:
    anna = hire(tenant, "Anna", Extension(pbx.integration.id, "101"))
    employees.update_employee(tenant, anna.id, {"name": "Anna Petrova"})
    result = participants.find_participants(tenant, pbx.integration.id, frozenset({"101"}), None, None)
    assert result.employees["101"].name == "Anna Petrova"


def test_line_is_found_in_the_notation_of_the_pbx(tenant: str) -> None:
    lines.put_line(tenant, lines.Line("trunk-1", "Reception", None))
    assert participants.find_participants(tenant, "0" * 16, frozenset(), None, "trunk-1").line_name == "Reception"
    assert participants.find_participants(tenant, "0" * 16, frozenset(), None, "trunk-2").line_name is None


def test_participants_of_an_erased_tenant_are_an_error() -> None:
    with pytest.raises(NotFoundError):
        participants.find_participants("0" * 16, "0" * 16, frozenset(), None, None)


# ------------------------------------------------------------------ webhook endpoints


def test_endpoint_contains_its_tenant_with_verification_keys(
    tenant: str, pbx: integrations.NewIntegration, table: str
) -> None:
    endpoint = endpoints.find_endpoint(token_hash(pbx.secrets.token))
    assert endpoint is not None
    assert 86300 < endpoint.set_up_until - time.time() <= 86400
    assert replace(endpoint, set_up_until=0.0) == endpoints.WebhookEndpoint(
        tenant,
        pbx.integration.id,
        "telephony_api",
        "RU",
        {"planfix_token": (secret_hash(pbx.secrets.secrets["planfix_token"]),)},
    )
    assert endpoints.find_endpoint(token_hash("unknown")) is None


def test_expired_webhook_endpoint_is_unknown(pbx: integrations.NewIntegration, table: str) -> None:
    hashed = token_hash(pbx.secrets.token)
    client.dynamodb().update_item(
        TableName=table,
        Key={"pk": {"S": key("TOKEN", hashed)}, "sk": {"S": "HOOK"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 1)}},
    )
    assert endpoints.find_endpoint(hashed) is None


def test_webhook_endpoint_is_read_once_a_minute(pbx: integrations.NewIntegration, table: str) -> None:
    reads = []
    reader = client.dynamodb()
    reader.meta.events.register("before-call.dynamodb.GetItem", lambda **_: reads.append(1), unique_id="count")
    try:
        for _ in range(5):
            assert endpoints.find_endpoint(token_hash(pbx.secrets.token)) is not None
            assert endpoints.find_endpoint(token_hash("unknown" + pbx.secrets.token)) is None
    finally:
        reader.meta.events.unregister("before-call.dynamodb.GetItem", unique_id="count")
    assert len(reads) == 2


def test_caller_lookup_returns_the_supervisors_extension(
    tenant: str, pbx: integrations.NewIntegration, table: str
) -> None:
    anna = hire(tenant, "Anna", Extension("0" * 16, "900"), Extension(pbx.integration.id, "101"))
    contacts.create_contact(tenant, "Ivan", (phone("+74951234567"),), anna.id)
    contacts.create_contact(tenant, "Oleg", (phone("+74951234568"),), None)

    def card(number: str, integration: str = pbx.integration.id) -> CallerRoute | None:
        return Router(client.dynamodb(), tenant, integration).find(number)

    assert card("+74951234567") == CallerRoute("Ivan", "101")
    assert card("+74951234567", "0" * 16) == CallerRoute("Ivan", "900")
    assert card("+74951234567", "1" * 16) == CallerRoute("Ivan", None)
    assert card("+74951234568") == CallerRoute("Oleg", None)
    assert card("+74951234569") is None


WEEK = Hours("Europe/Moscow", tuple(Span(day, "09:00", "18:00") for day in ("mon", "tue", "wed", "thu", "fri")))
MONDAY_NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MONDAY_NIGHT = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


def route(tenant: str, pbx: integrations.NewIntegration, table: str, mode: str, at: datetime) -> str | None:
    """Return the extension for calls of +74951234567, with empty caches."""
    changed = TelephonySettings.model_validate({"routing": {"mode": mode}})
    settings.save_settings(tenant, changed)
    for cache in (routing._rules, routing._people, routing._groups):
        cache.clear()
    target = Router(client.dynamodb(), tenant, pbx.integration.id).find("+74951234567", at)
    assert target is not None
    return target.extension


def test_caller_is_routed_by_the_working_hours(tenant: str, pbx: integrations.NewIntegration, table: str) -> None:
    boris = hire(tenant, "Boris", Extension(pbx.integration.id, "102"))
    anna = hire(tenant, "Anna", Extension(pbx.integration.id, "101"))
    employees.update_employee(tenant, anna.id, {"working_hours": WEEK, "deputy_id": boris.id})
    contacts.create_contact(tenant, "Ivan", (phone("+74951234567"),), anna.id)
    assert route(tenant, pbx, table, "off", MONDAY_NOON) is None
    assert route(tenant, pbx, table, "on", MONDAY_NIGHT) == "101"
    assert route(tenant, pbx, table, "working_hours", MONDAY_NOON) == "101"
    assert route(tenant, pbx, table, "working_hours", MONDAY_NIGHT) == "102"
    employees.update_employee(tenant, boris.id, {"working_hours": WEEK})
    assert route(tenant, pbx, table, "working_hours", MONDAY_NIGHT) is None


def test_caller_of_a_group_is_routed_to_the_first_free_member(
    tenant: str, pbx: integrations.NewIntegration, table: str
) -> None:
    people = [hire(tenant, name, Extension(pbx.integration.id, name)) for name in ("201", "202")]
    group = groups.create_group(tenant, "Support", tuple(person.id for person in people))
    contacts.create_contact(tenant, "Ivan", (phone("+74951234567"),), group.id)
    assert route(tenant, pbx, table, "on", MONDAY_NOON) == "201"
    active_calls.mark(tenant, pbx.integration.id, "201", "call")
    assert route(tenant, pbx, table, "on", MONDAY_NOON) == "202"
    active_calls.mark(tenant, pbx.integration.id, "202", "other")
    assert route(tenant, pbx, table, "on", MONDAY_NOON) is None
    active_calls.clear(tenant, pbx.integration.id, "201", "call")
    assert route(tenant, pbx, table, "on", MONDAY_NOON) == "201"


# ------------------------------------------------------------------ secrets


def test_credentials_are_decrypted_only_for_their_integration(tenant: str, pbx: integrations.NewIntegration) -> None:
    assert integrations.load_credentials(tenant, pbx.integration.id) == {"pbx_token": "typed"}
    sealed = secrets.encrypt(tenant, "one", {"pbx_token": "typed"})
    assert secrets.decrypt(tenant, "one", sealed) == {"pbx_token": "typed"}
    for other in ((tenant, "two"), ("other", "one")):
        with pytest.raises(ClientError, match="InvalidCiphertext"):
            secrets.decrypt(*other, sealed)


# ------------------------------------------------------------------ request log


def test_request_log_lists_a_week_newest_first(tenant: str, table: str) -> None:
    for minute in range(3):
        appended = request_log.append(
            tenant_id=tenant,
            integration_id="i",
            address="a" * 64,
            request=WebhookRequest(
                method="POST",
                path="/tel/api/***",
                query="",
                headers={},
                body=b"planfix_token=abc&n=" + str(minute).encode(),
                arrived_at=datetime(2026, 1, 1, 12, minute, tzinfo=UTC),
            ),
            status=400,
            reason="cmd is missing",
            log_reason="error",
        )
        assert appended
    shown, following = request_log.list_entries(tenant, "i", 2, None)
    assert [one.body for one in shown] == ["planfix_token=***&n=2", "planfix_token=***&n=1"]
    assert shown[0].received_at == "2026-01-01T12:02:00.000+00:00"
    rest, end = request_log.list_entries(tenant, "i", 2, following)
    assert [one.body for one in rest] == ["planfix_token=***&n=0"]
    assert end is None
    item = next(item for item in items_of(tenant, table) if item["kind"]["S"] == "delivery")
    assert int(item["expires_at"]["N"]) // 86400 == int(datetime(2026, 1, 8, tzinfo=UTC).timestamp()) // 86400


# ------------------------------------------------------------------ tokens and erasing


def test_token_of_a_deleted_employee_has_no_holder(tenant: str, table: str) -> None:
    anna = hire(tenant, "Anna")
    created = tokens.create_token(tenant, anna.id, "employee", KEYS, "owner")
    assert tokens.find_holder(token_hash(created.token)) == tokens.Holder(tenant, anna.id, "employee")
    assert tokens.find_holder(token_hash("unknown")) is None
    client.dynamodb().delete_item(
        TableName=table, Key={"pk": {"S": key("T", tenant)}, "sk": {"S": key("EMPLOYEE", anna.id)}}
    )
    assert tokens.find_holder(token_hash(created.token)) is None


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_tenant_erasure_resumes_after_a_timeout(
    tenant: str, pbx: integrations.NewIntegration, table: str, steps: int
) -> None:
    anna = hire(tenant, "Anna", Extension(pbx.integration.id, "101"), phones=("+79100000101",))
    tokens.create_token(tenant, anna.id, "employee", KEYS, "owner")
    for number in range(30):
        contacts.create_unknown(tenant, f"+799900000{number:02d}")
    left = steps

    def has_time() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    rounds = 0
    while not tenants.erase_tenant(tenant, has_time):
        rounds += 1
        # The number of steps grows, because a fixed number could never get past the first one.
        left = steps + rounds
        assert rounds < 100
    assert items_of(tenant, table) == []
    with pytest.raises(NotFoundError):
        tenants.load_tenant(tenant)


def test_contact_is_found_by_a_number_in_national_format(tenant: str) -> None:
    read = normalise("8 (999) 000-00-01", "RU")
    assert read is not None
    created = contacts.create_unknown(tenant, read.e164)
    assert contacts.find_by_number(tenant, "+79990000001") == contacts.get_contact(tenant, created.id)
    assert os.environ["TABLE_NAME"]
