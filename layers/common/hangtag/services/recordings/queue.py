"""Messages of the recordings queue: which recording of which call is to be looked at."""

import json

from hangtag import runtime
from hangtag.store.calls.items import CallKey
from hangtag.store.db import client

__all__ = ["LONGEST_DELAY_SECONDS", "ask_for"]

# The longest that a queue holds a message back.
LONGEST_DELAY_SECONDS = 900


def ask_for(call: CallKey, recording_id: str, seconds: float = 0.0) -> None:
    """Have a recording looked at, after so many seconds or as soon as a queue can. Raises botocore's errors."""
    body = json.dumps({"pk": call.pk, "sk": call.sk, "recording": recording_id})
    delay = min(max(0, round(seconds)), LONGEST_DELAY_SECONDS)
    client.make("sqs").send_message(
        QueueUrl=runtime.settings().recordings_queue_url, MessageBody=body, DelaySeconds=delay
    )
