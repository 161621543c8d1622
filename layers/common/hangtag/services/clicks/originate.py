"""Step 0b of a call that an employee starts: the PBX is asked, once, and what it answers is kept on the click.

A PBX that gave no answer is never asked a second time: it may have the phone ringing already.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from urllib3.exceptions import NewConnectionError

from hangtag.errors import HangtagError, NotFoundError, UnreachableError
from hangtag.observability import logger
from hangtag.providers import base as providers
from hangtag.services.integrations.client import Pbx, causes, in_words, open_pbx
from hangtag.store.calls import clicks
from hangtag.store.calls.clicks import Click, State
from hangtag.store.integrations import integrations

__all__ = ["close", "connect", "place"]

# A phone that rings long after the click would surprise its owner.
LATEST = timedelta(seconds=30)
_TOO_LATE = "the call could not be started in time; the phone was not rung"
_NOT_TOLD = "the PBX did not tell of the call"


def place(tenant_id: str, click_id: str, now: datetime) -> State | None:
    """Ask the PBX to ring the employee, then the contact. None if there is nothing to do: it was done, or is gone.

    May be called again. Raises botocore's errors, before the PBX was asked.
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
        return _fail(click, "the PBX is not connected any more")
    if not clicks.advance(click, State.PLACING, State.WAITING):
        return None
    return _ask(pbx, click)


def _ask(pbx: Pbx, click: Click) -> State:
    asked = providers.Click(extension=click.extension, number=click.dial, reference=click.id, line=click.line)
    try:
        placed = pbx.originate(asked)
    except UnreachableError as error:
        if _never_sent(error):
            return _fail(click, f"the PBX was not reached: {in_words(error)}")
        return _unknown(click, f"the PBX gave no answer ({in_words(error)}); it may ring your phone all the same")
    except HangtagError as error:
        return _fail(click, in_words(error))
    except Exception as error:
        # Whatever went wrong here, the phone may be ringing.
        logger.exception(
            "click.request_failed",
            extra={"tenant": click.tenant_id, "click": click.id, "error": type(error).__name__},
        )
        return _unknown(click, "asking the PBX broke off; it may ring your phone all the same")
    if placed.call_id is not None:
        clicks.set_call_id(click, placed.call_id)
    clicks.advance(click, State.PLACED, State.PLACING)
    logger.info(
        "click.placed",
        extra={"tenant": click.tenant_id, "click": click.id, "call_named": placed.call_id is not None},
    )
    return State.PLACED


def close(tenant_id: str, click_id: str, now: datetime) -> bool:
    """Say of a click whose PBX told nothing in time that it came to nothing; false if there is nothing to say.

    Should the PBX tell of the call later, it is the click's call all the same.
    """
    click = clicks.find(tenant_id, click_id)
    if click is None or click.call is not None or now < click.until:
        return False
    open_states = (State.WAITING, State.PLACING, State.PLACED, State.UNKNOWN)
    reason = click.reason if click.state is State.UNKNOWN else _NOT_TOLD
    return clicks.advance(click, State.FAILED, *open_states, reason=reason)


def connect(message: Mapping[str, Any]) -> bool:
    """The second step of a PBX that calls the contact only when it is told to: `step` is what its adapter wrote down.

    Returns whether it was taken; what the PBX refuses ends the call there, and it tells so. Raises botocore's errors.
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
    # First: who is told that it failed may try again at once.
    clicks.free_slot(click)
    clicks.advance(click, State.FAILED, State.WAITING, State.PLACING, reason=reason)
    logger.info("click.failed", extra={"tenant": click.tenant_id, "click": click.id})
    return State.FAILED


def _unknown(click: Click, reason: str) -> State:
    clicks.advance(click, State.UNKNOWN, State.PLACING, reason=reason)
    logger.info("click.unknown", extra={"tenant": click.tenant_id, "click": click.id})
    return State.UNKNOWN


def _never_sent(error: HangtagError) -> bool:
    """Whether no connection was made, so that the PBX can't have heard of it."""
    return any(isinstance(cause, NewConnectionError) for cause in causes(error))
