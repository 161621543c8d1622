"""Report files that take longer than a request: their parameters and their state.

key("T", tenant) / key("REPORTFILE", id). Expires after a day; only the requester can see it.
"""

import secrets
from datetime import timedelta
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import UpdateError

from hangtag.errors import NotFoundError
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import Entry

__all__ = ["DONE", "FAILED", "RUNNING", "ReportFileItem", "create", "finish", "load"]

WORD = "REPORTFILE"
RETENTION = timedelta(days=1)
RUNNING, DONE, FAILED = "running", "done", "failed"


class ReportFileItem(Entry):
    """A requested report of `who`: days `first` to `last` of `time_zone`; `filters` are a `Filters`.

    `sees_all` and `employee_id` describe the viewer; `name` is the object in the bucket.
    """

    kind = UnicodeAttribute(default="report_file")
    id = UnicodeAttribute()
    state = UnicodeAttribute(default=RUNNING)
    who = UnicodeAttribute()
    report = UnicodeAttribute()
    first = UnicodeAttribute()
    last = UnicodeAttribute()
    time_zone = UnicodeAttribute()
    filters: JSONAttribute = JSONAttribute()
    sees_all = BooleanAttribute()
    employee_id = UnicodeAttribute(null=True)
    name = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute()


def create(
    tenant_id: str,
    who: str,
    report: str,
    days: tuple[str, str],
    time_zone: str,
    filters: dict[str, str | None],
    *,
    sees_all: bool,
    employee_id: str | None,
) -> ReportFileItem:
    """Create a file without content. Raises pynamodb's errors."""
    file_id, moment = secrets.token_hex(16), now()
    item = ReportFileItem(
        key("T", tenant_id),
        key(WORD, file_id),
        id=file_id,
        who=who,
        report=report,
        first=days[0],
        last=days[1],
        time_zone=time_zone,
        filters=filters,
        sees_all=sees_all,
        employee_id=employee_id,
        created_at=iso(moment),
        expires_at=int((moment + RETENTION).timestamp()),
    )
    item.save()
    return item


def load(tenant_id: str, file_id: str) -> ReportFileItem:
    """Return a file. Raises NotFoundError."""
    try:
        return ReportFileItem.get(key("T", tenant_id), key(WORD, file_id), consistent_read=True)
    except ReportFileItem.DoesNotExist:
        raise NotFoundError("The file does not exist.") from None


def finish(item: ReportFileItem, state: str, name: str | None) -> bool:
    """Store the final state of a file; False if it was erased meanwhile."""
    actions: list[Any] = [ReportFileItem.state.set(state)]
    if name is not None:
        actions.append(ReportFileItem.name.set(name))
    try:
        item.update(actions=actions, condition=ReportFileItem.state == RUNNING)
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True
