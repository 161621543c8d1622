"""The tracker: changes of calls → the state machine; settling; sweeping."""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hangtag.batches import work_off
from hangtag.flow import settle as settling
from hangtag.flow.report_marking import note_change
from hangtag.flow.sweep import sweep
from hangtag.flow.talk import note_talk
from hangtag.flow.track import Machinery, act, decide, deliver, fill_later
from hangtag.observability import logger
from hangtag.store import calls, settings, tags

TABLE = os.environ["TABLE_NAME"]
MACHINERY = Machinery(
    state_machine_arn=os.environ["STATE_MACHINE_ARN"],
    settle_queue_url=os.environ["SETTLE_QUEUE_URL"],
    amend_queue_url=os.environ["AMEND_QUEUE_URL"],
    crm_queue_url=os.environ["CRM_QUEUE_URL"],
)
SWEEP_AFTER = timedelta(seconds=int(os.environ["SWEEP_AFTER_SECONDS"]))
# What a sweep leaves of its time for the call at hand.
SWEEP_MARGIN_MS = 5000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the table's stream, a batch of the settle queue, or the schedule's sweep."""
    if event.get("source") == "hangtag.sweep":
        looked_at = sweep(
            TABLE,
            MACHINERY.state_machine_arn,
            SWEEP_AFTER,
            lambda: bool(context.get_remaining_time_in_millis() > SWEEP_MARGIN_MS),
        )
        logger.info("sweep.finished", extra={"calls": looked_at})
        return {"swept": looked_at}
    records = event["Records"]
    if records[0]["eventSource"] == "aws:dynamodb":
        return work_off(records, track, lambda record: str(record["dynamodb"]["SequenceNumber"]), raise_if_all=True)
    return work_off(records, settle, raise_if_all=True)


def track(record: Mapping[str, Any]) -> None:
    """One change of the stream: of a call, a missed call, a message for an outside CRM, or a number's new contact."""
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return
    sk = image["sk"]["S"]
    if sk.startswith("CALL#"):
        track_call(image)
        note_change(TABLE, record)
    elif sk.startswith("MISSED#"):
        note_change(TABLE, record)
    elif sk.startswith("OUTBOX"):
        deliver(MACHINERY, image["tenant_id"]["S"], image["id"]["S"])
    elif "claimed" in image:
        # The key says whose number it is: T, tenant, PHONE, number.
        look_for_tags(image["pk"]["S"].split("#")[1], image["claimed"]["S"])


def look_for_tags(tenant_id: str, number: str) -> None:
    """A number has a contact from now on: are there tags that lack it?

    The index may not show those that were written at this very moment; where unknown callers leave such tags, they
    are looked for once more, later.
    """
    creates = settings.tracker_rules(TABLE, tenant_id).create_unknown
    if creates != "always" or next(tags.awaiting(TABLE, tenant_id, number), None) is not None:
        fill_later(MACHINERY, tenant_id, number)


def track_call(image: dict[str, Any]) -> None:
    """One change of a call's item."""
    item = calls.parse(image)
    if item is None:
        return
    call = item.fold()
    rules = settings.tracker_rules(TABLE, item.tenant_id)
    actions = decide(item, call, rules.create_unknown)
    act(MACHINERY, item, actions, rules.settle_seconds)
    note_talk(TABLE, item, call)
    logger.info(
        "call.tracked",
        extra={
            "execution": item.execution_name,
            "start": actions.start,
            "lookup": actions.meet,
            "resume": actions.succeed,
            "settle": actions.settle,
            "amend": actions.amend,
            "recordings": len(actions.recordings),
        },
    )


def settle(record: Mapping[str, Any]) -> None:
    """A message that the tracker sent itself when the call went quiet."""
    message = json.loads(record["body"])
    settled = settling.settle(TABLE, calls.CallKey(message["pk"], message["sk"]), message["count"])
    logger.info("call.settled", extra={"settled": settled})
