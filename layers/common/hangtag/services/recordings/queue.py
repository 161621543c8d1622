"""Messages of the recordings queue: the recording to process."""

import json

from hangtag import runtime
from hangtag.store.calls.items import CallKey
from hangtag.store.db import client

__all__ = ["LONGEST_DELAY_SECONDS", "enqueue"]

# Longest message delay of SQS.
LONGEST_DELAY_SECONDS = 900


def enqueue(call: CallKey, recording_id: str, seconds: float = 0.0) -> None:
    """Queue a recording for processing in `seconds`, at most 15 minutes. Raises botocore's errors."""
    body = json.dumps({"pk": call.pk, "sk": call.sk, "recording": recording_id})
    delay = min(max(0, round(seconds)), LONGEST_DELAY_SECONDS)
    client.make("sqs").send_message(
        QueueUrl=runtime.settings().recordings_queue_url, MessageBody=body, DelaySeconds=delay
    )
