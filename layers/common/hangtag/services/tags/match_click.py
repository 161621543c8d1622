"""Matching of clicks to calls: the call that a PBX reports after a click-to-call request.

A call matches by the PBX's call id if the PBX returned one, by the reference if the PBX sends it back, and otherwise by
the employee's extension and the number while the click is waiting. An extension has at most one waiting click, and a
call that began before the click never matches, so overlapping calls are not mixed up.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from hangtag.domain.calls.classify import PickUp
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.phone import normalise
from hangtag.providers import load
from hangtag.runtime import logger
from hangtag.store.calls import clicks
from hangtag.store.calls import items as calls
from hangtag.store.calls.clicks import Click
from hangtag.store.calls.items import CallItem
from hangtag.store.office.tenants import get_tenant

__all__ = ["pick_up", "with_click"]

_HEX_DIGITS = 32


def with_click(item: CallItem, call: Call) -> CallItem:
    """Return the call's item with its click if it has one. The first process that matches it stores the click.

    Raises NotFoundError for an erased tenant, and botocore's errors.
    """
    if item.click_id is not None or item.emitted is not None or not call.legs:
        return item
    if call.direction is Direction.IN and not call.reference:
        # PBXs report a click as an outgoing call. Most calls are incoming and cost no read here.
        return item
    for click in _candidates(item, call):
        if not clicks.claim(click, item.key):
            continue
        if not calls.attach_click(item.key, click.id, click.task_id):
            continue
        # Freed last: until the call's item contains the click, other processes find it by the slot.
        clicks.free_slot(click)
        logger.info("click.matched", extra={"tenant": item.tenant_id, "click": click.id})
        return replace(item, click_id=click.id, from_task=item.from_task or click.task_id)
    # Another process may have matched the click since the item was read and freed the slot: the call then contains it.
    newest = calls.read(item.key)
    if newest is None or newest.click_id is None:
        return item
    return replace(item, click_id=newest.click_id, from_task=item.from_task or newest.from_task)


def pick_up(item: CallItem) -> PickUp | None:
    """Return the PBX's signal that the employee picked up, for a clicked call; None if the PBX sends none."""
    return load(item.provider).pick_up if item.click_id is not None else None


def _candidates(item: CallItem, call: Call) -> Iterator[Click]:
    """Yield the clicks of this integration that can belong to the call, the most certain first."""
    exact, *by_extension = clicks.candidates(item.tenant_id, item.integration_id, item.call_id, call.extensions)
    reference = call.reference if call.reference and len(call.reference) == _HEX_DIGITS else None
    for click_id in dict.fromkeys(one for one in (exact, reference) if one):
        click = clicks.find(item.tenant_id, click_id)
        if click is not None and click.integration_id == item.integration_id:
            yield click
    for waiting in by_extension:
        click = clicks.find(item.tenant_id, waiting) if waiting else None
        if click is not None and _is_like(click, item, call):
            yield click


def _is_like(click: Click, item: CallItem, call: Call) -> bool:
    """Return True if a call without id or reference fits the free click: extension, number and time match."""
    if click.call not in (None, item.key) or call.direction is not Direction.OUT:
        return False
    if click.extension not in call.extensions or item.first_at is None:
        return False
    # The request to the PBX follows the write of the click, so an earlier call is not the click's.
    if not datetime.fromisoformat(click.at) <= item.first_at <= click.until:
        return False
    return _same_number(click, call.external or "", get_tenant(item.tenant_id).country)


def _same_number(click: Click, external: str, country: str) -> bool:
    """Return True if the PBX reported the number that was requested, in any format."""
    if external == click.dial:
        return True
    number = normalise(external, country)
    return number is not None and number.e164 == click.number
