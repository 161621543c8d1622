"""Validation of a click-to-call request: the number, the phone that rings first, and the tenant's rules.

The request returns at once. `services.clicks.originate` places the call at the PBX; `services.tags.match_click` matches
the events that the PBX then reports.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from hangtag import runtime
from hangtag.errors import (
    BadInputError,
    ErrorCode,
    FieldError,
    FieldErrorCode,
    NoPhoneError,
    NotCalledError,
    NotFoundError,
    TooManyError,
    UnprocessableError,
)
from hangtag.limits import Limit
from hangtag.phone import country_of, dialled, is_emergency, is_premium, normalise
from hangtag.providers import load
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

__all__ = ["Target", "begin"]

# Reasons why an employee's phone cannot ring.
NO_EMPLOYEE = "The token has no employee whose phone could ring. Use an employee's token."
NO_EXTENSION = "You have no extension at a PBX. Ask an admin to add one to your card."  # prose: ok
NO_ORIGINATE = "The PBX of your extension cannot place calls. Ask an admin to enter its credentials."  # prose: ok
# Entries of a contact that are read to find the line of the last call.
_MAX_ENTRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The party to call: at least one of `to`, `contact_id` and `task_id`.

    `to` is a number in any format; `integration_id` selects the PBX.
    """

    to: str | None = None
    contact_id: str | None = None
    task_id: str | None = None
    integration_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Party:
    """The party to call: the number in E.164, and its contact or None."""

    number: str
    contact: contacts.Contact | None


@dataclass(frozen=True, slots=True)
class _Phone:
    """The phone that rings first: an extension at a PBX, and the own number of the last call with the contact."""

    extension: str
    integration: integrations.Integration
    line: str | None


def begin(tenant_id: str, employee_id: str | None, target: Target, idempotency_key: str | None) -> Click:
    """Validate a request, store it and queue it for the PBX. Requests with the same key are one click-to-call.

    Raises BadInputError, NotFoundError, NoPhoneError, NotCalledError, TooManyError, ConflictError (a call is being
    placed from that phone), UnprocessableError (the key was used for another request), and botocore's errors.
    """
    request = digest("request", json.dumps([target.to, target.contact_id, target.task_id, target.integration_id]))
    click_id = _click_id(tenant_id, employee_id, idempotency_key)
    click = clicks.find(tenant_id, click_id) if idempotency_key is not None else None
    if click is None:
        click = clicks.begin(_new(tenant_id, employee_id, target, click_id, request))
    if click.request != request:
        raise UnprocessableError("This Idempotency-Key was used for another request. Use a new key.")
    if click.state is clicks.State.WAITING:
        _send(click)
    return click


def _click_id(tenant_id: str, employee_id: str | None, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return secrets.token_hex(16)
    return digest("click", tenant_id, employee_id or "", hashlib.sha256(idempotency_key.encode()).hexdigest())


def _new(tenant_id: str, employee_id: str | None, target: Target, click_id: str, request: str) -> Click:
    country = get_tenant(tenant_id).country
    rules = settings.load_settings(tenant_id).calling
    party = _party(tenant_id, target, country)
    if target.integration_id is not None:
        _check_integration(tenant_id, target.integration_id)
    _check_allowed(party.number, rules)
    if employee_id is None:
        raise NoPhoneError(NO_EMPLOYEE, _tel(party.number))
    employee = employees.get_employee(tenant_id, employee_id)
    phone = _phone(tenant_id, employee, party, target.integration_id)
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
        task_id=target.task_id,
        at=clicks.moment(now()),
        request=request,
    )


def _send(click: Click) -> None:
    """Queue the call for the PBX now, and a later check that the PBX reported it."""
    body = {"tenant": click.tenant_id, "click": click.id}
    for task, delay in (("place", 0), ("close", int(clicks.WINDOW.total_seconds()))):
        client.make("sqs").send_message(
            QueueUrl=runtime.settings().originate_queue_url,
            MessageBody=json.dumps({"task": task, **body}),
            DelaySeconds=delay,
        )


# ------------------------------------------------------------------ the party to call


def _party(tenant_id: str, target: Target, country: str) -> _Party:
    if target.to is not None and is_emergency(target.to, country):
        raise NotCalledError(
            "Emergency numbers cannot be called from Hangtag. Dial the number by hand.",
            f"tel:{target.to.strip()}",
            code=ErrorCode.EMERGENCY_NUMBER,
        )
    task = _task(tenant_id, target.task_id) if target.task_id is not None else None
    contact = _contact(tenant_id, target.contact_id) if target.contact_id is not None else None
    if target.to is not None:
        number = normalise(target.to, country)
        if number is None:
            raise BadInputError(
                "The phone number cannot be called.",
                (
                    FieldError(
                        "to",
                        FieldErrorCode.INVALID_PHONE,
                        "The phone number cannot be called. Enter it with its country code.",
                    ),
                ),
            )
        return _Party(number.e164, contact or contacts.find_by_number(tenant_id, number.e164))
    if contact is not None:
        if not contact.phones:
            raise BadInputError(
                "The contact has no phone number.",
                (FieldError("contact_id", FieldErrorCode.REQUIRED, "The contact has no phone number."),),
            )
        return _Party(contact.phones[0].e164, contact)
    if task is None:
        raise BadInputError(
            "The party to call is missing. Set to, contact_id or task_id.",
            (FieldError("to", FieldErrorCode.REQUIRED, "Set to, contact_id or task_id."),),
        )
    contact = next(_with_number(tenant_id, task), None)
    if contact is None:
        raise BadInputError(
            "No contact of the task has a phone number.",
            (FieldError("task_id", FieldErrorCode.REQUIRED, "No contact of the task has a phone number."),),
        )
    return _Party(contact.phones[0].e164, contact)


def _task(tenant_id: str, task_id: str) -> tasks.Task:
    try:
        return tasks.get_task(tenant_id, task_id)
    except NotFoundError:
        raise BadInputError(
            "Unknown task.", (FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "Unknown task."),)
        ) from None


def _contact(tenant_id: str, contact_id: str) -> contacts.Contact:
    try:
        return contacts.get_contact(tenant_id, contact_id)
    except NotFoundError:
        field = FieldError("contact_id", FieldErrorCode.UNKNOWN_CONTACT, "Unknown contact.")
        raise BadInputError("Unknown contact.", (field,)) from None


def _with_number(tenant_id: str, task: tasks.Task) -> Iterator[contacts.Contact]:
    for contact_id in task.contact_ids:
        try:
            contact = contacts.get_contact(tenant_id, contact_id)
        except NotFoundError:
            continue
        if contact.phones:
            yield contact


# ------------------------------------------------------------------ rules


def _check_integration(tenant_id: str, integration_id: str) -> None:
    """Raise BadInputError for an unknown integration."""
    try:
        integrations.get_integration(tenant_id, integration_id)
    except NotFoundError:
        field = FieldError("integration_id", FieldErrorCode.UNKNOWN_INTEGRATION, "Unknown integration.")
        raise BadInputError("Unknown integration.", (field,)) from None


def _check_allowed(number: str, rules: ClickToCallSettings) -> None:
    """Raise NotCalledError for a number that the tenant's settings exclude."""
    if is_premium(number) and not rules.allow_premium_rate:
        raise NotCalledError("Premium-rate numbers cannot be called from Hangtag.", code=ErrorCode.PREMIUM_NUMBER)
    country = country_of(number)
    if rules.countries is not None and country not in rules.countries:
        place = country or "networks without a country"
        raise NotCalledError(f"Calls to {place} are not allowed.", code=ErrorCode.COUNTRY_NOT_ALLOWED)


def _check_often(tenant_id: str, employee_id: str, rules: ClickToCallSettings) -> None:
    """Raise TooManyError above the tenant's rates."""
    limiter = TableLimiter(tenant_id, "clicks")
    for name, most in (
        (f"employee:{employee_id}", rules.employee_per_minute),
        ("tenant", rules.tenant_per_minute),
    ):
        wait = limiter.take(name, Limit(most, 60))
        if wait > 0:
            raise TooManyError(f"Too many calls were started. Try again in {round(wait) or 1} seconds.")


# ------------------------------------------------------------------ the phone that rings first


def _phone(tenant_id: str, employee: employees.Employee, party: _Party, integration_id: str | None) -> _Phone:
    """Return the phone at the PBX of the last call with the contact; without one, the first extension on the card.

    Only PBXs that can place calls count. Raises NoPhoneError.
    """
    tel = _tel(party.number)
    extensions = [one for one in employee.extensions if integration_id in (None, one.integration_id)]
    if not extensions:
        raise NoPhoneError(NO_EXTENSION, tel)
    phones = list(_able(tenant_id, extensions))
    if not phones:
        raise NoPhoneError(NO_ORIGINATE, tel, code=ErrorCode.ORIGINATE_UNSUPPORTED)
    for last_used, line in _used_with(tenant_id, party.contact):
        match = next((phone for phone in phones if phone.integration.id == last_used), None)
        if match is not None:
            return _Phone(match.extension, match.integration, line)
    return phones[0]


def _able(tenant_id: str, extensions: list[employees.Extension]) -> Iterator[_Phone]:
    for one in extensions:
        try:
            integration = integrations.get_integration(tenant_id, one.integration_id)
        except NotFoundError:
            continue
        if load(integration.provider).supports("originate") and _has_credentials(tenant_id, integration):
            yield _Phone(one.extension, integration, None)


def _has_credentials(tenant_id: str, integration: integrations.Integration) -> bool:
    """Return True if the integration has the credentials that its PBX requires to place calls."""
    needed = load(integration.provider).originate_credentials
    if not needed:
        return True
    credentials = integrations.load_credentials(tenant_id, integration.id)
    return all(credentials.get(name) for name in needed)


def _used_with(tenant_id: str, contact: contacts.Contact | None) -> Iterator[tuple[str, str | None]]:
    """Yield the integration and the own number of each of the last calls with a contact, newest first."""
    if contact is None:
        return
    entries, _ = by_contact(tenant_id, contact.id, None, _MAX_ENTRIES, lambda kind, _: kind == "tag")
    for _, tag in entries:
        place = clicks.find_call_key(tenant_id, tag["call_id"])
        item = calls.read(place) if place is not None else None
        if item is not None:
            yield item.integration_id, item.fold().line


def _tel(number: str) -> str:
    """Return the link that dials a number from another phone (RFC 3966)."""
    return f"tel:{number}"
