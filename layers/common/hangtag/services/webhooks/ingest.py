"""What becomes of the events of a delivery: each joins its call, and it is told in words what that came to.

Shared by the webhook and by the replay of a kept delivery. On the webhook's path: what is needed only for a delivery
that is kept is imported there.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hangtag.domain.calls.event import CallEvent
from hangtag.store.calls.events import Appended, Joined, Source, append

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

    from hangtag.store.integrations.request_log import Led


class Taken(NamedTuple):
    """One event, and where it went."""

    event: CallEvent
    joined: Joined


def take_in(
    client: "DynamoDBClient",
    table: str,
    source: Source,
    events: Iterable[CallEvent],
    arrived_at: datetime,
    sweep_after: timedelta,
) -> tuple[Taken, ...]:
    """Add events to their calls, in order. Raises botocore's errors; calling again is safe."""
    return tuple(Taken(event, append(client, table, source, event, arrived_at, sweep_after)) for event in events)


def wrong(taken: Sequence[Taken]) -> str | None:
    """What the admin should know of an accepted delivery; None if all is well."""
    if any(one.joined.verdict is Appended.FULL for one in taken):
        return "the call has its 200 events already"
    if any(one.joined.cut for one in taken):
        return "over 1 KB: extra fields or the recording's link were cut"
    return None


def told(taken: Sequence[Taken]) -> str:
    """What an accepted delivery led to, in words."""
    if not taken:
        return "understood; it brought no event of a call"
    if all(one.joined.verdict is Appended.DUPLICATE for one in taken):
        return "a double of what came before; nothing changed"
    return wrong(taken) or "understood and stored"


def led(source: Source, taken: Sequence[Taken]) -> tuple["Led", ...]:
    """The same for each event, with its call's id in the API."""
    from hangtag.store.calls.items import call_key, public_id
    from hangtag.store.integrations.request_log import Led

    def call_id(one: Taken) -> str:
        place = call_key(source.tenant_id, source.integration_id, one.event.call_id, one.joined.generation)
        return public_id(source.integration_id, place)

    return tuple(
        Led(
            str(one.event.kind),
            one.event.extension,
            call_id(one),
            one.joined.verdict.name.lower(),
            one.event.digest(),
        )
        for one in taken
    )
