"""Contacts. A number is matched to one contact, by a claim that is written with the contact or not at all.

Several contacts may have one number: the one that was made first is matched, and the claim lists the others. When that
one gives the number up, or is deleted, the next oldest is matched, by the same transaction.
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
from hangtag.store.db.transact import ContestedError, TransactionRejectedError, persistently, transaction
from hangtag.store.office.phones import Phone, numbers

SK = "CONTACT"
LIST = "CONTACTS"
EXTERNAL = "EXTERNAL"
MAX_PHONES = 20
# How many contacts may have one number, so that its claim stays small.
MAX_HOLDERS = 500


@dataclass(frozen=True, slots=True)
class ContactRef:
    """A contact, as far as a call needs it."""

    id: str
    name: str
    supervisor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's card. `supervisor_id` is the employee or the group responsible; `created_at` ISO 8601 in UTC.

    `external_id` is what another system calls the contact; it belongs to one contact.
    """

    id: str
    name: str
    phones: tuple[Phone, ...]
    supervisor_id: str | None
    created_at: str
    external_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
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
    """A new contact. Raises ConflictError if another has the external id, or too many have one of the numbers.

    `contact_id` fixes an id that is made otherwise: IdTakenError if there is such a contact. `origin` says what made
    it.
    """
    made_id = contact_id or secrets.token_hex(16)
    contact = Contact(made_id, name, phones, supervisor_id, iso(now()), external_id)
    return persistently(lambda: _create(tenant_id, contact, origin))


def find_by_external_id(tenant_id: str, external_id: str) -> Contact | None:
    """The contact that another system calls so."""
    try:
        claim = ExternalClaim.get(*_external_key(tenant_id, external_id), consistent_read=True)
        return get_contact(tenant_id, claim.contact_id)
    except (ExternalClaim.DoesNotExist, NotFoundError):
        return None


def delete_contact(tenant_id: str, contact_id: str) -> None:
    """Delete a contact: its numbers pass to the next oldest that have them. Tags keep its name, tasks its id.

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

    persistently(attempt)


def create_unknown(
    tenant_id: str,
    e164: str,
    *,
    name: str | None = None,
    supervisor_id: str | None = None,
    origin: str | None = None,
    external_id: str | None = None,
) -> ContactRef:
    """The contact of a number: the one that has it, else a new one, named as the number if not otherwise.

    However many ask at once, one contact is made: its id is derived from the number, and the number is claimed
    with it. `origin` is the digest of the call that makes it, which may give it its supervisor later. If there is a
    contact of that `external_id`, the number becomes one of its own instead.
    """
    phone = Phone(e164, e164, None)
    contact_id = digest("contact", tenant_id, e164)
    contact = Contact(contact_id, name or e164, (phone,), supervisor_id, iso(now()), external_id)

    def attempt() -> ContactRef:
        winner = _claim(tenant_id, e164)
        if winner is not None:
            return ContactRef(winner.contact_id, winner.name, winner.supervisor_id)
        known = find_by_external_id(tenant_id, external_id) if external_id is not None else None
        if known is not None:
            known = _update(tenant_id, known.id, lambda contact: _having(contact, phone))
            return ContactRef(known.id, known.name, known.supervisor_id)
        try:
            made = _create(tenant_id, contact, origin, strange=True)
        except IdTakenError:
            # By a contact that gave this number away since.
            made = _create(tenant_id, replace(contact, id=secrets.token_hex(16)), origin, strange=True)
        except ConflictError as error:
            # Another call made the contact of this external id at the same moment.
            raise ContestedError from error
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
        _update(tenant_id, contact_id, lambda contact: replace(contact, supervisor_id=supervisor_id))
        return True

    return persistently(attempt)


class IdTakenError(Exception):
    """There is a contact with this id already."""


def create_strangers(tenant_id: str, made: Sequence[tuple[Contact, str]]) -> bool:
    """Contacts, and what made each, if nobody has their ids, numbers and external ids; false if it can't be.

    All or none, in one transaction of at most 100 items: see `weight`.
    """
    try:
        with transaction() as write:
            for contact, origin in made:
                _save_new(write, tenant_id, contact, origin, strange=True)
    except (TransactionRejectedError, ContestedError):
        return False
    return True


def weight(contact: Contact) -> int:
    """How many items of a transaction a new contact takes at most."""
    return 3 + len(numbers(contact.phones))


def _create(tenant_id: str, contact: Contact, origin: str | None = None, *, strange: bool = False) -> Contact:
    """`strange`: only if nobody has its numbers, else ContestedError."""
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
    for told in outbox.entries(tenant_id, "contact", contact.id, 1, {"contact": message}, now()):
        write.save(told)


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
    """Bring a contact's claims from what it was to what it will be. Raises ConflictError, ContestedError."""
    of = before or after
    if of is None:
        return
    old = numbers(before.phones) if before else frozenset()
    new = numbers(after.phones) if after else frozenset()
    same = before is not None and after is not None and _known(before) == _known(after)
    heirs: set[str] = set()
    for e164 in sorted(old ^ new if same else old | new):
        _pass_number(write, tenant_id, e164, of, after if e164 in new else None, heirs)
    _pass_external(write, tenant_id, before, after)


def _pass_number(
    write: TransactWrite, tenant_id: str, e164: str, of: Contact, after: Contact | None, heirs: set[str]
) -> None:
    """One claim; `after` is None for who gives the number up. The versions hold off who changes it at the same time."""
    claim = _claim(tenant_id, e164)
    holders = _holders(claim)
    wanted = sorted(
        [holder for holder in holders if holder[1] != of.id] + ([(after.created_at, after.id)] if after else [])
    )
    if len(wanted) > MAX_HOLDERS:
        raise ConflictError(
            f"{MAX_HOLDERS} contacts have this number already.", code=ErrorCode.NUMBER_LIMIT_REACHED
        )
    if claim is not None and not wanted:
        write.delete(claim)
        return
    if not wanted:
        return
    first = wanted[0][1]
    if claim is not None and wanted == holders and first != of.id:
        # It is another's, and may not become this contact's meanwhile.
        seen = ContactClaim.version.does_not_exist() if claim.version is None else ContactClaim.version == claim.version
        write.condition_check(ContactClaim, claim.pk, claim.sk, condition=seen)
        return
    fresh = claim or ContactClaim(*_claim_key(tenant_id, e164), claimed=e164)
    if after is not None and first == after.id:
        _fill(fresh, after)
    elif claim is None or claim.contact_id != first:
        _fill(fresh, _heir(write, tenant_id, first, heirs))
    fresh.waiting = [list(holder) for holder in wanted[1:]]
    write.save(fresh)


def _heir(write: TransactWrite, tenant_id: str, contact_id: str, heirs: set[str]) -> Contact:
    """The contact that is matched next; it is not to change until it is."""
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
    if after is None or new is None or (before is not None and old == new and _known(before) == _known(after)):
        return
    mine = ExternalClaim.pk.does_not_exist() | (ExternalClaim.contact_id == after.id)
    claim = ExternalClaim(*_external_key(tenant_id, new), claimed=new, contact_id=after.id, name=after.name)
    write.save(claim, condition=mine, return_values="ALL_OLD")


def _known(contact: Contact) -> tuple[str, str | None]:
    """What claims know of a contact."""
    return contact.name, contact.supervisor_id


def _fill(claim: ContactClaim, contact: Contact) -> ContactClaim:
    claim.contact_id, claim.since = contact.id, contact.created_at
    claim.name, claim.supervisor_id = _known(contact)
    return claim


def _holders(claim: ContactClaim | None) -> list[tuple[str, str]]:
    """Who has a number, by when they were made: the matched one first."""
    if claim is None:
        return []
    return [(claim.since or "", claim.contact_id), *((made, waits) for made, waits in claim.waiting or [])]


def holders(tenant_id: str, e164: str) -> tuple[str, ...]:
    """The ids of all contacts that have a number, the one that it is matched to first."""
    return tuple(contact_id for _, contact_id in _holders(_claim(tenant_id, e164)))


def origins(tenant_id: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Which of these contacts there are, with what made each."""
    places = [(key("T", tenant_id, SK, contact_id), SK) for contact_id in dict.fromkeys(ids)]
    return {item.id: item.origin for item in ContactItem.batch_get(places, consistent_read=True)} if places else {}


def externally_known(tenant_id: str, external_ids: Iterable[str]) -> frozenset[str]:
    """Which of these external ids are some contact's."""
    places = [_external_key(tenant_id, external_id) for external_id in dict.fromkeys(external_ids)]
    found = ExternalClaim.batch_get(places, consistent_read=True) if places else ()
    return frozenset(claim.claimed for claim in found)


def matched(tenant_id: str, wanted: Iterable[str]) -> dict[str, str]:
    """The ids of the contacts that these numbers (E.164) are matched to."""
    places = [_claim_key(tenant_id, e164) for e164 in dict.fromkeys(wanted)]
    if not places:
        return {}
    return {claim.claimed: claim.contact_id for claim in ContactClaim.batch_get(places, consistent_read=True)}


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Raises NotFoundError."""
    return _contact(_load(tenant_id, contact_id))


def exists(tenant_id: str, contact_id: str) -> bool:
    """Whether there is such a contact."""
    try:
        _load(tenant_id, contact_id)
    except NotFoundError:
        return False
    return True


def origin_of(tenant_id: str, contact_id: str) -> str | None:
    """What made a contact; None if nothing is known of it, or there is no such contact."""
    try:
        return _load(tenant_id, contact_id).origin
    except NotFoundError:
        return None


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
    """Change `name`, `phones`, `supervisor_id` or `external_id`; what is not in `changes` stays.

    Raises NotFoundError, and ConflictError if another has the external id, or too many have one of the numbers.
    """
    return persistently(lambda: _update(tenant_id, contact_id, lambda contact: replace(contact, **changes)))


def _having(contact: Contact, phone: Phone) -> Contact:
    """The contact with that number, once: another call from it may have been quicker."""
    return contact if phone.e164 in numbers(contact.phones) else replace(contact, phones=(*contact.phones, phone))


def _update(tenant_id: str, contact_id: str, change: Callable[[Contact], Contact]) -> Contact:
    """Put what `change` makes of the contact as it is in its place."""
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
            # PynamoDB adds the condition that nobody saved another version meanwhile.
            write.save(fresh)
    except TransactionRejectedError as refused:
        _raise_if_taken(refused, None)
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


def _external_key(tenant_id: str, external_id: str) -> tuple[str, str]:
    return key("T", tenant_id, EXTERNAL, external_id), EXTERNAL


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
    return Contact(item.id, item.name, phones, item.supervisor_id, item.created_at, item.external_id)
