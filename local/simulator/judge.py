"""Check of a played story: waits for its calls and compares them with the story's expectation."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.simulator.api import Api, ApiError
from local.simulator.compare import People, compare, recipient_mismatches
from local.simulator.office import Office
from local.simulator.player import Run
from local.simulator.story import Expectation, fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one call of a run: the call and tag as the API returns them, and their differences."""

    story: str
    expected: Expectation
    call_id: str
    call: Mapping[str, Any] | None
    tag: Mapping[str, Any] | None
    mismatches: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Return True if the call and tag are as expected."""
        return not self.mismatches


class Judge:
    """Reader of calls and tags with the owners' tokens. `offices` maps tenant names to offices."""

    def __init__(
        self,
        base: str,
        offices: Mapping[str, Office],
        *,
        stop: threading.Event | None = None,
    ) -> None:
        self._offices = offices
        self._apis = {name: Api(base, office.owner_token, stop=stop) for name, office in offices.items()}
        self._stop = stop or threading.Event()

    def judge(
        self,
        run: Run,
        *,
        within_seconds: float = 60.0,
        every_seconds: float = 0.5,
        landed: Callable[[Verdict], None] | None = None,
    ) -> tuple[Verdict, ...]:
        """Poll until every call is as expected or the time is up, and return the verdicts. Never raises.

        `landed` is called with each verdict once it is final. Setting `stop` makes the current verdicts final.
        """
        deadline = time.monotonic() + within_seconds
        verdicts: dict[int, Verdict] = {}
        open_ones = dict(enumerate(run.story.expect))
        while open_ones:
            last = time.monotonic() >= deadline or self._stop.is_set()
            for number, expected in list(open_ones.items()):
                verdict = self.look(run, expected)
                if verdict.ok or last:
                    verdicts[number] = verdict
                    del open_ones[number]
                    if landed is not None:
                        landed(verdict)
            if open_ones:
                self._stop.wait(every_seconds)
        return tuple(verdicts[number] for number in sorted(verdicts))

    def look(self, run: Run, expected: Expectation) -> Verdict:
        """Return the current verdict on one call of the run. Never raises: an API error is a mismatch."""
        office = self._offices[expected.tenant]
        call_id = fill(expected.call, run.ids)
        calls: list[Mapping[str, Any]] = []
        tags: list[Mapping[str, Any]] = []
        mismatches: list[str] = []
        try:
            integration_id = office.lines[run.story.provider].integration_id
            calls = _calls(self._apis[expected.tenant], integration_id, call_id)
            tags = _tags(self._apis[expected.tenant], calls, mismatches)
        except ApiError as error:
            mismatches.append(str(error))
        else:
            people = People(employees=office.employees, contacts=office.contacts, tasks=office.tasks)
            mismatches += compare(expected, run.ids, people, calls, tags)
            if expected.recipients is not None and not mismatches:
                recipients = self._recipients(expected.tenant, tags[0]["id"])
                mismatches += recipient_mismatches(expected.recipients, people, recipients)
        return Verdict(
            story=run.story.title,
            expected=expected,
            call_id=call_id,
            call=calls[0] if calls else None,
            tag=tags[0] if tags else None,
            mismatches=tuple(mismatches),
        )

    def _recipients(self, tenant: str, tag_id: str) -> list[str]:
        """Return the ids of the notified employees of a missed call; none before it is in the queue."""
        try:
            missed = self._apis[tenant].get(f"/v1/missed-calls/{tag_id}")
            return [employee["id"] for employee in missed["notified_employees"]]
        except ApiError:
            return []


def _calls(api: Api, integration_id: str, call_id: str) -> list[Mapping[str, Any]]:
    page = api.get("/v1/calls", integration_id=integration_id, pbx_call_id=call_id)
    return list(page["items"])


def _tags(api: Api, calls: list[Mapping[str, Any]], mismatches: list[str]) -> list[Mapping[str, Any]]:
    """Return all tags of the calls. Calls without a result are not queried, which saves most requests."""
    tags: list[Mapping[str, Any]] = []
    for call in calls:
        if not (call["tag_id"] or call["skip_reason"]):
            continue
        page = api.get("/v1/tags", call_id=call["id"])["items"]
        if call["tag_id"] and api.get(f"/v1/tags/{call['tag_id']}") not in page:
            mismatches.append("the list of the call's tags does not contain the current tag")
        tags += page
    return tags
