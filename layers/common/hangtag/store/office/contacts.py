"""Contacts. A number is matched to one contact, by a claim written in the contact's transaction.

Several contacts can have one number: the oldest one is matched, and the claim lists the others. When the matched
contact gives the number up, or is deleted, the same transaction matches the next oldest.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pynamodb.transactions import TransactWrite

from hangtag import representation
from hangtag.errors import ConflictError, ErrorCode, NotFoundError
from hangtag.store.crm import outbox
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import DAY_SHARDS, digest, key, shard
from hangtag.store.db.models import ContactClaim, ContactItem, ExternalClaim
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, retry_contested, transaction
from hangtag.store.office.phones import Phone, numbers

SK = "CONTACT"
LIST = "CONTACTS"
EXTERNAL = "EXTERNAL"
MAX_PHONES = 20
# Number of contacts that can share one number, which keeps its claim small.
MAX_HOLDERS = 500


@dataclass(frozen=True, slots=True)
class ContactRef:
    """Reference to a contact, as calls need it."""

    id: str
    name: str
    supervisor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's card. `supervisor_id` is the responsible employee or group; `created_at` is ISO 8601 in UTC.

    `external_id` is the contact's id in another system; it belongs to one contact.
    """

    id: str
    name: str
    phones: tuple[Phone, ...]
    supervisor_id: str | None
    created_at: str
    external_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the contact as the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "phones": [phone.to_json() for phone in self.phones],
            "supervisor_id": self.supervisor_id,
            "external_id": self.external_id,
            "created_at": self.created_at,
        }


def create_contact(
    tenant_id: str,
    name: str,
    phones: tuple[Phone, ...],
    supervisor_id: str | None,
    external_id: str | None = None,
    *,
    contact_id: str | None = None,
    origin: str | None = None,
) -> Contact:
    """Create a contact. Raises ConflictError if another has the external id, or too many share one of the numbers.

    `contact_id` sets the id instead of a random one: IdTakenError if it exists. `origin` identifies the creator.
    """
    new_id = contact_id or secrets.token_hex(16)
    contact = Contact(new_id, name, phones, supervisor_id, iso(now()), external_id)
    return retry_contested(lambda: _create(tenant_id, contact, origin))


def find_by_external_id(tenant_id: str, external_id: str) -> Contact | None:
    """Return the contact with an id of another system, or None."""
    try:
        claim = ExternalClaim.get(*_external_key(tenant_id, external_id), consistent_read=True)
        return get_contact(tenant_id, claim.contact_id)
    except (ExternalClaim.DoesNotExist, NotFoundError):
        return None


def delete_contact(tenant_id: str, contact_id: str) -> None:
    """Delete a contact: its numbers are matched to the next oldest. Tags keep its name, tasks its id.

    Raises NotFoundError.
    """

    def attempt() -> None:
        item = _load(tenant_id, contact_id)
        try:
            with transaction() as write:
                _pass_numbers(write, tenant_id, _contact(item), None)
                write.delete(item)
        except TransactionRejectedError as refused:
            raise ContestedError from refused

    retry_contested(attempt)


def create_unknown(
    tenant_id: str,
    e164: str,
    *,
    name: str | None = None,
    supervisor_id: str | None = None,
    origin: str | None = None,
    external_id: str | None = None,
) -> ContactRef:
    """Return the contact of a number, creating one if necessary, by default named like the number.

    Concurrent requests create one contact: its id is derived from the number, and the number is claimed with it.
    `origin` is the digest of the creating call, which can set its supervisor later. If a contact with this
    `external_id` exists, the number is added to it instead.
    """
    phone = Phone(e164, e164, None)
    contact_id = digest("contact", tenant_id, e164)
    contact = Contact(contact_id, name or e164, (phone,), supervisor_id, iso(now()), external_id)

    def attempt() -> ContactRef:
        winner = _claim(tenant_id, e164)
        if winner is not None:
            return ContactRef(winner.contact_id, winner.name, winner.supervisor_id)
        existing = find_by_external_id(tenant_id, external_id) if external_id is not None else None
        if existing is not None:
            existing = _update(tenant_id, existing.id, lambda contact: _with_phone(contact, phone))
            return ContactRef(existing.id, existing.name, existing.supervisor_id)
        try:
            created = _create(tenant_id, contact, origin, strange=True)
        except IdTakenError:
            # Taken by a contact that gave this number up since.
            created = _create(tenant_id, replace(contact, id=secrets.token_hex(16)), origin, strange=True)
        except ConflictError as error:
            # Another call created the contact of this external id at the same moment.
            raise ContestedError from error
        return ContactRef(created.id, created.name, created.supervisor_id)

    return retry_contested(attempt)


def set_supervisor_if_unset(tenant_id: str, contact_id: str, supervisor_id: str, origin: str) -> bool:
    """Set the supervisor of a contact that has none and was created by the call of this digest; True if set."""

    def attempt() -> bool:
        try:
            item = _load(tenant_id, contact_id)
        except NotFoundError:
            return False
        if item.supervisor_id is not None or item.origin != origin:
            return False
        _update(tenant_id, contact_id, lambda contact: replace(contact, supervisor_id=supervisor_id))
        return True

    return retry_contested(attempt)


class IdTakenError(Exception):
    """A contact with this id exists already."""


def create_unmatched(tenant_id: str, new_contacts: Sequence[tuple[Contact, str]]) -> bool:
    """Create contacts, each with its origin, if their ids, numbers and external ids are free; False otherwise.

    All or none, in one transaction of at most 100 items: see `weight`.
    """
    try:
        with transaction() as write:
            for contact, origin in new_contacts:
                _save_new(write, tenant_id, contact, origin, strange=True)
    except (TransactionRejectedError, ContestedError):
        return False
    return True


def weight(contact: Contact) -> int:
    """Return the maximum number of transaction items of a new contact."""
    return 3 + len(numbers(contact.phones))


def _create(tenant_id: str, contact: Contact, origin: str | None = None, *, strange: bool = False) -> Contact:
    """Create a contact. With `strange`, raise ContestedError unless its numbers are free."""
    try:
        with transaction() as write:
            _save_new(write, tenant_id, contact, origin, strange=strange)
    except TransactionRejectedError as refused:
        _raise_if_taken(refused, contact.id)
        raise ContestedError from refused
    return contact


def _save_new(write: TransactWrite, tenant_id: str, contact: Contact, origin: str | None, *, strange: bool) -> None:
    item = _item(tenant_id, contact)
    item.origin = origin
    write.save(item, condition=ContactItem.pk.does_not_exist(), return_values="ALL_OLD")
    if strange:
        for e164 in sorted(numbers(contact.phones)):
            write.save(_fill(ContactClaim(*_claim_key(tenant_id, e164), claimed=e164), contact))
        _pass_external(write, tenant_id, None, contact)
    else:
        _pass_numbers(write, tenant_id, None, contact)
    message = {**contact.to_json(), "created_at": representation.instant(contact.created_at)}
    for entry in outbox.entries(tenant_id, "contact", contact.id, 1, {"contact": message}, now()):
        write.save(entry)


def _raise_if_taken(refused: TransactionRejectedError, contact_id: str | None) -> None:
    for item in refused.items:
        if item["kind"]["S"] == "contact" and item["id"]["S"] == contact_id:
            raise IdTakenError from refused
        if item["sk"]["S"] == EXTERNAL:
            raise ConflictError(
                f'Contact "{item["name"]["S"]}" ({item["contact_id"]["S"]}) has this external_id.',
                code=ErrorCode.RESOURCE_IN_USE,
            ) from refused


def _pass_numbers(write: TransactWrite, tenant_id: str, before: Contact | None, after: Contact | None) -> None:
    """Update a contact's claims from its old to its new state. Raises ConflictError, ContestedError."""
    of = before or after
    if of is None:
        return
    old = numbers(before.phones) if before else frozenset()
    new = numbers(after.phones) if after else frozenset()
    same = before is not None and after is not None and _claim_data(before) == _claim_data(after)
    heirs: set[str] = set()
    for e164 in sorted(old ^ new if same else old | new):
        _pass_number(write, tenant_id, e164, of, after if e164 in new else None, heirs)
    _pass_external(write, tenant_id, before, after)


def _pass_number(
    write: TransactWrite, tenant_id: str, e164: str, of: Contact, after: Contact | None, heirs: set[str]
) -> None:
    """Update one claim; `after` is None if the contact gives the number up. Versions detect concurrent changes."""
    claim = _claim(tenant_id, e164)
    holders = _holders(claim)
    after_holders = sorted(
        [holder for holder in holders if holder[1] != of.id] + ([(after.created_at, after.id)] if after else [])
    )
    if len(after_holders) > MAX_HOLDERS:
        raise ConflictError(f"{MAX_HOLDERS} contacts have this number already.", code=ErrorCode.NUMBER_LIMIT_REACHED)
    if claim is not None and not after_holders:
        write.delete(claim)
        return
    if not after_holders:
        return
    first = after_holders[0][1]
    if claim is not None and after_holders == holders and first != of.id:
        # The claim is another contact's, and must not become this contact's meanwhile.
        unchanged = (
            ContactClaim.version.does_not_exist() if claim.version is None else ContactClaim.version == claim.version
        )
        write.condition_check(ContactClaim, claim.pk, claim.sk, condition=unchanged)
        return
    fresh = claim or ContactClaim(*_claim_key(tenant_id, e164), claimed=e164)
    if after is not None and first == after.id:
        _fill(fresh, after)
    elif claim is None or claim.contact_id != first:
        _fill(fresh, _heir(write, tenant_id, first, heirs))
    fresh.waiting = [list(holder) for holder in after_holders[1:]]
    write.save(fresh)


def _heir(write: TransactWrite, tenant_id: str, contact_id: str, heirs: set[str]) -> Contact:
    """Return the contact that is matched next, on condition that it does not change until then."""
    try:
        item = _load(tenant_id, contact_id)
    except NotFoundError as gone:
        raise ContestedError from gone
    if contact_id not in heirs:
        heirs.add(contact_id)
        write.condition_check(ContactItem, item.pk, item.sk, condition=ContactItem.version == item.version)
    return _contact(item)


def _pass_external(write: TransactWrite, tenant_id: str, before: Contact | None, after: Contact | None) -> None:
    old = before.external_id if before else None
    new = after.external_id if after else None
    if old is not None and old != new:
        write.delete(ExternalClaim(*_external_key(tenant_id, old)))
    if (
        after is None
        or new is None
        or (before is not None and old == new and _claim_data(before) == _claim_data(after))
    ):
        return
    mine = ExternalClaim.pk.does_not_exist() | (ExternalClaim.contact_id == after.id)
    claim = ExternalClaim(*_external_key(tenant_id, new), claimed=new, contact_id=after.id, name=after.name)
    write.save(claim, condition=mine, return_values="ALL_OLD")


def _claim_data(contact: Contact) -> tuple[str, str | None]:
    """Return the part of a contact that claims contain."""
    return contact.name, contact.supervisor_id


def _fill(claim: ContactClaim, contact: Contact) -> ContactClaim:
    claim.contact_id, claim.since = contact.id, contact.created_at
    claim.name, claim.supervisor_id = _claim_data(contact)
    return claim


def _holders(claim: ContactClaim | None) -> list[tuple[str, str]]:
    """Return the contacts of a number by creation time: the matched one first."""
    if claim is None:
        return []
    return [(claim.since or "", claim.contact_id), *((since, waiting_id) for since, waiting_id in claim.waiting or [])]


def holders(tenant_id: str, e164: str) -> tuple[str, ...]:
    """Return the ids of all contacts with a number, the matched one first."""
    return tuple(contact_id for _, contact_id in _holders(_claim(tenant_id, e164)))


def origins(tenant_id: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Return the existing contacts among these ids, with their origins."""
    places = [(key("T", tenant_id, SK, contact_id), SK) for contact_id in dict.fromkeys(ids)]
    return {item.id: item.origin for item in ContactItem.batch_get(places, consistent_read=True)} if places else {}


def existing_external_ids(tenant_id: str, external_ids: Iterable[str]) -> frozenset[str]:
    """Return the external ids among these that belong to a contact."""
    places = [_external_key(tenant_id, external_id) for external_id in dict.fromkeys(external_ids)]
    claims = ExternalClaim.batch_get(places, consistent_read=True) if places else ()
    return frozenset(claim.claimed for claim in claims)


def match_numbers(tenant_id: str, numbers_e164: Iterable[str]) -> dict[str, str]:
    """Return the ids of the contacts that these numbers (E.164) are matched to."""
    places = [_claim_key(tenant_id, e164) for e164 in dict.fromkeys(numbers_e164)]
    if not places:
        return {}
    return {claim.claimed: claim.contact_id for claim in ContactClaim.batch_get(places, consistent_read=True)}


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Return a contact. Raises NotFoundError."""
    return _contact(_load(tenant_id, contact_id))


def exists(tenant_id: str, contact_id: str) -> bool:
    """Return True if a contact exists."""
    try:
        _load(tenant_id, contact_id)
    except NotFoundError:
        return False
    return True


def origin_of(tenant_id: str, contact_id: str) -> str | None:
    """Return the origin of a contact; None if it is unknown or the contact does not exist."""
    try:
        return _load(tenant_id, contact_id).origin
    except NotFoundError:
        return None


def find_by_number(tenant_id: str, e164: str) -> Contact | None:
    """Return the contact that a number is matched to, or None."""
    claim = _claim(tenant_id, e164)
    if claim is None:
        return None
    try:
        return get_contact(tenant_id, claim.contact_id)
    except NotFoundError:
        return None


def update_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change `name`, `phones`, `supervisor_id` or `external_id`; fields outside `changes` stay.

    Raises NotFoundError, and ConflictError if another has the external id, or too many share one of the numbers.
    """
    return retry_contested(lambda: _update(tenant_id, contact_id, lambda contact: replace(contact, **changes)))


def _with_phone(contact: Contact, phone: Phone) -> Contact:
    """Add a number to a contact, once: another call from it can have been faster."""
    return contact if phone.e164 in numbers(contact.phones) else replace(contact, phones=(*contact.phones, phone))


def _update(tenant_id: str, contact_id: str, change: Callable[[Contact], Contact]) -> Contact:
    """Replace a contact by the result of `change`."""
    item = _load(tenant_id, contact_id)
    before = _contact(item)
    after = change(before)
    if after == before:
        return before
    fresh = _item(tenant_id, after)
    fresh.version, fresh.origin = item.version, item.origin
    try:
        with transaction() as write:
            _pass_numbers(write, tenant_id, before, after)
            # PynamoDB adds the condition that the version is unchanged.
            write.save(fresh)
    except TransactionRejectedError as refused:
        _raise_if_taken(refused, None)
        raise ContestedError from refused
    return after


def _load(tenant_id: str, contact_id: str) -> ContactItem:
    try:
        return ContactItem.get(key("T", tenant_id, SK, contact_id), SK, consistent_read=True)
    except ContactItem.DoesNotExist:
        raise NotFoundError("The contact does not exist.") from None


def _claim_key(tenant_id: str, e164: str) -> tuple[str, str]:
    return key("T", tenant_id, "PHONE", e164), SK


def _claim(tenant_id: str, e164: str) -> ContactClaim | None:
    try:
        return ContactClaim.get(*_claim_key(tenant_id, e164), consistent_read=True)
    except ContactClaim.DoesNotExist:
        return None


def _external_key(tenant_id: str, external_id: str) -> tuple[str, str]:
    return key("T", tenant_id, EXTERNAL, external_id), EXTERNAL


def _item(tenant_id: str, contact: Contact) -> ContactItem:
    shown = contact.to_json()
    return ContactItem(
        key("T", tenant_id, SK, contact.id),
        SK,
        day_key=key("T", tenant_id, LIST, contact.created_at[:10], str(shard(contact.id, DAY_SHARDS))),
        day_order=f"{contact.created_at}#{contact.id}",
        body=json.dumps(shown, ensure_ascii=False),
        **shown,
    )


def _contact(item: ContactItem) -> Contact:
    phones = tuple(Phone.from_json(body) for body in item.phones)
    return Contact(item.id, item.name, phones, item.supervisor_id, item.created_at, item.external_id)
