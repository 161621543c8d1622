"""Telnyx's lists of webhook deliveries and recordings as events."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import Account, PbxClient
from hangtag.providers.call_control import Leg
from hangtag.providers.call_control_api import Row, readable, recording_events, timestamp
from hangtag.providers.reading import moment, need, text
from hangtag.providers.telnyx.api import rows
from hangtag.providers.telnyx.legs import leg_events, own_numbers
from hangtag.providers.telnyx.webhook import KINDS, payload_of, read_leg

# Maximum length of a call at Telnyx, and of the delay of the webhook of its end.
_LONGEST = timedelta(hours=4, minutes=30)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of the webhooks of the calls that began in the period, delivered or not, and the recordings.

    Telnyx stores the webhooks as they were sent, so the events are equal to those of the webhook. If `connection_id`
    is entered, only the calls of that application are included.
    """
    late = until + _LONGEST
    own, connection = own_numbers(account.settings), account.credentials.get("connection_id")

    def read(row: Row) -> tuple[Leg, tuple[CallEvent, ...]] | None:
        webhook = row.get("webhook")
        if not isinstance(webhook, dict) or text(webhook, "event_type") not in KINDS:
            return None
        at = moment(text(webhook, "occurred_at"))
        if at is None or (connection and text(payload_of(webhook), "connection_id") not in ("", connection)):
            return None
        leg = read_leg(webhook, at)
        return leg, leg_events(need(webhook, "event_type"), leg, own)

    events: dict[str, list[CallEvent]] = {}
    begun: dict[str, datetime] = {}
    filters = {"filter[event_type]": ",".join(KINDS), **_between("started_at", since, late)}
    for leg, of_leg in readable(rows(account, client, "webhook_deliveries", filters), read):
        events.setdefault(leg.call_id, []).extend(of_leg)
        begun[leg.call_id] = min(begun.get(leg.call_id, leg.at), leg.at, leg.begun or leg.at)
    calls = {call_id for call_id, at in begun.items() if since <= at < until and events[call_id]}
    for call_id in calls:
        yield from events[call_id]
    if calls:
        listed = rows(account, client, "recordings", _between("created_at", since, late))
        yield from recording_events(
            listed, calls, call_id="call_session_id", created="created_at", reference=lambda row: need(row, "id", 64)
        )


def _between(name: str, since: datetime, until: datetime) -> dict[str, str]:
    return {f"filter[{name}][gte]": timestamp(since), f"filter[{name}][lte]": timestamp(until)}
