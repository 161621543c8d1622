"""Notifications of missed calls: to the external CRM, and to employees by e-mail.

Both go through the outbox. Each employee receives one e-mail for a missed call. A lost response of the mail service can
cause a second one, because the service has no idempotency key.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from hangtag import representation, runtime
from hangtag.errors import NotFoundError
from hangtag.representation import Names
from hangtag.settings import MissedCallNotificationSettings
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.crm import outbox
from hangtag.store.crm.outbox import Fault
from hangtag.store.db import client
from hangtag.store.db.clock import now
from hangtag.store.office import contacts, employees
from hangtag.store.office.tenants import get_tenant

__all__ = ["email", "puts", "recipients"]

# Error codes of the mail service for which a retry does not help.
_REFUSED = frozenset({"BadRequestException", "MessageRejected", "NotFoundException"})


def recipients(
    notices: MissedCallNotificationSettings, supervisor_ids: Iterable[str], rung_ids: Iterable[str]
) -> tuple[str, ...]:
    """Return the employees to notify of a missed call: supervisors, rung employees, configured ones; no duplicates."""
    employee_ids: list[str] = []
    if notices.supervisor:
        employee_ids += supervisor_ids
    if notices.ringing_employees:
        employee_ids += rung_ids
    employee_ids += notices.employee_ids
    return tuple(dict.fromkeys(employee_ids))


def puts(
    tenant_id: str, missed: MissedCall, notices: MissedCallNotificationSettings, names: Names
) -> list[dict[str, Any]]:
    """Return the notifications to write with a missed call: at most two TransactItems of the low-level client."""
    at = now()
    payload = {"missed_call": representation.missed_call(missed.to_json(), names)}
    messages = outbox.puts(tenant_id, "missed_call", missed.id, 1, payload, at)
    if notices.email and missed.recipients and runtime.settings().email_from:
        data = {"missed_call": missed.to_json()}
        messages.append(outbox.as_put(outbox.entry(tenant_id, outbox.EMAIL, missed.id, 1, data, at)))
    return messages


def email(tenant_id: str, employee_id: str, missed: MissedCall) -> Fault | None:
    """Send one employee the e-mail. Return None if the mail service accepted it, or the employee has no address.

    Raises RefusedMailError if a retry would not help.
    """
    sender = runtime.settings().email_from
    address = _address(tenant_id, employee_id)
    if not sender or address is None:
        return None
    subject, text = compose(tenant_id, missed)
    try:
        _mails().send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [address]},
            Content={
                "Simple": {
                    "Subject": {"Data": subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                }
            },
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSED:
            raise RefusedMailError(code) from error
        return Fault(None, f"The mail service rejected the e-mail for now ({code}).")
    except BotoCoreError:
        return Fault(None, "The mail service did not answer.")
    return None


class RefusedMailError(Exception):
    """A permanent rejection by the mail service; the message is its error code."""


def compose(tenant_id: str, missed: MissedCall) -> tuple[str, str]:
    """Return subject and text of the e-mail about a missed call, in the tenant's time zone."""
    who = _who(tenant_id, missed)
    zone = ZoneInfo(get_tenant(tenant_id).time_zone)
    at = datetime.fromisoformat(missed.at).astimezone(zone)
    lines = [f"Missed call from {who}", "", f"When: {at:%Y-%m-%d %H:%M} ({zone.key})"]
    if missed.number:
        lines.append(f"Number: {missed.number}")
    if missed.line:
        lines.append(f"Line called: {missed.line}")
    return f"Missed call from {who}", "\n".join(lines) + "\n"


def _who(tenant_id: str, missed: MissedCall) -> str:
    name = None
    if missed.contact_id is not None:
        try:
            name = contacts.get_contact(tenant_id, missed.contact_id).name
        except NotFoundError:
            name = None
    shown = name or missed.number or "a withheld number"
    # A subject is one line; a contact's name can contain line breaks.
    return "".join(character if character.isprintable() else " " for character in shown)


def _address(tenant_id: str, employee_id: str) -> str | None:
    try:
        return employees.get_employee(tenant_id, employee_id).email
    except NotFoundError:
        return None


def _mails() -> Any:
    # One attempt: the outbox decides about retries.
    return client.make("sesv2", connect=2.0, read=5.0, attempts=1)
