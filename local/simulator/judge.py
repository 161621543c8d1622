"""Judges a played story: waits until its calls have landed and compares them with what the story expects."""

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
    """What came of one call of a run: the call and tag as the API shows them, and what is wrong with them."""

    story: str
    expected: Expectation
    call_id: str
    call: Mapping[str, Any] | None
    tag: Mapping[str, Any] | None
    mismatches: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all is as the story expects."""
        return not self.mismatches


class Judge:
    """Looks at calls and tags with the owners' tokens. `offices` maps the names of tenants to their office."""

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
        """Look again and again until every call is as expected, or the time is up. Never raises.

        `landed` is called with each call's verdict as soon as it is known. Once `stop` is set, what is known counts.
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
        """One call of the run as it is now. Never raises: an API that refuses is a mismatch."""
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
                told = self._recipients(expected.tenant, tags[0]["id"])
                mismatches += recipient_mismatches(expected.recipients, people, told)
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
    found = api.get("/v1/calls", integration_id=integration_id, pbx_call_id=call_id)
    return list(found["items"])


def _tags(api: Api, calls: list[Mapping[str, Any]], mismatches: list[str]) -> list[Mapping[str, Any]]:
    """All tags of the calls. As long as no call landed there is nothing to read, which saves most requests."""
    tags: list[Mapping[str, Any]] = []
    for call in calls:
        if not (call["tag_id"] or call["skip_reason"]):
            continue
        listed = api.get("/v1/tags", call_id=call["id"])["items"]
        if call["tag_id"] and api.get(f"/v1/tags/{call['tag_id']}") not in listed:
            mismatches.append("the call's tag is not, or not as it is, among the tags of the call")
        tags += listed
    return tags
