"""Who is told of a missed call, and how: the outside CRM, and employees by e-mail.

Both go through the outbox. Each employee is told by e-mail once for a missed call; only if the answer of the mail
service is lost on its way may it be twice, since that service takes no key to know a repeated mail by.
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

# What the mail service says of a mail that it will not take the next time either.
_REFUSED = frozenset({"BadRequestException", "MessageRejected", "NotFoundException"})


def recipients(
    notices: MissedCallNotificationSettings, supervisor_ids: Iterable[str], rung_ids: Iterable[str]
) -> tuple[str, ...]:
    """The employees to be told of a missed call, each once, in the order: supervisors, who was rung, who is named."""
    wanted: list[str] = []
    if notices.supervisor:
        wanted += supervisor_ids
    if notices.ringing_employees:
        wanted += rung_ids
    wanted += notices.employee_ids
    return tuple(dict.fromkeys(wanted))


def puts(
    tenant_id: str, missed: MissedCall, notices: MissedCallNotificationSettings, names: Names
) -> list[dict[str, Any]]:
    """What tells of a missed call, to be written with it: at most two TransactItems of the low-level client."""
    at = now()
    message = {"missed_call": representation.missed_call(missed.to_json(), names)}
    told = outbox.puts(tenant_id, "missed_call", missed.id, 1, message, at)
    if notices.email and missed.recipients and runtime.settings().email_from:
        data = {"missed_call": missed.to_json()}
        told.append(outbox.as_put(outbox.entry(tenant_id, outbox.EMAIL, missed.id, 1, data, at)))
    return told


def email(tenant_id: str, employee_id: str, missed: MissedCall) -> Fault | None:
    """Tell one employee by e-mail. Returns None when the mail service took it, or nobody is there to be told.

    Raises RefusedMailError when trying again is of no use.
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
        return Fault(None, f"the mail service refuses for now ({code})")
    except BotoCoreError:
        return Fault(None, "the mail service did not answer")
    return None


class RefusedMailError(Exception):
    """The mail service will never take this mail; the message is its code."""


def compose(tenant_id: str, missed: MissedCall) -> tuple[str, str]:
    """Subject and text of the mail on a missed call, in the tenant's time zone."""
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
    # A subject is one line, whatever a contact is called.
    return "".join(character if character.isprintable() else " " for character in shown)


def _address(tenant_id: str, employee_id: str) -> str | None:
    try:
        return employees.get_employee(tenant_id, employee_id).email
    except NotFoundError:
        return None


def _mails() -> Any:
    # One attempt: whether a mail whose answer was lost is sent again is decided by the outbox.
    return client.make("sesv2", connect=2.0, read=5.0, attempts=1)
