"""Contacts. A number belongs to one contact, by a claim that is written with the contact or not at all."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hangtag.errors import ConflictError, NotFoundError
from hangtag.store import outbox
from hangtag.store.clock import iso, now
from hangtag.store.keys import DAY_SHARDS, digest, key, shard
from hangtag.store.models import ContactClaim, ContactItem
from hangtag.store.people import Phone, numbers
from hangtag.store.transact import ContestedError, RefusedError, persistently, transaction

SK = "CONTACT"
LIST = "CONTACTS"
MAX_PHONES = 20


@dataclass(frozen=True, slots=True)
class ContactRef:
    """A contact, as far as a call needs it."""

    id: str
    name: str
    supervisor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's card. `supervisor_id` is the employee responsible; `created_at` ISO 8601 in UTC."""

    id: str
    name: str
    phones: tuple[Phone, ...]
    supervisor_id: str | None
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "phones": [phone.to_json() for phone in self.phones],
            "supervisor_id": self.supervisor_id,
            "created_at": self.created_at,
        }


def create_contact(tenant_id: str, name: str, phones: tuple[Phone, ...], supervisor_id: str | None) -> Contact:
    """A new contact. Raises ConflictError naming the contact that has one of the numbers."""
    contact = Contact(secrets.token_hex(16), name, phones, supervisor_id, iso(now()))
    return persistently(lambda: _create(tenant_id, contact))


def create_unknown(
    tenant_id: str,
    e164: str,
    *,
    name: str | None = None,
    supervisor_id: str | None = None,
    origin: str | None = None,
) -> ContactRef:
    """The contact of a number: the one that has it, else a new one, named as the number if not otherwise.

    However many ask at once, one contact is made: its id is derived from the number, and the number is claimed
    with it. `origin` is the digest of the call that makes it, which may give it its supervisor later.
    """
    phone = Phone(e164, e164, None)
    contact_id = digest("contact", tenant_id, e164)
    contact = Contact(contact_id, name or e164, (phone,), supervisor_id, iso(now()))

    def attempt() -> ContactRef:
        winner = _claim(tenant_id, e164)
        if winner is not None:
            return ContactRef(winner.contact_id, winner.name, winner.supervisor_id)
        try:
            made = _create(tenant_id, contact, origin)
        except ConflictError as lost:
            raise ContestedError from lost
        except IdTakenError:
            # By a contact that gave this number away since.
            made = _create(tenant_id, replace(contact, id=secrets.token_hex(16)), origin)
        return ContactRef(made.id, made.name, made.supervisor_id)

    return persistently(attempt)


def set_supervisor_if_unset(tenant_id: str, contact_id: str, supervisor_id: str, origin: str) -> bool:
    """Give a contact its supervisor, if it has none and the call of this digest made it; whether it did."""

    def attempt() -> bool:
        try:
            item = _load(tenant_id, contact_id)
        except NotFoundError:
            return False
        if item.supervisor_id is not None or item.origin != origin:
            return False
        _update(tenant_id, contact_id, {"supervisor_id": supervisor_id})
        return True

    return persistently(attempt)


class IdTakenError(Exception):
    """There is a contact with this id already."""


def _create(tenant_id: str, contact: Contact, origin: str | None = None) -> Contact:
    item = _item(tenant_id, contact)
    item.origin = origin
    try:
        with transaction() as write:
            for e164 in sorted(numbers(contact.phones)):
                write.save(
                    _new_claim(tenant_id, e164, contact),
                    condition=ContactClaim.pk.does_not_exist(),
                    return_values="ALL_OLD",
                )
            write.save(item, condition=ContactItem.pk.does_not_exist())
            for told in outbox.entries(tenant_id, "contact", contact.id, 1, {"contact": contact.to_json()}, now()):
                write.save(told)
    except RefusedError as refused:
        _raise_if_claimed(refused, None)
        raise IdTakenError from refused
    return contact


def _raise_if_claimed(refused: RefusedError, but_by: str | None) -> None:
    for item in refused.items:
        holder = item.get("contact_id", {}).get("S")
        if holder is not None and holder != but_by:
            raise ConflictError(
                f'the number {item["claimed"]["S"]} is on the contact "{item["name"]["S"]}" ({holder})'
            ) from refused


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Raises NotFoundError."""
    return _contact(_load(tenant_id, contact_id))


def find_by_number(tenant_id: str, e164: str) -> Contact | None:
    """The contact that has exactly this number."""
    claim = _claim(tenant_id, e164)
    if claim is None:
        return None
    try:
        return get_contact(tenant_id, claim.contact_id)
    except NotFoundError:
        return None


def update_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change `name`, `phones` or `supervisor_id`; what is not in `changes` stays.

    Raises NotFoundError, and ConflictError naming the contact that has one of the numbers.
    """
    return persistently(lambda: _update(tenant_id, contact_id, changes))


def _update(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    item = _load(tenant_id, contact_id)
    before = _contact(item)
    after = replace(before, **changes)
    if after == before:
        return before
    old, new = numbers(before.phones), numbers(after.phones)
    shown_changed = (before.name, before.supervisor_id) != (after.name, after.supervisor_id)
    fresh = _item(tenant_id, after)
    fresh.version, fresh.origin = item.version, item.origin
    try:
        with transaction() as write:
            for e164 in sorted(old - new):
                write.delete(ContactClaim(*_claim_key(tenant_id, e164)))
            for e164 in sorted(new if shown_changed else new - old):
                mine = ContactClaim.contact_id == contact_id
                write.save(
                    _new_claim(tenant_id, e164, after),
                    condition=ContactClaim.pk.does_not_exist() | mine,
                    return_values="ALL_OLD",
                )
            # PynamoDB adds the condition that nobody saved another version meanwhile.
            write.save(fresh)
    except RefusedError as refused:
        _raise_if_claimed(refused, contact_id)
        raise ContestedError from refused
    return after


def _load(tenant_id: str, contact_id: str) -> ContactItem:
    try:
        return ContactItem.get(key("T", tenant_id, SK, contact_id), SK, consistent_read=True)
    except ContactItem.DoesNotExist:
        raise NotFoundError("there is no such contact") from None


def _claim_key(tenant_id: str, e164: str) -> tuple[str, str]:
    return key("T", tenant_id, "PHONE", e164), SK


def _claim(tenant_id: str, e164: str) -> ContactClaim | None:
    try:
        return ContactClaim.get(*_claim_key(tenant_id, e164), consistent_read=True)
    except ContactClaim.DoesNotExist:
        return None


def _new_claim(tenant_id: str, e164: str, contact: Contact) -> ContactClaim:
    return ContactClaim(
        *_claim_key(tenant_id, e164),
        contact_id=contact.id,
        name=contact.name,
        supervisor_id=contact.supervisor_id,
        claimed=e164,
    )


def _item(tenant_id: str, contact: Contact) -> ContactItem:
    day = contact.created_at[:10]
    bucket = str(shard(contact.id, DAY_SHARDS))
    shown = contact.to_json()
    return ContactItem(
        key("T", tenant_id, SK, contact.id),
        SK,
        day_key=key("T", tenant_id, LIST, day, bucket),
        day_order=f"{contact.created_at}#{contact.id}",
        body=json.dumps(shown, ensure_ascii=False),
        **shown,
    )


def _contact(item: ContactItem) -> Contact:
    phones = tuple(Phone.from_json(said) for said in item.phones)
    return Contact(item.id, item.name, phones, item.supervisor_id, item.created_at)
