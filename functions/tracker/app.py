"""Tracker function: changes of calls for the state machine, settling and the sweep."""

import json
import os
from collections.abc import Mapping
from typing import Any

from hangtag import runtime
from hangtag.batches import process_batch
from hangtag.runtime import Settings, logger
from hangtag.services.calls import settling
from hangtag.services.calls.sweep import sweep
from hangtag.services.calls.tracker import Machinery, act, decide, deliver, fill_later
from hangtag.services.live.active_calls import note_talk
from hangtag.services.reports.marking import note_change
from hangtag.store.calls import items as calls
from hangtag.store.calls import tags
from hangtag.store.office import settings

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "STATE_MACHINE_ARN",
        "SETTLE_QUEUE_URL",
        "AMEND_QUEUE_URL",
        "CRM_QUEUE_URL",
        "RECORDINGS_QUEUE_URL",
        "SWEEP_AFTER_SECONDS",
    )
)

MACHINERY = Machinery(
    state_machine_arn=SETTINGS.state_machine_arn,
    settle_queue_url=SETTINGS.settle_queue_url,
    amend_queue_url=SETTINGS.amend_queue_url,
    crm_queue_url=SETTINGS.crm_queue_url,
)
SWEEP_AFTER = SETTINGS.sweep_after
# Time that a sweep leaves for the call in progress.
SWEEP_MARGIN_MS = 5000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a batch of the table's stream, a batch of the settle queue, or the scheduled sweep."""
    if event.get("source") == "hangtag.sweep":
        count = sweep(
            MACHINERY.state_machine_arn,
            SWEEP_AFTER,
            lambda: bool(context.get_remaining_time_in_millis() > SWEEP_MARGIN_MS),
        )
        logger.info("sweep.finished", extra={"calls": count})
        return {"swept": count}
    records = event["Records"]
    if records[0]["eventSource"] == "aws:dynamodb":
        return process_batch(
            records, track, lambda record: str(record["dynamodb"]["SequenceNumber"]), raise_if_all=True
        )
    return process_batch(records, settle, raise_if_all=True)


def track(record: Mapping[str, Any]) -> None:
    """Process one change: of a call, a missed call, a CRM message, or a number with a new contact."""
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return
    sk = image["sk"]["S"]
    if sk.startswith("CALL#"):
        track_call(image)
        note_change(record)
    elif sk.startswith("MISSED#"):
        note_change(record)
    elif sk.startswith("OUTBOX"):
        deliver(MACHINERY, image["tenant_id"]["S"], image["id"]["S"])
    elif "claimed" in image:
        # The key contains tenant and number: T, tenant, PHONE, number.
        fill_tags(image["pk"]["S"].split("#")[1], image["claimed"]["S"])


def fill_tags(tenant_id: str, number: str) -> None:
    """Queue the amendment of tags without a contact, for a number that now has one.

    The index does not list tags that were written at the same moment. If unknown callers can leave such tags, the
    queued search runs in any case.
    """
    creates = settings.tracker_rules(tenant_id).create_unknown
    if creates != "always" or next(tags.tags_without_contact(tenant_id, number), None) is not None:
        fill_later(MACHINERY, tenant_id, number)


def track_call(image: dict[str, Any]) -> None:
    """Process one change of a call's item."""
    item = calls.parse(image)
    if item is None:
        return
    call = item.fold()
    rules = settings.tracker_rules(item.tenant_id)
    actions = decide(item, call, rules.create_unknown)
    act(MACHINERY, item, actions, rules.settle_seconds)
    note_talk(item, call)
    logger.info(
        "call.tracked",
        extra={
            "execution": item.execution_name,
            "start": actions.start,
            "lookup": actions.lookup_caller,
            "resume": actions.succeed,
            "settle": actions.settle,
            "amend": actions.amend,
            "recordings": len(actions.recordings),
        },
    )


def settle(record: Mapping[str, Any]) -> None:
    """Settle a call: the tracker queued this message when the call went quiet."""
    message = json.loads(record["body"])
    settled = settling.settle(calls.CallKey(message["pk"], message["sk"]), message["count"])
    logger.info("call.settled", extra={"settled": settled})
