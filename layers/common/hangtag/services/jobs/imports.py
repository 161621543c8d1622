"""Job that imports contacts from a CSV file, in batches that can be repeated.

The id of a row's contact is derived from its external id, its first number, or the whole row, in this order. A batch or
a file that is processed twice therefore creates no duplicates. A row whose number or external id belongs to a contact
is `existing` and changes nothing.
"""

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from hangtag import runtime
from hangtag.errors import BadInputError, ConflictError, NotFoundError
from hangtag.runtime import logger
from hangtag.store.db import client
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import digest, key
from hangtag.store.db.paging import Page
from hangtag.store.office import contacts, employees, groups, imports, lines, tenants
from hangtag.store.office.contacts import Contact, IdTakenError
from hangtag.store.office.imports import MAX_ERRORS, Import, RowError
from hangtag.store.office.phones import Phone, read_phones

T = TypeVar("T")

PAGE = 100
BATCH = 500
AT_ONCE = 4
CHUNK_BYTES = 1024 * 1024
# Limit below the 100 items of a DynamoDB transaction.
MAX_WEIGHT = 96
MAX_ROWS = 200_000
MAX_BYTES = 100 * 1024 * 1024
MAX_FIELD = 4096
MAX_NAME = 200
MAX_EXTERNAL_ID = 128


class PayloadError(Exception):
    """The file cannot be imported; the message is a sentence for the admin."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of the columns. `phones` are positions with their types."""

    name: int | None
    phones: tuple[tuple[int, str | None], ...]
    external_id: int | None
    supervisor: int | None


@dataclass(frozen=True, slots=True)
class Context:
    """Values shared by all rows of an import: the tenant's country, and employees and groups by name and id.

    `origin` with the row's position is stored on the created contact, so a repeated batch counts it once.
    """

    tenant_id: str
    import_id: str
    country: str
    people: Mapping[str, str]
    own_lines: frozenset[str]
    columns: Columns
    origin: str


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Continue an import as long as there is time, then queue the rest. Raises botocore's errors.

    `message` contains `tenant`, `id` and `run`.
    """
    tenant_id, import_id = message["tenant"], message["id"]
    try:
        state = imports.get_import(tenant_id, import_id)
    except NotFoundError:
        # The tenant was erased in the meantime.
        return
    if state.state != imports.RUNNING or state.run != message["run"]:
        return
    try:
        if _continue(tenant_id, state, has_time):
            return
    except (PayloadError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error) if isinstance(error, PayloadError) else _words(error)
        imports.change(tenant_id, import_id, frozenset({imports.RUNNING}), state=imports.FAILED, reason=reason)
        logger.info("import.failed", extra={"tenant": tenant_id, "import": import_id})
        return
    send(tenant_id, import_id, state.run)


def send(tenant_id: str, import_id: str, run: int) -> None:
    """Queue an import to start or continue. Raises botocore's errors."""
    body = json.dumps({"job": "import", "tenant": tenant_id, "id": import_id, "run": run})
    client.make("sqs").send_message(QueueUrl=runtime.settings().jobs_queue_url, MessageBody=body)


def _words(error: Exception) -> str:
    return (
        "The file is not encoded in UTF-8." if isinstance(error, UnicodeDecodeError) else "The file is not a CSV file."
    )


def _continue(tenant_id: str, state: Import, has_time: Callable[[], bool]) -> bool:
    """Process batches. Return True when this run has nothing left to do."""
    rows = _rows(tenant_id, state.id)
    columns = _columns(next(rows, []))
    country, origin = tenants.get_tenant(tenant_id).country, f"import {state.id} {state.round}"
    context = Context(tenant_id, state.id, country, _people(tenant_id), _own_lines(tenant_id), columns, origin)
    remaining = islice(rows, state.rows, None)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(remaining, BATCH)):
            if state.rows + len(batch) > MAX_ROWS:
                raise PayloadError(f"The file has more than {MAX_ROWS} rows.")
            after = _after(state, _process(context, pool, batch, state.rows))
            if not imports.save(tenant_id, after, state):
                # The import was stopped or started again.
                return True
            state = after
            if not has_time():
                return False
    imports.save(tenant_id, replace(state, state=imports.DONE), state)
    logger.info(
        "import.finished",
        extra={"tenant": tenant_id, "import": state.id, "rows": state.rows, "created": state.created},
    )
    return True


def _people(tenant_id: str) -> dict[str, str]:
    """Return the ids of employees and groups by id and by name."""
    people = [(one.id, one.name) for one in _all(lambda after: groups.list_groups(tenant_id, PAGE, after))]
    people += [(one.id, one.name) for one in employees.all_employees(tenant_id)]
    return {name.casefold(): one for one, name in people} | {one: one for one, _ in people}


def _own_lines(tenant_id: str) -> frozenset[str]:
    return frozenset(line.number for line in _all(lambda after: lines.list_lines(tenant_id, PAGE, after)))


def _all(load: Callable[[str | None], Page[T]]) -> Iterator[T]:
    after: str | None = None
    while True:
        page = load(after)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def _process(context: Context, pool: ThreadPoolExecutor, batch: list[list[str]], before: int) -> list[str]:
    """Process a batch. Return for each row created, existing, or the reason of its rejection.

    Contacts that are certainly new are written in groups; all others one by one, in the order of the rows.
    """
    read = [_read(context, row) for row in batch]
    candidates = {place: row for place, row in enumerate(read) if isinstance(row, Contact)}
    results = [row if isinstance(row, str) else "" for row in read]
    existing = _existing(context, candidates.values())

    def origin(place: int) -> str:
        return f"{context.origin} {before + place + 1}"

    for place in [place for place, contact in candidates.items() if contact.id in existing.origins]:
        # Created by this row in an earlier run of the batch, so it counts as created.
        is_created = existing.origins[candidates.pop(place).id] == origin(place)
        results[place] = "created" if is_created else "existing"
    strangers, doubtful = _sorted_out(candidates, existing)

    def write(places: list[int]) -> bool:
        return contacts.create_unmatched(context.tenant_id, [(candidates[place], origin(place)) for place in places])

    for places, written in zip(strangers, pool.map(write, strangers), strict=True):
        if written:
            for place in places:
                results[place] = "created"
        else:
            doubtful += places
    for place in sorted(doubtful):
        results[place] = _create(context, candidates[place], origin(place))
    return results


def _sorted_out(candidates: Mapping[int, Contact], existing: "Existing") -> tuple[list[list[int]], list[int]]:
    """Return the positions of new contacts, in groups of one transaction, and of contacts that can exist."""
    used = set(existing.marks)
    strangers: list[list[int]] = []
    doubtful = []
    load = MAX_WEIGHT
    for place, contact in candidates.items():
        marks = _marks(contact)
        if not used.isdisjoint(marks):
            doubtful.append(place)
            continue
        used |= marks
        load += contacts.weight(contact)
        if load > MAX_WEIGHT:
            strangers.append([])
            load = contacts.weight(contact)
        strangers[-1].append(place)
    return strangers, doubtful


def _marks(contact: Contact) -> set[tuple[str, str]]:
    """Return the identifiers of a contact; it is new if none of them exists."""
    marks = {("id", contact.id), *(("number", phone.e164) for phone in contact.phones)}
    return marks | ({("external", contact.external_id)} if contact.external_id else set())


@dataclass(frozen=True, slots=True)
class Existing:
    """Existing data of a batch: identifiers in use, and the origins of contacts with the batch's own ids."""

    marks: frozenset[tuple[str, str]]
    origins: Mapping[str, str | None]


def _existing(context: Context, candidates: Collection[Contact]) -> Existing:
    tenant_id = context.tenant_id
    origins = contacts.origins(tenant_id, [contact.id for contact in candidates])
    external = contacts.existing_external_ids(tenant_id, [one.external_id for one in candidates if one.external_id])
    held = contacts.match_numbers(tenant_id, [phone.e164 for contact in candidates for phone in contact.phones])
    marks = (*(("external", one) for one in external), *(("number", one) for one in held))
    return Existing(frozenset(marks), origins)


def _after(state: Import, results: list[str]) -> Import:
    """Return the state after a batch; a result is created, existing, or the reason of a rejection."""
    refused = [
        RowError(state.rows + place, result)
        for place, result in enumerate(results, start=1)
        if result not in ("created", "existing")
    ]
    return replace(
        state,
        rows=state.rows + len(results),
        created=state.created + results.count("created"),
        existing=state.existing + results.count("existing"),
        refused=state.refused + len(refused),
        errors=(*state.errors, *refused)[:MAX_ERRORS],
    )


def _rows(tenant_id: str, import_id: str) -> Iterator[list[str]]:
    """Yield the rows of the file, the header first. Raises UnreadableError and UnicodeDecodeError."""
    place = {"Bucket": runtime.settings().files_bucket, "Key": imports.object_key(tenant_id, import_id)}
    try:
        size = client.make("s3").head_object(**place)["ContentLength"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise PayloadError("The file was not uploaded.") from None
        raise
    if size > MAX_BYTES:
        raise PayloadError(f"The file exceeds {MAX_BYTES // 1024 // 1024} MB.")
    text = io.TextIOWrapper(io.BufferedReader(_Ranges(place, size), CHUNK_BYTES), encoding="utf-8-sig", newline="")
    first = text.readline()
    csv.field_size_limit(MAX_FIELD)
    delimiter = max(",;\t", key=first.count)
    yield next(csv.reader([first], delimiter=delimiter), [])
    yield from (row for row in csv.reader(text, delimiter=delimiter) if any(cell.strip() for cell in row))


class _Ranges(io.RawIOBase):
    """S3 object as a file that is read once, range by range, so no connection stays open between batches."""

    def __init__(self, place: Mapping[str, str], size: int) -> None:
        self._place = place
        self._size = size
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._read + len(buffer), self._size)
        if end == self._read:
            return 0
        result = client.make("s3").get_object(**self._place, Range=f"bytes={self._read}-{end - 1}")
        chunk: bytes = result["Body"].read()
        buffer[: len(chunk)] = chunk
        self._read += len(chunk)
        return len(chunk)


def _columns(header: list[str]) -> Columns:
    """Return the positions of name, phone (repeatable; `phone:type`), external_id and supervisor."""
    names = [cell.strip().casefold() for cell in header]
    phones = tuple(
        (place, header[place].partition(":")[2].strip() or None)
        for place, name in enumerate(names)
        if name.partition(":")[0].strip() in ("phone", "phones")
    )

    def place_of(candidates: str) -> int | None:
        return names.index(candidates) if candidates in names else None

    result = Columns(place_of("name"), phones, place_of("external_id"), place_of("supervisor"))
    if result.name is None and not result.phones:
        raise PayloadError("The header has neither a name nor a phone column.")
    return result


def _read(context: Context, row: list[str]) -> Contact | str:
    """Return the contact of a row, or the reason of its rejection."""
    columns = context.columns
    typed = [
        (number.strip(), kind)
        for place, kind in columns.phones
        for number in _cell(row, place).split("|")
        if number.strip()
    ]
    external_id = _cell(row, columns.external_id) or None
    try:
        phones = read_phones(typed, context.country)
    except BadInputError as error:
        return error.message
    name = _cell(row, columns.name) or (phones[0].e164 if phones else "")
    reason = _fault(context, row, name, external_id, phones)
    if reason:
        return reason
    supervisor = _cell(row, columns.supervisor)
    if external_id is not None:
        identity = ("external", external_id)
    elif phones:
        identity = ("number", phones[0].e164)
    else:
        identity = ("row", key(*row))
    contact_id = digest("import", context.tenant_id, *identity)
    return Contact(
        contact_id,
        name,
        phones,
        context.people[supervisor.casefold()] if supervisor else None,
        iso(now()),
        external_id,
    )


def _fault(
    context: Context, row: list[str], name: str, external_id: str | None, phones: tuple[Phone, ...]
) -> str | None:
    """Return the reason of a row's rejection; None for a valid row."""
    supervisor = _cell(row, context.columns.supervisor)
    faults = {
        "The row has neither a name nor a number.": not name,
        f"The name exceeds {MAX_NAME} characters.": len(name) > MAX_NAME,
        f"The external id exceeds {MAX_EXTERNAL_ID} characters.": len(external_id or "") > MAX_EXTERNAL_ID,
        "The row contains a control character.": not (name + (external_id or "")).isprintable(),
        f"The row has more than {contacts.MAX_PHONES} numbers.": len(phones) > contacts.MAX_PHONES,
        "Unknown supervisor. Enter the name or id of an employee or group.": bool(supervisor)
        and supervisor.casefold() not in context.people,
    }
    result = next((reason for reason, holds in faults.items() if holds), None)
    if result is None and any(phone.e164 in context.own_lines for phone in phones):
        return "A number is one of your own lines."
    return result


def _create(context: Context, contact: Contact, origin: str) -> str:
    """Create one contact unless it exists. Return created or existing."""
    holder = contacts.find_by_number(context.tenant_id, contact.phones[0].e164) if contact.phones else None
    # Contacts with different external ids can share a number.
    other = holder is not None and contact.external_id is not None and holder.external_id is not None
    if holder is not None and holder.id != contact.id and not other:
        return "existing"
    try:
        contacts.create_contact(
            context.tenant_id,
            contact.name,
            contact.phones,
            contact.supervisor_id,
            contact.external_id,
            contact_id=contact.id,
            origin=origin,
        )
    except (ConflictError, IdTakenError):
        # Created by this row in an earlier run of the batch, so it counts as created.
        return "created" if contacts.origin_of(context.tenant_id, contact.id) == origin else "existing"
    return "created"


def _cell(row: list[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""
