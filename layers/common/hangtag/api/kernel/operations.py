"""Descriptions of the API's operations, set at each route and written into the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hangtag.api.kernel.caller import Role
from hangtag.errors import ErrorCode

__all__ = ["ROLE_SENTENCES", "TAGS", "Operation"]

MAX_SUMMARY = 60

TAGS: Mapping[str, str] = MappingProxyType(
    {
        "Audit": "The log of administrative changes.",
        "CRM": "The outside CRM: its webhook, signing secret, health and dead letters.",
        "Calls": "Calls that the tenant's PBXs report, and click-to-call.",
        "Comments": "Comments of employees on calls.",
        "Contacts": "The people and companies that the tenant talks to.",
        "Document": "This OpenAPI document.",
        "Employees": "The tenant's staff, with phones, extensions and working hours.",
        "Groups": "Groups of employees. A group can supervise contacts.",
        "Identity": "The holder of the token.",
        "Imports": "Imports of contacts from a CSV file.",
        "Integrations": "Connected PBXs: credentials, extensions, diagnostics and reconciliation.",
        "Lines": "Names and colours of the tenant's own phone numbers.",
        "Live": "Tickets for the WebSocket channel with live calls.",
        "MissedCalls": "The queue of missed calls that need a call back.",
        "Privacy": "Erasure of a person's data and export of the tenant's data.",
        "Recordings": "Recordings of calls: playback, retries and retention holds.",
        "Reports": "Aggregated call statistics and their CSV files.",
        "Settings": "Telephony rules, tag definitions and number display formats.",
        "Tags": "Tags: the records of ended calls at contacts and tasks.",
        "Tasks": "Tasks and the planner.",
        "Tenants": "Tenants of this installation, for its operator.",
        "Tokens": "Access tokens of the tenant.",
        "Webhooks": "The log of webhook requests that PBXs send.",
    }
)
ROLE_SENTENCES: Mapping[Role, str] = MappingProxyType(
    {
        Role.ANYONE: "Required role: any valid token.",
        Role.EMPLOYEE: "Required role: employee.",
        Role.ADMIN: "Required role: admin.",
        Role.OWNER: "Required role: owner.",
        Role.OPERATOR: "Required role: operator.",
    }
)


@dataclass(frozen=True, slots=True)
class Operation:
    """Description of one operation.

    `errors` are the codes that do not follow from the operation's shape. `example` is a request body; operations with
    path parameters only have none. `role` is None for an operation without authentication.
    """

    operation_id: str
    tag: str
    summary: str
    description: str
    role: Role | None
    errors: frozenset[ErrorCode] = frozenset()
    example: Any = None

    def __post_init__(self) -> None:
        """Raise ValueError for an incomplete description, at import."""
        if not self.operation_id.isidentifier() or not self.operation_id[0].islower() or "_" in self.operation_id:
            raise ValueError(f"{self.operation_id!r} is not an operation id in camelCase")
        if self.tag not in TAGS:
            raise ValueError(f"{self.operation_id} has the unknown tag {self.tag!r}")
        if not 0 < len(self.summary) <= MAX_SUMMARY or self.summary.endswith("."):
            raise ValueError(f"the summary of {self.operation_id} is empty, too long or ends with a full stop")
        if not self.description:
            raise ValueError(f"{self.operation_id} has no description")

    @property
    def required_role(self) -> str:
        """The value of `x-required-role`; `none` without authentication."""
        return self.role.name.lower() if self.role is not None else "none"

    @property
    def full_description(self) -> str:
        """The description with the required role as its last sentence."""
        sentence = ROLE_SENTENCES[self.role] if self.role is not None else "No authentication required."
        return f"{self.description} {sentence}"
