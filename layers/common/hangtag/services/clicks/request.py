"""Step 0 of a call that an employee starts: whom to call, from which phone, and whether that is allowed.

The answer comes at once; the PBX is asked by `flow/originate.py`, and what it then reports is joined to the click by
`flow/clicked.py`.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from hangtag import runtime
from hangtag.errors import (
    BadInputError,
    FieldError,
    FieldErrorCode,
    NoPhoneError,
    NotCalledError,
    NotFoundError,
    TooManyError,
    UnprocessableError,
)
from hangtag.phone import country_of, dialled, is_emergency, is_premium, normalise
from hangtag.providers import optional
from hangtag.providers.base import Limit
from hangtag.settings import ClickToCallSettings
from hangtag.store.calls import clicks
from hangtag.store.calls import items as calls
from hangtag.store.calls.clicks import Click
from hangtag.store.db import client
from hangtag.store.db.clock import now
from hangtag.store.db.keys import digest
from hangtag.store.db.listing import by_contact
from hangtag.store.integrations import integrations
from hangtag.store.integrations.rate_limits import TableLimiter
from hangtag.store.office import contacts, employees, settings, tasks
from hangtag.store.office.tenants import get_tenant

__all__ = ["Wanted", "begin"]

# Why an employee's phone can't be rung.
NO_EMPLOYEE = "your token is no employee's, so that there is no phone of yours to ring first"
NO_EXTENSION = "you have no extension at a PBX: an admin adds it to your card"
NO_ORIGINATE = "the PBX of your extension can't be asked to call: an admin enters what it needs for that"
# How many of a contact's entries are looked at for the last line used with it.
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an employee asked for: one of `to`, `contact_id` and `task_id` at the least.

    `to` is a number in any format; `integration_id` chooses the PBX.
    """

    to: str | None = None
    contact_id: str | None = None
    task_id: str | None = None
    integration_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Party:
    """Whom to call: the number in E.164, and the contact, if it is one."""

    number: str
    contact: contacts.Contact | None


@dataclass(frozen=True, slots=True)
class _Phone:
    """From where: an extension at a PBX, and the own number to show, if one was used with that contact before."""

    extension: str
    integration: integrations.Integration
    line: str | None


def begin(tenant_id: str, employee_id: str | None, wanted: Wanted, idempotency_key: str | None) -> Click:
    """Take a click: check it, write it down, and have the PBX asked. The same key makes the same click.

    Raises BadInputError, NotFoundError, NoPhoneError, NotCalledError, TooManyError, ConflictError (a call is being
    placed from that phone), UnprocessableError (the key stood for another request), and botocore's errors.
    """
    request = digest("request", json.dumps([wanted.to, wanted.contact_id, wanted.task_id, wanted.integration_id]))
    click_id = _click_id(tenant_id, employee_id, idempotency_key)
    kept = clicks.find(tenant_id, click_id) if idempotency_key is not None else None
    if kept is None:
        kept = clicks.begin(_new(tenant_id, employee_id, wanted, click_id, request))
    if kept.request != request:
        raise UnprocessableError("this Idempotency-Key stood for another request")
    if kept.state is clicks.State.WAITING:
        _send(kept)
    return kept


def _click_id(tenant_id: str, employee_id: str | None, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return secrets.token_hex(16)
    return digest("click", tenant_id, employee_id or "", hashlib.sha256(idempotency_key.encode()).hexdigest())


def _new(tenant_id: str, employee_id: str | None, wanted: Wanted, click_id: str, request: str) -> Click:
    country = get_tenant(tenant_id).country
    rules = settings.load_settings(tenant_id).calling
    party = _party(tenant_id, wanted, country)
    if wanted.integration_id is not None:
        _check_integration(tenant_id, wanted.integration_id)
    _check_allowed(party.number, rules)
    if employee_id is None:
        raise NoPhoneError(NO_EMPLOYEE, _tel(party.number))
    employee = employees.get_employee(tenant_id, employee_id)
    phone = _phone(tenant_id, employee, party, wanted.integration_id)
    _check_often(tenant_id, employee_id, rules)
    pbx = phone.integration
    dial = dialled(party.number, country, pbx.settings.get("dial_format"))
    return Click(
        id=click_id,
        tenant_id=tenant_id,
        integration_id=pbx.id,
        provider=pbx.provider,
        employee_id=employee.id,
        employee_name=employee.name,
        extension=phone.extension,
        number=party.number,
        dial=str(pbx.settings.get("dial_prefix") or "") + dial,
        line=phone.line,
        contact_id=party.contact.id if party.contact else None,
        contact_name=party.contact.name if party.contact else None,
        task_id=wanted.task_id,
        at=clicks.moment(now()),
        request=request,
    )


def _send(click: Click) -> None:
    """Have the PBX asked now, and have the click looked at again when the PBX should have told of it."""
    body = {"tenant": click.tenant_id, "click": click.id}
    for task, delay in (("place", 0), ("close", int(clicks.WINDOW.total_seconds()))):
        client.make("sqs").send_message(
            QueueUrl=runtime.settings().originate_queue_url,
            MessageBody=json.dumps({"task": task, **body}),
            DelaySeconds=delay,
        )


# ------------------------------------------------------------------ whom


def _party(tenant_id: str, wanted: Wanted, country: str) -> _Party:
    if wanted.to is not None and is_emergency(wanted.to, country):
        raise NotCalledError("emergency numbers are dialled by hand", f"tel:{wanted.to.strip()}")
    task = _task(tenant_id, wanted.task_id) if wanted.task_id is not None else None
    contact = _contact(tenant_id, wanted.contact_id) if wanted.contact_id is not None else None
    if wanted.to is not None:
        number = normalise(wanted.to, country)
        if number is None:
            raise BadInputError(
                "the number can't be called",
                (FieldError("to", FieldErrorCode.INVALID_PHONE, "it is no number that can be called"),),
            )
        return _Party(number.e164, contact or contacts.find_by_number(tenant_id, number.e164))
    if contact is not None:
        if not contact.phones:
            raise BadInputError(
                "the contact has no number", (FieldError("contact_id", FieldErrorCode.REQUIRED, "it has no number"),)
            )
        return _Party(contact.phones[0].e164, contact)
    if task is None:
        raise BadInputError(
            "whom to call is missing",
            (FieldError("to", FieldErrorCode.REQUIRED, "one of to, contact_id and task_id is needed"),),
        )
    found = next(_with_number(tenant_id, task), None)
    if found is None:
        raise BadInputError(
            "nobody of the task can be called",
            (FieldError("task_id", FieldErrorCode.REQUIRED, "no contact with a number"),),
        )
    return _Party(found.phones[0].e164, found)


def _task(tenant_id: str, task_id: str) -> tasks.Task:
    try:
        return tasks.get_task(tenant_id, task_id)
    except NotFoundError:
        raise BadInputError(
            "there is no such task", (FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "there is no such task"),)
        ) from None


def _contact(tenant_id: str, contact_id: str) -> contacts.Contact:
    try:
        return contacts.get_contact(tenant_id, contact_id)
    except NotFoundError:
        field = FieldError("contact_id", FieldErrorCode.UNKNOWN_CONTACT, "there is no such contact")
        raise BadInputError("there is no such contact", (field,)) from None


def _with_number(tenant_id: str, task: tasks.Task) -> Iterator[contacts.Contact]:
    for contact_id in task.contact_ids:
        try:
            contact = contacts.get_contact(tenant_id, contact_id)
        except NotFoundError:
            continue
        if contact.phones:
            yield contact


# ------------------------------------------------------------------ whether


def _check_integration(tenant_id: str, integration_id: str) -> None:
    """Raises BadInputError."""
    try:
        integrations.get_integration(tenant_id, integration_id)
    except NotFoundError:
        field = FieldError("integration_id", FieldErrorCode.UNKNOWN_INTEGRATION, "there is no such integration")
        raise BadInputError("there is no such integration", (field,)) from None


def _check_allowed(number: str, rules: ClickToCallSettings) -> None:
    """Raises NotCalledError."""
    if is_premium(number) and not rules.premium:
        raise NotCalledError("numbers at a premium rate are not called by a click")
    country = country_of(number)
    if rules.countries is not None and country not in rules.countries:
        where = f"to {country}" if country else "to networks of no country"
        raise NotCalledError(f"calls {where} are not allowed")


def _check_often(tenant_id: str, employee_id: str, rules: ClickToCallSettings) -> None:
    """Raises TooManyError."""
    limiter = TableLimiter(tenant_id, "clicks")
    for name, most in (
        (f"employee:{employee_id}", rules.employee_per_minute),
        ("tenant", rules.tenant_per_minute),
    ):
        wait = limiter.take(name, Limit(most, 60))
        if wait > 0:
            raise TooManyError(f"too many calls were started; try again in {round(wait) or 1} seconds")


# ------------------------------------------------------------------ from where


def _phone(tenant_id: str, employee: employees.Employee, party: _Party, integration_id: str | None) -> _Phone:
    """The last line used with that contact, if the employee has a phone there; else the first extension on the card.

    Only PBXs that can be asked to call count. Raises NoPhoneError.
    """
    tel = _tel(party.number)
    held = [one for one in employee.extensions if integration_id in (None, one.integration_id)]
    if not held:
        raise NoPhoneError(NO_EXTENSION, tel)
    able = list(_able(tenant_id, held))
    if not able:
        raise NoPhoneError(NO_ORIGINATE, tel)
    for used, line in _used_with(tenant_id, party.contact):
        found = next((phone for phone in able if phone.integration.id == used), None)
        if found is not None:
            return _Phone(found.extension, found.integration, line)
    return able[0]


def _able(tenant_id: str, held: list[employees.Extension]) -> Iterator[_Phone]:
    for one in held:
        try:
            integration = integrations.get_integration(tenant_id, one.integration_id)
        except NotFoundError:
            continue
        if optional(integration.provider, "originate") is not None and _has_credentials(tenant_id, integration):
            yield _Phone(one.extension, integration, None)


def _has_credentials(tenant_id: str, integration: integrations.Integration) -> bool:
    """Whether the admin entered what this PBX needs to be asked to call."""
    needed = optional(integration.provider, "ORIGINATES_WITH") or ()
    if not needed:
        return True
    typed = integrations.load_credentials(tenant_id, integration.id)
    return all(typed.get(name) for name in needed)


def _used_with(tenant_id: str, contact: contacts.Contact | None) -> Iterator[tuple[str, str | None]]:
    """The integrations of the last calls with a contact, the newest first, and the own number of each call."""
    if contact is None:
        return
    entries, _ = by_contact(tenant_id, contact.id, None, _LOOKED_AT, lambda kind, _: kind == "tag")
    for _, tag in entries:
        place = clicks.place_of(tenant_id, tag["call_id"])
        item = calls.read(place) if place is not None else None
        if item is not None:
            yield item.integration_id, item.fold().line


def _tel(number: str) -> str:
    """The link that calls a number from whatever phone there is (RFC 3966)."""
    return f"tel:{number}"
