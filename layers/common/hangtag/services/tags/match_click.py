"""Which call it is that a click began: what the PBX reports and what the employee asked for are one call.

By the PBX's id of the call, where it named one; by our reference, where it gives that back; else by the employee's
extension and the number, while that click waits for its call. Of an extension one click waits at a time, and a call
that was there before the click is not taken for it; so two calls that overlap are not mixed up.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from hangtag.domain.calls.classify import PickUp
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.observability import logger
from hangtag.phone import normalise
from hangtag.providers import load
from hangtag.store.calls import clicks
from hangtag.store.calls import items as calls
from hangtag.store.calls.clicks import Click
from hangtag.store.calls.items import CallItem
from hangtag.store.office.tenants import get_tenant

__all__ = ["joined", "pick_up"]

_HEX_DIGITS = 32


def joined(item: CallItem, call: Call) -> CallItem:
    """The call's item, with its click if it has one; whoever finds out first writes it down.

    Raises NotFoundError for an erased tenant, and botocore's errors.
    """
    if item.click_id is not None or item.emitted is not None or not call.legs:
        return item
    if call.direction is Direction.IN and not call.reference:
        # No PBX calls a click an incoming call; most calls are, and cost no read here.
        return item
    for click in _candidates(item, call):
        if not clicks.claim(click, item.key):
            continue
        if not calls.attach_click(item.key, click.id, click.task_id):
            continue
        # Only now: until the call says so itself, others find its click by the slot.
        clicks.free_slot(click)
        logger.info("click.matched", extra={"tenant": item.tenant_id, "click": click.id})
        return replace(item, click_id=click.id, from_task=item.from_task or click.task_id)
    # Somebody else may have found it since the item was read, and freed the slot: then the call says it.
    newest = calls.read(item.key)
    if newest is None or newest.click_id is None:
        return item
    return replace(item, click_id=newest.click_id, from_task=item.from_task or newest.from_task)


def pick_up(item: CallItem) -> PickUp | None:
    """Of a clicked call: how its PBX tells that the employee picked up, if it does."""
    return load(item.provider).pick_up if item.click_id is not None else None


def _candidates(item: CallItem, call: Call) -> Iterator[Click]:
    """The clicks that the call may be of, the surest first; each must be of this integration."""
    exact, *by_extension = clicks.candidates(item.tenant_id, item.integration_id, item.call_id, call.extensions)
    reference = call.reference if call.reference and len(call.reference) == _HEX_DIGITS else None
    for named in dict.fromkeys(one for one in (exact, reference) if one):
        click = clicks.find(item.tenant_id, named)
        if click is not None and click.integration_id == item.integration_id:
            yield click
    for waiting in by_extension:
        click = clicks.find(item.tenant_id, waiting) if waiting else None
        if click is not None and _is_like(click, item, call):
            yield click


def _is_like(click: Click, item: CallItem, call: Call) -> bool:
    """Whether a call that names neither can be the click's: extension, number and time fit, and no other has it."""
    if click.call not in (None, item.key) or call.direction is not Direction.OUT:
        return False
    if click.extension not in call.extensions or item.first_at is None:
        return False
    # A PBX is asked only after the click was written down: clocks would have to differ by more than that takes.
    if not datetime.fromisoformat(click.at) <= item.first_at <= click.until:
        return False
    return _same_number(click, call.external or "", get_tenant(item.tenant_id).country)


def _same_number(click: Click, told: str, country: str) -> bool:
    """Whether the PBX told the number that it was given, in whatever form it writes numbers."""
    if told == click.dial:
        return True
    number = normalise(told, country)
    return number is not None and number.e164 == click.number
