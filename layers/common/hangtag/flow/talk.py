"""Beside the way of a call: who is in one now, so that a group's free member can be found."""

from botocore.exceptions import BotoCoreError, ClientError

from hangtag.calls.fold import Call
from hangtag.observability import logger
from hangtag.store import busy
from hangtag.store.calls import CallItem


def note_talk(table: str, item: CallItem, call: Call) -> None:
    """Mark the extensions that talk in a call, clear those that did. Never raises: a call is not held up for it."""
    answered = [leg for leg in call.legs if leg.answered and leg.extension]
    if not answered or (call.closed and item.emitted is not None):
        return
    try:
        if not busy.wanted(table, item.tenant_id):
            return
        for leg in answered:
            change = busy.mark if leg.live and not call.closed else busy.clear
            change(table, item.tenant_id, item.integration_id, leg.extension or "", item.key.digest)
    except (BotoCoreError, ClientError) as error:
        logger.warning("call.busy_update_failed", extra={"error": type(error).__name__})
