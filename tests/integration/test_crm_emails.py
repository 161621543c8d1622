"""Emails about missed calls."""

import json
import secrets as random_bytes
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from crm_outbox import KEYS, write
from hangtag.representation import Names
from hangtag.services.crm.outbox_worker import deliver
from hangtag.services.tags import notifications
from hangtag.settings import MissedCallNotificationSettings
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.crm import outbox
from hangtag.store.office import contacts, employees, tenants
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4639


NAMES = Names(country="RU", partial=True)


def make_missed_call(tenant: str, *names: str) -> MissedCall:
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
    mails_by_account = requests.get(stack.endpoint + "/_ministack/ses/messages", timeout=10).json()["messages"]
    return [mail for sent in mails_by_account.values() for mail in sent if address in mail["To"]]


def test_missed_call_is_emailed_once_to_each_employee(
    stack: Stack, outbox_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    missed = make_missed_call(tenant.id, "anna", "boris")
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


def test_contact_name_cannot_add_headers_to_the_email(outbox_table: str) -> None:
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    contact = contacts.create_contact(tenant.id, "Ivan\r\nBcc: all@example.com", (), None)
    subject, text = notifications.compose(tenant.id, replace(make_missed_call(tenant.id), contact_id=contact.id))
    assert subject == "Missed call from Ivan  Bcc: all@example.com"
    assert text.splitlines()[2:] == [
        "When: 2026-03-02 12:30 (Europe/Moscow)",
        "Number: +74951234567",
        "Line called: +74950000000",
    ]
