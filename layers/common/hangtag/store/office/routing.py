"""Routing of a caller: the supervisor of a contact, a deputy, or a free member of a group.

A caller lookup is one indexed read; people, groups and rules are cached for a minute. Busy employees are read only for
groups. On the path of lookups: standard library and botocore only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hangtag.hours import Hours, is_working
from hangtag.runtime import TtlCache
from hangtag.store.calls import active_calls
from hangtag.store.db.client import table
from hangtag.store.db.keys import key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

REMEMBERED = 10_000
REMEMBERED_SECONDS = 60.0
OFF, ON, WORKING_HOURS = "off", "on", "working_hours"


@dataclass(frozen=True, slots=True)
class CallerRoute:
    """Result of a caller lookup: the contact's name, and the extension to route to on the requesting integration."""

    name: str
    extension: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The tenant's routing mode (off, on, working_hours) and time zone."""

    mode: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Person:
    """Routing data of an employee: the first extension on each integration, hours, deputy."""

    extensions: Mapping[str, str]
    hours: Hours | None
    deputy_id: str | None


_rules: TtlCache[str, Rules] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)
_people: TtlCache[tuple[str, str], Person | None] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)
_groups: TtlCache[tuple[str, str], tuple[str, ...] | None] = TtlCache(REMEMBERED, REMEMBERED_SECONDS)


@dataclass(frozen=True, slots=True)
class Router:
    """Caller lookup for one integration. All methods raise botocore's errors; callers fail open."""

    client: "DynamoDBClient"
    tenant_id: str
    integration_id: str

    def find(self, e164: str, at: datetime | None = None) -> CallerRoute | None:
        """Return the contact of a number and its route at that time (default now), or None."""
        claim = self._get(key("T", self.tenant_id, "PHONE", e164), "CONTACT")
        if claim is None:
            return None
        supervisor = claim.get("supervisor_id", {}).get("S")
        extension = self._route(supervisor, at or datetime.now(UTC)) if supervisor else None
        return CallerRoute(claim["name"]["S"], extension)

    def _route(self, supervisor_id: str, at: datetime) -> str | None:
        rules = _rules.get_or(self.tenant_id, self._read_rules)
        if rules.mode == OFF:
            return None
        members = self._members(supervisor_id)
        if members is None:
            return self._extension(supervisor_id, rules, at)
        reachable = [extension for member in members if (extension := self._extension(member, rules, at)) is not None]
        return self._first_free(reachable)

    def _extension(self, employee_id: str, rules: Rules, at: datetime) -> str | None:
        """Return an employee's own extension, or the deputy's if the employee does not work or has none."""
        person = self._person(employee_id)
        if person is None:
            return None
        own = self._own(person, rules, at)
        if own is not None or person.deputy_id is None:
            return own
        deputy = self._person(person.deputy_id)
        return self._own(deputy, rules, at) if deputy is not None else None

    def _own(self, person: Person, rules: Rules, at: datetime) -> str | None:
        if rules.mode == WORKING_HOURS and not is_working(person.hours, at, rules.time_zone):
            return None
        return person.extensions.get(self.integration_id)

    def _first_free(self, extensions: Sequence[str]) -> str | None:
        """Return the first extension, in the group's order, that is not in a call; None lets the PBX decide."""
        if not extensions:
            return None
        busy = active_calls.busy_extensions(self.tenant_id)
        return next((extension for extension in extensions if key(self.integration_id, extension) not in busy), None)

    def _members(self, supervisor_id: str) -> tuple[str, ...] | None:
        """Return the members of a group; None for an id of another kind."""

        def load() -> tuple[str, ...] | None:
            item = self._get(key("T", self.tenant_id), key("GROUP", supervisor_id))
            return tuple(json.loads(item["employee_ids"]["S"])) if item is not None else None

        return _groups.get_or((self.tenant_id, supervisor_id), load)

    def _person(self, employee_id: str) -> Person | None:
        def load() -> Person | None:
            item = self._get(key("T", self.tenant_id), key("EMPLOYEE", employee_id))
            return _person(item) if item is not None else None

        return _people.get_or((self.tenant_id, employee_id), load)

    def _read_rules(self) -> Rules:
        settings = self._get(key("T", self.tenant_id), "SETTINGS")
        tenant = self._get(key("T", self.tenant_id), "TENANT")
        body = json.loads(settings["body"]["S"]) if settings is not None and "body" in settings else {}
        zone = tenant["time_zone"]["S"] if tenant is not None else "UTC"
        return Rules(body.get("routing", {}).get("mode", ON), zone)

    def _get(self, pk: str, sk: str) -> Any:
        # Consistent, because absences are cached and an item can be a moment old.
        response = self.client.get_item(TableName=table(), Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)
        return response.get("Item")


def _person(item: Mapping[str, Any]) -> Person:
    first: dict[str, str] = {}
    for extension in json.loads(item["extensions"]["S"]):
        first.setdefault(extension["integration_id"], extension["extension"])
    hours = json.loads(item["working_hours"]["S"]) if "S" in item.get("working_hours", {}) else None
    return Person(first, Hours.from_json(hours) if hours else None, item.get("deputy_id", {}).get("S"))
