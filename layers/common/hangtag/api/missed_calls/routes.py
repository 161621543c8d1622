"""The queue of missed calls."""

from typing import Literal

from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import From, Limit, Page, ResponseModel, To
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.kernel.visibility import Visibility
from hangtag.errors import NotFoundError
from hangtag.services.tags.missed_calls import number_of
from hangtag.services.tags.snapshot import from_json
from hangtag.store.calls import missed_calls, tags
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.db.clock import iso, now

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

State = Literal["open", "returned", "resolved"]


class MissedCallOut(ResponseModel):
    """An incoming call that nobody took. `rung` and `recipients` are employees; the id is that of its tag."""

    id: str
    call_id: str
    at: str
    number: str
    line: str | None
    contact_id: str | None
    rung: list[str]
    recipients: list[str]
    state: State
    returned_by_call_id: str | None
    returned_at: str | None
    resolved_by: str | None
    resolved_at: str | None


class MissedCallPage(Page[MissedCallOut]):
    """A page of the list."""


@routes.get(
    "/v1/missed-calls",
    operation_id="listMissedCalls",
    tags=["MissedCalls"],
    summary="List missed calls",
    description="The missed calls of a time in one state, the newest first.",
)
def list_missed_calls(
    state: State = "open",
    since: From = None,
    until: To = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> MissedCallPage:
    """The missed calls of a time in one state, the newest first."""
    found, sight = listing.between(routes.tenant_id, since, until), Visibility(routes.caller)
    word = missed_calls.word(state)
    return listing.by_days(MissedCallPage, routes.tenant_id, word, found, limit, cursor, sight.may_see_missed)


@routes.get(
    "/v1/missed-calls/<missed_call_id>",
    operation_id="getMissedCall",
    tags=["MissedCalls"],
    summary="Get a missed call",
    description="One missed call.",
)
def get_missed_call(missed_call_id: str) -> MissedCallOut:
    """One missed call."""
    return MissedCallOut.model_validate(_load(missed_call_id).to_json())


@routes.post(
    "/v1/missed-calls/<missed_call_id>/resolve",
    operation_id="resolveMissedCall",
    tags=["MissedCalls"],
    summary="Resolve a missed call",
    description="Say that nothing is left to be done about it.",
)
def resolve_missed_call(missed_call_id: str) -> MissedCallOut:
    """Say that nothing is left to be done about it."""
    found = _load(missed_call_id)
    after = missed_calls.resolve(routes.tenant_id, found.number, found.id, routes.caller.name, iso(now()))
    return MissedCallOut.model_validate(after.to_json())


def _load(missed_call_id: str) -> MissedCall:
    """A missed call that the caller may see; its tag knows under which number it is kept. Raises NotFoundError."""
    kept = tags.load(routes.tenant_id, found_id(missed_call_id))
    number = number_of(from_json(kept.resolution)) if kept else ""
    found = missed_calls.load(routes.tenant_id, number, missed_call_id)
    if found is None or not Visibility(routes.caller).may_see_missed(found.to_json()):
        raise NotFoundError("there is no such missed call")
    return found
