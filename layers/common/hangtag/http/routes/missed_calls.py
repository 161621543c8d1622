"""The queue of missed calls."""

from typing import Literal

from hangtag.errors import NotFoundError
from hangtag.flow.missed import number_of
from hangtag.flow.resolution import from_json
from hangtag.http import history
from hangtag.http.caller import Role
from hangtag.http.paged import found_id
from hangtag.http.service import Routes
from hangtag.http.shapes import From, Given, Limit, Listed, To
from hangtag.http.sight import Sight
from hangtag.store import missed_calls, tags
from hangtag.store.client import table
from hangtag.store.clock import iso, now
from hangtag.store.missed_calls import MissedCall

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

State = Literal["open", "returned", "resolved"]


class MissedCallOut(Given):
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


@routes.get("/v1/missed-calls")
def get_missed_calls(
    state: State = "open",
    since: From = None,
    until: To = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> Listed[MissedCallOut]:
    """The missed calls of a time in one state, the newest first."""
    found, sight = history.between(since, until), Sight(routes.caller)
    word = missed_calls.word(state)
    return history.by_days(MissedCallOut, routes.tenant_id, word, found, limit, cursor, sight.may_see_missed)


@routes.get("/v1/missed-calls/<missed_call_id>")
def get_missed_call(missed_call_id: str) -> MissedCallOut:
    """One missed call."""
    return MissedCallOut.model_validate(_load(missed_call_id).to_json())


@routes.post("/v1/missed-calls/<missed_call_id>/resolve")
def post_resolve(missed_call_id: str) -> MissedCallOut:
    """Say that nothing is left to be done about it."""
    found = _load(missed_call_id)
    after = missed_calls.resolve(routes.tenant_id, found.number, found.id, routes.caller.name, iso(now()))
    return MissedCallOut.model_validate(after.to_json())


def _load(missed_call_id: str) -> MissedCall:
    """A missed call that the caller may see; its tag knows under which number it is kept. Raises NotFoundError."""
    kept = tags.load(table(), routes.tenant_id, found_id(missed_call_id))
    number = number_of(from_json(kept.resolution)) if kept else ""
    found = missed_calls.load(routes.tenant_id, number, missed_call_id)
    if found is None or not Sight(routes.caller).may_see_missed(found.to_json()):
        raise NotFoundError("there is no such missed call")
    return found
