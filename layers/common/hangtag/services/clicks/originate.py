"""Placement of a click-to-call at the PBX: one request, whose result is stored on the click.

A request that timed out is never retried: the phone may already ring.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from urllib3.exceptions import NewConnectionError

from hangtag.errors import HangtagError, NotFoundError, UnreachableError
from hangtag.providers import base as providers
from hangtag.runtime import logger
from hangtag.services.integrations.client import Pbx, causes, in_words, open_pbx
from hangtag.store.calls import clicks
from hangtag.store.calls.clicks import Click, State
from hangtag.store.integrations import integrations

__all__ = ["close", "connect", "place"]

# A phone that rings long after the click would surprise the employee.
LATEST = timedelta(seconds=30)
_TOO_LATE = "The call could not be started in time. The phone did not ring."
_NOT_REPORTED = "The PBX did not report the call."


def place(tenant_id: str, click_id: str, now: datetime) -> State | None:
    """Request the call at the PBX. Return its state; None if the click was processed before or no longer exists.

    Idempotent. Raises botocore's errors, always before the request to the PBX.
    """
    click = clicks.find(tenant_id, click_id)
    if click is None or click.state is not State.WAITING:
        return None
    if now - datetime.fromisoformat(click.at) > LATEST:
        return _fail(click, _TOO_LATE)
    try:
        integration = integrations.get_integration(tenant_id, click.integration_id)
        pbx = open_pbx(tenant_id, integration)
    except NotFoundError:
        return _fail(click, "The PBX is no longer connected.")
    if not clicks.advance(click, State.PLACING, State.WAITING):
        return None
    return _request(pbx, click)


def _request(pbx: Pbx, click: Click) -> State:
    request = providers.Click(extension=click.extension, number=click.dial, reference=click.id, line=click.line)
    try:
        placed = pbx.originate(request)
    except UnreachableError as error:
        if _never_sent(error):
            return _fail(click, f"The call was not placed. {in_words(error)}")
        return _unknown(click, f"The PBX did not respond ({in_words(error)}). Your phone can still ring.")
    except HangtagError as error:
        return _fail(click, in_words(error))
    except Exception as error:
        # The phone can be ringing after any failure.
        logger.exception(
            "click.request_failed", extra={"tenant": click.tenant_id, "click": click.id, "error": type(error).__name__}
        )
        return _unknown(click, "The request to the PBX failed unexpectedly. Your phone can still ring.")
    if placed.call_id is not None:
        clicks.set_call_id(click, placed.call_id)
    clicks.advance(click, State.PLACED, State.PLACING)
    logger.info(
        "click.placed",
        extra={"tenant": click.tenant_id, "click": click.id, "call_named": placed.call_id is not None},
    )
    return State.PLACED


def close(tenant_id: str, click_id: str, now: datetime) -> bool:
    """Mark a click that its PBX has not reported in time as failed. Return False if there is nothing to mark.

    A call that the PBX reports later still matches the click.
    """
    click = clicks.find(tenant_id, click_id)
    if click is None or click.call is not None or now < click.until:
        return False
    open_states = (State.WAITING, State.PLACING, State.PLACED, State.UNKNOWN)
    reason = click.reason if click.state is State.UNKNOWN else _NOT_REPORTED
    return clicks.advance(click, State.FAILED, *open_states, reason=reason)


def connect(message: Mapping[str, Any]) -> bool:
    """Request the second step of PBXs that call the contact only on a further request; `step` is the adapter's state.

    Return True if the PBX accepted it; a rejected request ends the call, and the PBX reports the end. Raises botocore's
    errors.
    """
    tenant_id = message["tenant"]
    try:
        integration = integrations.get_integration(tenant_id, message["integration"])
        pbx = open_pbx(tenant_id, integration)
    except NotFoundError:
        return False
    try:
        pbx.connect(message["step"])
    except HangtagError as error:
        logger.warning("click.connect_failed", extra={"tenant": tenant_id, "error": type(error).__name__})
        return False
    return True


def _fail(click: Click, reason: str) -> State:
    # First: an employee who is notified of the failure can retry at once.
    clicks.free_slot(click)
    clicks.advance(click, State.FAILED, State.WAITING, State.PLACING, reason=reason)
    logger.info("click.failed", extra={"tenant": click.tenant_id, "click": click.id})
    return State.FAILED


def _unknown(click: Click, reason: str) -> State:
    clicks.advance(click, State.UNKNOWN, State.PLACING, reason=reason)
    logger.info("click.unknown", extra={"tenant": click.tenant_id, "click": click.id})
    return State.UNKNOWN


def _never_sent(error: HangtagError) -> bool:
    """Return True if no connection was made, so the PBX cannot have received the request."""
    return any(isinstance(cause, NewConnectionError) for cause in causes(error))
