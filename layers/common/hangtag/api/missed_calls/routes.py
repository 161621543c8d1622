"""Routes of the queue of missed calls."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag import representation
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import MissedCallFilter
from hangtag.api.kernel.models import Cursor, From, Limit, To
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.kernel.visibility import Visibility
from hangtag.api.missed_calls.models import MissedCall, MissedCallPage
from hangtag.errors import ErrorCode, NotFoundError
from hangtag.services.tags.snapshot import from_json
from hangtag.store.calls import missed_calls, tags
from hangtag.store.db.clock import iso, now
from hangtag.store.office import names

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/missed-calls",
    operation_id="listMissedCalls",
    tags=["MissedCalls"],
    summary="List missed calls",
    description=(
        "Returns the missed calls of a period (default: the last seven days) in one state, or with `state=all` in every"
        " state, newest first. Employees see those that rang at their phones or were notified to them, and those"
        " that the tenant's visibility setting permits. A page can be short or empty and still have a `next_cursor`."
    ),
)
def list_missed_calls(
    state: Annotated[
        MissedCallFilter, Query(description="State of the missed calls, or `all`.", examples=["open"])
    ] = MissedCallFilter.OPEN,
    since: From = None,
    until: To = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> MissedCallPage:
    """Return a page of missed calls."""
    times, sight = listing.between(routes.tenant_id, since, until), Visibility(routes.caller)
    states = missed_calls.STATES if state is MissedCallFilter.ALL else (state.value,)
    words = tuple(missed_calls.word(one) for one in states)

    def accept(body: Mapping[str, Any]) -> bool:
        return times.holds(body["at"]) and sight.may_see_missed(body)

    return listing.by_days(MissedCallPage, routes.tenant_id, words, times.span, limit, cursor, accept, _present)


@routes.get(
    "/v1/missed-calls/<missed_call_id>",
    operation_id="getMissedCall",
    tags=["MissedCalls"],
    summary="Get a missed call",
    description="Returns one missed call. 404 also for a missed call that the caller cannot see.",
)
def get_missed_call(missed_call_id: str) -> MissedCall:
    """Return one missed call."""
    return _shown(_load(missed_call_id))


@routes.post(
    "/v1/missed-calls/<missed_call_id>/resolve",
    operation_id="resolveMissedCall",
    tags=["MissedCalls"],
    summary="Resolve a missed call",
    description=(
        "Marks a missed call as resolved without a call back, by the caller of the API. Resolving it again changes"
        " nothing."
    ),
    errors=(ErrorCode.OPERATION_RUNNING,),
)
def resolve_missed_call(missed_call_id: str) -> MissedCall:
    """Resolve a missed call."""
    missed = _load(missed_call_id)
    return _shown(missed_calls.resolve(routes.tenant_id, missed.number, missed.id, routes.caller.name, iso(now())))


def _shown(missed: missed_calls.MissedCall) -> MissedCall:
    (shown,) = _present([missed.to_json()])
    return MissedCall.model_validate(shown)


def _present(bodies: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the public JSON of stored missed calls; all names come from one batched read."""
    stored = list(bodies)
    related = names.load(routes.tenant_id, names.references(stored)) if stored else None
    return [representation.missed_call(body, related) for body in stored] if related else []


def _load(missed_call_id: str) -> missed_calls.MissedCall:
    """Return a missed call that the caller can see, by the number in its tag. Raises NotFoundError."""
    tag = tags.load(routes.tenant_id, found_id(missed_call_id))
    number = from_json(tag.resolution).e164 if tag else ""
    missed = missed_calls.load(routes.tenant_id, number, missed_call_id)
    if missed is None or not Visibility(routes.caller).may_see_missed(missed.to_json()):
        raise NotFoundError("No such missed call.")
    return missed
