"""Marks of the report hours that a change of the table concerns. Imports little, because the tracker imports it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag.store.reports import marks
from hangtag.store.reports.marks import hour_of


def note_change(record: Mapping[str, Any]) -> None:
    """Mark the hours that a change of a call or of a missed call concerns. `record` is the stream record.

    Raises botocore's errors.
    """
    images = [record["dynamodb"].get(name, {}) for name in ("OldImage", "NewImage")]
    texts = [image.get("body", {}).get("S") for image in images]
    if texts[0] == texts[1]:
        return
    tenant_id = images[1]["pk"]["S"].split("#")[1]
    hours = {hour for text in texts if text and (hour := _hour(json.loads(text))) is not None}
    for hour in sorted(hours):
        marks.mark(tenant_id, hour, datetime.now(UTC))


def _hour(body: Mapping[str, Any]) -> datetime | None:
    """Return the UTC hour of a call that began, or of a returned missed call."""
    if "returned_at" in body:
        return hour_of(datetime.fromisoformat(body["at"])) if body["returned_at"] else None
    return hour_of(datetime.fromisoformat(body["started_at"])) if body.get("started_at") else None
