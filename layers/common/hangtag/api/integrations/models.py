"""What the API takes and gives of integrations and their deliveries."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from hangtag.api.kernel.models import UNSENT, Page, RequestModel, ResponseModel, Text

__all__ = [
    "CreateIntegrationRequest",
    "CreatedIntegration",
    "DiagnosticCheck",
    "DiagnosticReport",
    "IntegrationDetail",
    "IntegrationOut",
    "ProviderField",
    "ProviderOut",
    "ReplayResult",
    "RotateWebhookEndpointRequest",
    "RotatedWebhookEndpoint",
    "UpdateIntegrationRequest",
    "WatchWebhookRequestsRequest",
    "WebhookEventResult",
    "WebhookRequestLogEntry",
]


class CreateIntegrationRequest(RequestModel):
    """A connection to a PBX. Which credentials it takes depends on the provider."""

    provider: Annotated[str, StringConstraints(max_length=64)]
    name: Text
    credentials: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)


class UpdateIntegrationRequest(RequestModel):
    """What changes of an integration; what is not sent stays.

    `credentials` are merged: each that is sent replaces the one of its name, null takes it away, the others stay.
    `settings` are replaced. What the PBX still signs with credentials as they were before is taken for the overlap.
    """

    name: Text = UNSENT
    credentials: dict[str, Any] = UNSENT
    settings: dict[str, Any] = UNSENT
    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class IntegrationOut(ResponseModel):
    """An integration, without what is secret.

    `previous_url_until`: when the webhook's address before the last rotation stops; null if there is none.
    `watched_until`: until when all deliveries are kept; null if they are not.
    """

    id: str
    provider: str
    name: str
    settings: dict[str, Any]
    created_at: datetime
    previous_url_until: datetime | None
    watched_until: datetime | None


class IntegrationPage(Page[IntegrationOut]):
    """A page of the list."""


class IntegrationDetail(IntegrationOut):
    """One integration. `last_delivery_at` is the latest that is known of: a delivery that was kept, or a call.

    `history` says how far the PBX's history was compared; null if it has none. `look_after` is what came of seeing to
    it that the PBX goes on posting; null if it goes on by itself, or was not asked yet.
    """

    last_delivery_at: datetime | None
    history: "ReconciliationProgress | None" = None
    look_after: "DiagnosticCheck | None" = None


class ReconciliationProgress(ResponseModel):
    """How far a PBX's history was compared with what its webhooks told.

    `compared_until`: all calls that began before were. `compared_at`: when the last try ended; `error` says why that
    failed.
    """

    compared_until: datetime | None
    compared_at: datetime | None
    error: str | None


class RecoveredCall(ResponseModel):
    """A call that lacked something until the PBX's history was asked: all of it, its end, who answered, its recording,
    or details. `at`: when that was found.
    """

    call_id: str
    missing: Literal["call", "end", "answer", "recording", "details"]
    started_at: datetime | None
    at: datetime


class RecoveredCallPage(Page[RecoveredCall]):
    """A page of the list."""


class StartReconciliationRequest(RequestModel):
    """The time whose calls are to be compared: those that began from `from` to `to`, at most 7 days."""

    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")


class DiagnosticCheck(ResponseModel):
    """One thing that was looked at."""

    what: Literal["credentials", "deliveries", "previous_url", "extensions", "pbx", "set_up", "look_after"]
    ok: bool
    detail: str


class CreatedIntegration(ResponseModel):
    """An integration just made, with its webhook's address and the PBX's secrets, shown once.

    `instructions` are the steps to take at the PBX. `set_up` is what the PBX said when it was told the address; null
    if it can't be told.
    """

    id: str
    provider: str
    name: str
    webhook_url: str
    secrets: dict[str, str]
    instructions: list[str]
    set_up: DiagnosticCheck | None
    created_at: datetime


class RotateWebhookEndpointRequest(RequestModel):
    """A new webhook address, and new secrets too if `secrets`. What it replaces lives for the overlap."""

    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24
    secrets: bool = False


class RotatedWebhookEndpoint(ResponseModel):
    """The new webhook's address and the new secrets, shown once. `previous_until` is null if the old ones died."""

    id: str
    webhook_url: str
    secrets: dict[str, str]
    instructions: list[str]
    set_up: DiagnosticCheck | None
    previous_until: datetime | None


class WatchWebhookRequestsRequest(RequestModel):
    """For how long all deliveries are to be kept."""

    minutes: Annotated[int, Field(ge=1, le=1440)]


class WebhookEventResult(ResponseModel):
    """What one event of a delivery came to.

    `full`: its call has 200 events already; `left_out`: a replay could not be sure to say what the PBX said.
    """

    kind: Literal["ringing", "picked_up", "answered", "transferred", "ended", "recorded", "summary", "settled"]
    extension: str | None
    call_id: str | None
    result: Literal["stored", "duplicate", "full", "left_out"]


class WebhookRequestLogEntry(ResponseModel):
    """A webhook request as it came, its secrets masked, and what it led to.

    `status` is what the PBX was told, `reason` why, in words. `kept` says why it is shown at all: something was wrong,
    it is of a kind that is not known, the address was new, or an admin watched. `truncated`: it was longer than what is
    kept of it.
    """

    id: str
    received_at: datetime
    status: int
    reason: str
    kept: Literal["set_up", "watched", "error", "unknown"]
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    truncated: bool
    events: list[WebhookEventResult]


class WebhookRequestLogEntryPage(Page[WebhookRequestLogEntry]):
    """A page of the list."""


class ReplayResult(ResponseModel):
    """What a delivery led to when it was run again. It is never verified: its secrets are not kept."""

    delivery_id: str
    understood: bool
    verified: Literal[False]
    reason: str
    events: list[WebhookEventResult]


class DiagnosticReport(ResponseModel):
    """Whether an integration works, and what of it does not."""

    ok: bool
    findings: list[DiagnosticCheck]


class ProviderField(ResponseModel):
    """One thing that a PBX needs the admin to type, or that can be set of it."""

    name: str
    required: bool
    secret: bool
    type: Literal["string", "boolean", "integer"]
    description: str


class ProviderOut(ResponseModel):
    """What a PBX needs, and can do."""

    key: str
    name: str
    credentials: list[ProviderField]
    settings: list[ProviderField]
    secrets: list[str]
    capabilities: list[str]


class ProviderPage(Page[ProviderOut]):
    """A page of the list."""
