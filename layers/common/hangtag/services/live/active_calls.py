"""Active calls by extension, which caller routing uses to find a free member of a group."""

from botocore.exceptions import BotoCoreError, ClientError

from hangtag.domain.calls.fold import Call
from hangtag.runtime import logger
from hangtag.store.calls import active_calls
from hangtag.store.calls.items import CallItem


def note_talk(item: CallItem, call: Call) -> None:
    """Mark the extensions that talk in a call, clear those that did. Never raises: it must not delay a call."""
    answered = [leg for leg in call.legs if leg.answered and leg.extension]
    if not answered or (call.closed and item.emitted is not None):
        return
    try:
        if not active_calls.is_tracked(item.tenant_id):
            return
        for leg in answered:
            change = active_calls.mark if leg.live and not call.closed else active_calls.clear
            change(item.tenant_id, item.integration_id, leg.extension or "", item.key.digest)
    except (BotoCoreError, ClientError) as error:
        logger.warning("call.busy_update_failed", extra={"error": type(error).__name__})
