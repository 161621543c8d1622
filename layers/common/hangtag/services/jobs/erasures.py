"""Job that erases a person's data by phone number. It can be repeated at any time and continues where it stopped.

Erased are the contacts with the number, their tags and comments, missed calls, clicks, undelivered messages, logged
webhook requests, recordings without a retention hold, export files and report files. Calls stay for reports, without
the number and the data; tasks stay, without the contact and without the number in the title. The contacts' other
numbers are erased too, unless another contact has them.

The contacts are deleted last, because a repetition finds the other data by them. Only the job's message contains the
number; the receipt has a digest of it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag import runtime
from hangtag.domain.calls.event import CallEvent, encode
from hangtag.domain.calls.fold import Recording, fold
from hangtag.errors import NotFoundError
from hangtag.runtime import logger
from hangtag.services.calls.view import recordings_view
from hangtag.services.jobs.redact import Scrubber
from hangtag.services.reports import file as report_file
from hangtag.store.calls import clicks, missed_calls, recordings
from hangtag.store.calls import items as calls
from hangtag.store.calls.events import EVENT_PREFIX
from hangtag.store.calls.items import CallItem, CallKey
from hangtag.store.calls.recording_states import PREFIX as KEPT_PREFIX
from hangtag.store.db import audit, client, files
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import DAY_SHARDS, key
from hangtag.store.office import comments, contacts, tasks, tenants
from hangtag.store.privacy import erasures
from hangtag.store.reports import files as report_files
from hangtag.store.reports import first_calls, sums

_CLOCK = timedelta(days=3)
_ATTEMPTS = 8
LISTS = ("CALLS", clicks.LIST, "TAGS", "COMMENTS", "TASKS", "OUTBOX", *map(missed_calls.word, missed_calls.STATES))
Item = Mapping[str, Any]


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Continue an erasure (`tenant`, `id`, `number`) while there is time. Raises botocore's errors."""
    tenant_id, erasure_id = message["tenant"], message["id"]
    try:
        tenant = tenants.load_tenant(tenant_id)
        item = erasures.load(tenant_id, erasure_id)
    except NotFoundError:
        # The tenant was erased in the meantime.
        return
    if item.state == erasures.DONE:
        return
    oldest = datetime.fromisoformat(tenant.created_at).date() - _CLOCK
    done = _Erasure(tenant_id, message["number"], item).run(oldest, has_time)
    if not done:
        client.make("sqs").send_message(
            QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(dict(message))
        )
    logger.info("erasure.advanced", extra={"tenant": tenant_id, "erasure": erasure_id, "done": done})


@dataclass(frozen=True, slots=True)
class _Person:
    """The person to erase: the contacts' ids, and patterns of the numbers."""

    contact_ids: frozenset[str]
    scrubbers: tuple[Scrubber, ...]

    def is_in(self, text: str) -> bool:
        return any(scrubber.holds(text) for scrubber in self.scrubbers)

    def clean(self, value: Any) -> Any:
        for scrubber in self.scrubbers:
            value = scrubber.clean_all(value)
        return value


class _Erasure:
    """One erasure in progress."""

    def __init__(self, tenant_id: str, e164: str, item: erasures.ErasureItem) -> None:
        self._tenant_id = tenant_id
        self._number = e164
        self._item = item
        self._counts: Counter[str] = Counter(item.counts)
        self._table = client.table()

    def run(self, oldest: date, has_time: Callable[[], bool]) -> bool:
        """Erase until the end or until time is up. Return True at the end."""
        contacts_by_id = {entry["id"]: entry for entry in self._contacts()}
        person = self._person(contacts_by_id)
        day = date.fromisoformat(self._item.day) if self._item.day else datetime.now(UTC).date() + _CLOCK
        while day >= oldest:
            if not has_time():
                self._save(day)
                return False
            self._erase_day(day, person)
            sums.remove_contacts(self._tenant_id, day, person.contact_ids)
            day -= timedelta(days=1)
        for call in calls.live_calls(self._tenant_id):
            self._scrub_call(call, person)
        self._erase_windows(person)
        self._erase_webhook_requests(person)
        self._erase_exports()
        # A job that is writing a report file finds its item deleted, and deletes the file.
        for entry in self._partition(key("T", self._tenant_id), key(report_files.WORD, "")):
            self._delete(entry["pk"]["S"], entry["sk"]["S"], None)
        files.erase_prefix(runtime.settings().files_bucket, report_file.folder(self._tenant_id), lambda: True)
        for contact in contacts_by_id.values():
            self._erase_contact(contact)
        for number in {scrubber.e164 for scrubber in person.scrubbers}:
            # The partition also has the time of the latest talk with the number.
            self._erase_partition(key("T", self._tenant_id, missed_calls.WORD, number), None)
        self._finish()
        return True

    def _save(self, day: date) -> None:
        self._item.day = day.isoformat()
        self._item.counts = dict(self._counts)
        self._item.save()

    def _finish(self) -> None:
        audit.record(self._tenant_id, self._item.who, "contact.erased", self._item.id)
        self._item.state = erasures.DONE
        self._item.counts = dict(self._counts)
        self._item.finished_at = iso(now())
        self._item.day = None
        self._item.save()

    # -------------------------------------------------------------- the person

    def _contacts(self) -> Iterator[Item]:
        """Yield the contacts with the number, matched or not."""
        for contact_id in contacts.holders(self._tenant_id, self._number):
            try:
                yield contacts.get_contact(self._tenant_id, contact_id).to_json()
            except NotFoundError:
                continue

    def _person(self, entry: Mapping[str, Item]) -> _Person:
        numbers = {self._number}
        for contact in entry.values():
            numbers |= {phone["e164"] for phone in contact["phones"]}
        own = {number for number in numbers if number == self._number or self._is_only(number, entry)}
        return _Person(frozenset(entry), tuple(Scrubber(number) for number in sorted(own)))

    def _is_only(self, number: str, entry: Mapping[str, Item]) -> bool:
        """Return True if no other contact or employee has the number."""
        claims = self._partition(key("T", self._tenant_id, "PHONE", number))
        is_employees = any("employee_id" in claim for claim in claims)
        return not is_employees and entry.keys() >= set(contacts.holders(self._tenant_id, number))

    # -------------------------------------------------------------- by day

    def _erase_day(self, day: date, person: _Person) -> None:
        for word in LISTS:
            for number in range(DAY_SHARDS):
                of = key("T", self._tenant_id, word, day.isoformat(), str(number))
                for entry in self._query(
                    IndexName="day",
                    KeyConditionExpression="day_key = :of",
                    ExpressionAttributeValues={":of": {"S": of}},
                ):
                    self._erase_listed(word, entry, person)

    def _erase_listed(self, word: str, entry: Item, person: _Person) -> None:
        """Erase or clean one entry of a day's list."""
        text = entry["body"]["S"] if "body" in entry else ""
        body = json.loads(text) if text else {}
        place = entry["pk"]["S"], entry["sk"]["S"]
        if word == "OUTBOX":
            self._erase_message(place, person)
        elif word == "CALLS":
            self._scrub_call(CallKey(*place), person)
        elif word == "TASKS":
            self._scrub_task(body, person)
        elif body.get("contact_id") in person.contact_ids or person.is_in(text):
            self._erase_entry(word, place, body)

    def _erase_entry(self, word: str, place: tuple[str, str], body: Item) -> None:
        """Erase a tag, a comment, a click or a missed call; tags and comments can have a copy at their task."""
        if word == "TAGS":
            for write in tasks.tag_puts(self._tenant_id, None, body):
                client.dynamodb().delete_item(**write["Delete"])
            self._delete(*place, "tag")
        elif word == "COMMENTS":
            if body["task_id"]:
                self._delete(key("T", self._tenant_id, "TASK", body["task_id"]), comments.place(body), None)
            self._delete(*place, "comment")
        elif word == clicks.LIST:
            clicks.erase(self._tenant_id, body["id"])
        else:
            self._delete(*place, "missed_call")

    def _erase_message(self, place: tuple[str, str], person: _Person) -> None:
        entry = client.dynamodb().get_item(
            TableName=self._table, Key={"pk": {"S": place[0]}, "sk": {"S": place[1]}}, ConsistentRead=True
        )
        text = entry.get("Item", {}).get("message", {}).get("S", "")
        if person.is_in(text) or any(contact_id in text for contact_id in person.contact_ids):
            self._delete(*place, "message")

    def _scrub_task(self, body: Item, person: _Person) -> None:
        cleaned = person.clean(dict(body))
        remaining = tuple(one for one in body["contact_ids"] if one not in person.contact_ids)
        if cleaned == body and len(remaining) == len(body["contact_ids"]):
            return
        after = tasks.Task.from_json(cleaned)
        changes = {"title": after.title.strip() or "—", "fields": after.fields, "contact_ids": remaining}
        try:
            tasks.update_task(self._tenant_id, body["id"], changes)
        except NotFoundError:
            return
        self._counts["task"] += 1

    # -------------------------------------------------------------- calls

    def _scrub_call(self, place: CallKey, person: _Person) -> None:
        for _ in range(_ATTEMPTS):
            entry = client.dynamodb().get_item(TableName=self._table, Key=place.item_key(), ConsistentRead=True)
            raw: Item = entry.get("Item", {})
            item = calls.parse(raw)
            if item is None or not self._concerns(item, person):
                return
            # The parsed item does not have the attribute names of its events.
            names = [name for name in raw if name.startswith(EVENT_PREFIX)]
            if self._rewrite(item, names, person):
                self._counts["call"] += 1
                return

    def _concerns(self, item: CallItem, person: _Person) -> bool:
        # Only the events of a call can contain a number.
        held = (item.body or {}).get("contact_id") or (item.met.contact_id if item.met else None)
        if held in person.contact_ids or person.is_in(item.call_id):
            return True
        return any(person.is_in(encode(event)) for event in item.events)

    def _rewrite(self, item: CallItem, names: list[str], person: _Person) -> bool:
        """Remove the number from a call and its events. Return False if another event arrived in the meantime.

        An event keeps its attribute name, which identifies duplicates; `names` are in the order of the events.
        """
        # The recording contains the person's voice, and data fields can contain anything.
        gone = {one: stored for one, stored in item.recordings.items() if not stored.held}
        for stored in gone.values():
            if stored.place is not None:
                recordings.delete(stored.place)
        cleaned = [
            replace(event, external="" if event.external is not None else None,
                    recording=event.recording if _is_held(event, item) else None, data={},
                    event_id=person.clean(event.event_id), leg=person.clean(event.leg),
                    linked_call_id=person.clean(event.linked_call_id), call_id=person.clean(event.call_id))
            for event in item.events
        ]  # fmt: skip
        sets = ["call_id = :call", *(f"#e{place} = :e{place}" for place in range(len(names)))]
        values: dict[str, Any] = {":call": {"S": person.clean(item.call_id)}, ":count": {"N": str(item.count)}}
        values |= {f":e{place}": {"S": encode(event)} for place, event in enumerate(cleaned)}
        removed = {f"#r{place}": KEPT_PREFIX + one for place, one in enumerate(gone)}
        if item.emitted is not None and item.body is not None:
            # The new digest prevents that the call is tagged again.
            sets += ["emitted = :emitted", "body = :body"]
            record = fold(cleaned)
            body = {**_anonymous(item.body, person), **recordings_view(item, record)}
            values |= {":emitted": {"S": record.digest()}, ":body": {"S": json.dumps(body, ensure_ascii=False)}}
        try:
            client.dynamodb().update_item(
                TableName=self._table,
                Key=item.key.item_key(),
                UpdateExpression=f"SET {', '.join(sets)} REMOVE {', '.join(('met', *removed))}",
                ConditionExpression="n = :count",
                ExpressionAttributeNames={f"#e{place}": name for place, name in enumerate(names)} | removed,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if not client.is_condition_failure(error):
                raise
            return False
        self._delete(key("T", self._tenant_id, "TAG", item.key.digest), "TAG", "tag")
        return True

    # -------------------------------------------------------------- other data

    def _erase_windows(self, person: _Person) -> None:
        """Erase the stored call windows of the live channel."""
        of = key("T", self._tenant_id, "LIVE")
        for entry in self._partition(of):
            text = entry["body"]["S"]
            if person.is_in(text) or any(contact_id in text for contact_id in person.contact_ids):
                self._delete(of, entry["sk"]["S"], None)

    def _erase_webhook_requests(self, person: _Person) -> None:
        own = key("T", self._tenant_id)
        for integration in self._partition(own, key("INTEGRATION", "")):
            of = key("T", self._tenant_id, "DELIVERY", integration["id"]["S"])
            for entry in self._partition(of):
                texts = (entry[name]["S"] for name in ("body", "query", "path", "headers") if name in entry)
                if any(person.is_in(text) for text in texts):
                    self._delete(of, entry["sk"]["S"], "delivery")

    def _erase_exports(self) -> None:
        """Erase export files, which can contain data of the person."""
        place = {"Bucket": runtime.settings().files_bucket}
        s3 = client.make("s3")
        for entry in self._partition(key("T", self._tenant_id), key("EXPORT", "")):
            name = f"exports/{self._tenant_id}/{entry['id']['S']}.jsonl"
            if entry.get("upload", {}).get("S"):
                s3.abort_multipart_upload(**place, Key=name, UploadId=entry["upload"]["S"])
            s3.delete_object(**place, Key=name)
            self._delete(entry["pk"]["S"], entry["sk"]["S"], "export")

    def _erase_contact(self, contact: Item) -> None:
        tasks.remove_contact(self._tenant_id, contact["id"])
        self._delete(*first_calls.place(self._tenant_id, contact["id"]), None)
        of = key("T", self._tenant_id, "CONTACT", contact["id"])
        for entry in self._partition(of):
            if entry["sk"]["S"] != contacts.SK:
                self._delete(of, entry["sk"]["S"], None)
        with suppress(NotFoundError):
            # Other contacts with the contact's numbers take them over.
            contacts.delete_contact(self._tenant_id, contact["id"])
            self._counts["contact"] += 1

    def _erase_partition(self, pk: str, kind: str | None) -> None:
        for entry in self._partition(pk):
            self._delete(pk, entry["sk"]["S"], kind)

    def _delete(self, pk: str, sk: str, kind: str | None) -> None:
        """Delete an item, and count it if it existed and its kind is in the receipt."""
        response = client.dynamodb().delete_item(
            TableName=self._table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ReturnValues="ALL_OLD"
        )
        if kind is not None and "Attributes" in response:
            self._counts[kind] += 1

    def _partition(self, pk: str, prefix: str = "") -> list[Any]:
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = {"S": prefix}
        return list(
            self._query(KeyConditionExpression=condition, ExpressionAttributeValues=values, ConsistentRead=True)
        )

    def _query(self, **arguments: Any) -> Iterator[Any]:
        for page in client.dynamodb().get_paginator("query").paginate(TableName=self._table, **arguments):
            yield from page["Items"]


def _anonymous(body: Item, person: _Person) -> dict[str, Any]:
    """Return a call's stored body without the other party."""
    anonymous: dict[str, Any] = {"external": "", "data": {}, "contact_id": None, "tag_id": None}
    return {**person.clean(dict(body)), **anonymous}


def _is_held(event: CallEvent, item: CallItem) -> bool:
    """Return True if the event's recording has a retention hold."""
    if not event.recording:
        return False
    stored = item.recordings.get(Recording(event.recording, event.recording_is_temporary).id)
    return stored is not None and stored.held
