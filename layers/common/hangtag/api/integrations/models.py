"""Request and response models of integrations, their webhook requests, diagnostics and reconciliation."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from hangtag.api.kernel.enums import (
    CallEventKind,
    Capability,
    DiagnosticName,
    EventResult,
    LogReason,
    ProviderKey,
    RecoveredPart,
)
from hangtag.api.kernel.models import (
    UNSENT,
    EmployeeSummary,
    Instant,
    Page,
    RequestModel,
    ResponseModel,
    Text,
)

__all__ = [
    "CreateIntegrationRequest",
    "CreatedIntegration",
    "DiagnosticCheck",
    "DiagnosticReport",
    "ExtensionUsage",
    "ExtensionUsagePage",
    "Integration",
    "IntegrationDetail",
    "IntegrationPage",
    "PbxExtension",
    "PbxExtensionPage",
    "Provider",
    "ProviderField",
    "ProviderFieldType",
    "ProviderPage",
    "ReconciliationProgress",
    "RecoveredCall",
    "RecoveredCallPage",
    "ReplayResult",
    "RotateWebhookEndpointRequest",
    "RotatedWebhookEndpoint",
    "StartReconciliationRequest",
    "UpdateIntegrationRequest",
    "WatchWebhookRequestsRequest",
    "WebhookEventResult",
    "WebhookRequestLogEntry",
    "WebhookRequestLogEntryPage",
]

MAX_OVERLAP_HOURS = 168
_ID_EXAMPLE = "5f4dcc3b5aa765d6"
_NAME = "Name of the integration, 1 to 200 characters."
_PROVIDER = "Key of the PBX provider."
_SETTINGS = "Settings of the provider by name, see `listProviders`."
_SETTINGS_EXAMPLE = {"time_zone": "Europe/Berlin"}
_CREDENTIALS = "Credentials of the provider by name, see `listProviders`. They are never shown."
_CREDENTIALS_EXAMPLE = {"api_key": "Zm9vYmFyYmF6cXV4"}
_WEBHOOK_URL = "URL that the PBX sends webhook requests to. Shown only once."
_WEBHOOK_URL_EXAMPLE = "https://hangtag.example.com/tel/api/c2VjcmV0LXRva2Vu"
_SECRETS = "Secrets generated for the PBX, by name. Shown only once; empty if the provider needs none."
_INSTRUCTIONS = "Steps to take at the PBX, in order."
_INSTRUCTIONS_EXAMPLE = ["Enter webhook_url as the address of the CRM."]
_SETUP = "Result of the automatic set-up at the PBX. Null if the PBX has to be set up by hand."
_PREVIOUS_URL = "End of the previous webhook URL's overlap. Null if no previous URL is accepted."
_CREATED = "Time of the integration's creation."
_TIME_EXAMPLE = "2026-11-30T20:41:53.855Z"
_CALL_ID_EXAMPLE = "5f4dcc3b5aa765d6.5f4dcc3b5aa765d61d8327deb882cf99.0000"

OverlapHours = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_OVERLAP_HOURS,
        description="Number of hours in which the previous URL and secrets stay valid. 0 ends them at once.",
        examples=[24],
    ),
]
IntegrationName = Annotated[Text, Field(description=_NAME, examples=["Office"])]


class CreateIntegrationRequest(RequestModel):
    """Body of `createIntegration`. Credentials and settings depend on the provider."""

    provider: Annotated[
        str,
        StringConstraints(max_length=64),
        Field(description=f"{_PROVIDER} See `listProviders`.", examples=["telephony_api"]),
    ]
    name: IntegrationName
    credentials: Annotated[dict[str, Any], Field(description=_CREDENTIALS, examples=[_CREDENTIALS_EXAMPLE])] = Field(
        default_factory=dict
    )
    settings: Annotated[dict[str, Any], Field(description=_SETTINGS, examples=[_SETTINGS_EXAMPLE])] = Field(
        default_factory=dict
    )


class UpdateIntegrationRequest(RequestModel):
    """Body of `updateIntegration`. Omitted properties keep their values."""

    name: IntegrationName = UNSENT
    credentials: Annotated[
        dict[str, Any],
        Field(
            description=f"{_CREDENTIALS} Merged by name: null removes a credential, omitted ones stay.",
            examples=[_CREDENTIALS_EXAMPLE],
        ),
    ] = UNSENT
    settings: Annotated[
        dict[str, Any], Field(description=f"{_SETTINGS} They replace all settings.", examples=[_SETTINGS_EXAMPLE])
    ] = UNSENT
    overlap_hours: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_OVERLAP_HOURS,
            description=(
                "Number of hours in which webhook requests signed with the previous credentials are accepted. "
                "0 ends them at once."
            ),
            examples=[24],
        ),
    ] = 24


class Integration(ResponseModel):
    """Connection to a PBX, without its secrets."""

    id: Annotated[str, Field(description="Id of the integration.", examples=[_ID_EXAMPLE])]
    provider: Annotated[ProviderKey, Field(description=_PROVIDER, examples=["telephony_api"])]
    name: Annotated[str, Field(description=_NAME, examples=["Office"])]
    settings: Annotated[dict[str, Any], Field(description=_SETTINGS, examples=[_SETTINGS_EXAMPLE])]
    created_at: Annotated[Instant, Field(description=_CREATED, examples=[_TIME_EXAMPLE])]
    previous_url_until: Annotated[Instant | None, Field(description=_PREVIOUS_URL, examples=[_TIME_EXAMPLE])]
    watched_until: Annotated[
        Instant | None,
        Field(
            description="End of the time in which all webhook requests are logged. Null if they are not.",
            examples=[_TIME_EXAMPLE],
        ),
    ]


class IntegrationPage(Page[Integration]):
    """Page of integrations, in the order of their ids."""


class DiagnosticCheck(ResponseModel):
    """Result of one check."""

    check: Annotated[DiagnosticName, Field(description="Name of the check.", examples=["pbx"])]
    ok: Annotated[bool, Field(description="True if the check passed.", examples=[True])]
    detail: Annotated[
        str, Field(description="Result in words.", examples=["The PBX accepts requests with these credentials."])
    ]


class DiagnosticReport(ResponseModel):
    """Diagnostics of an integration."""

    ok: Annotated[bool, Field(description="True if all checks passed.", examples=[True])]
    checks: Annotated[list[DiagnosticCheck], Field(description="Results of the checks, in the order of their run.")]


class ReconciliationProgress(ResponseModel):
    """Progress of the comparison with the PBX's call log."""

    reconciled_until: Annotated[
        Instant | None,
        Field(
            description="Calls that began before this time are compared. Null before the first comparison.",
            examples=[_TIME_EXAMPLE],
        ),
    ]
    last_run_at: Annotated[
        Instant | None,
        Field(description="End of the last run. Null before the first run.", examples=[_TIME_EXAMPLE]),
    ]
    error: Annotated[
        str | None,
        Field(
            description="Cause of the last run's failure. Null if it succeeded.",
            examples=["The PBX did not respond in time."],
        ),
    ]


class IntegrationDetail(Integration):
    """Integration with its activity."""

    last_webhook_at: Annotated[
        Instant | None,
        Field(
            description="Time of the latest known webhook request or call. Null without one in the last day.",
            examples=[_TIME_EXAMPLE],
        ),
    ]
    reconciliation: Annotated[
        ReconciliationProgress | None,
        Field(description="Progress of the reconciliation. Null if the PBX has no call log to compare with."),
    ]
    subscription: Annotated[
        DiagnosticCheck | None,
        Field(
            description=(
                "Last renewal of the PBX's event subscription. Null before the first renewal and for PBXs without "
                "subscriptions."
            )
        ),
    ]


class RecoveredCall(ResponseModel):
    """Call that reconciliation completed from the PBX's call log."""

    call_id: Annotated[str, Field(description="Id of the call.", examples=[_CALL_ID_EXAMPLE])]
    missing: Annotated[
        RecoveredPart, Field(description="Part of the call that the webhook requests lacked.", examples=["end"])
    ]
    started_at: Annotated[
        Instant | None, Field(description="Start of the call. Null if unknown.", examples=[_TIME_EXAMPLE])
    ]
    recovered_at: Annotated[Instant, Field(description="Time of the recovery.", examples=[_TIME_EXAMPLE])]


class RecoveredCallPage(Page[RecoveredCall]):
    """Page of recovered calls of the last 30 days, newest first."""


class StartReconciliationRequest(RequestModel):
    """Body of `startReconciliation`: the calls that began from `from` until before `to`."""

    model_config = ConfigDict(populate_by_name=True)

    since: Annotated[
        AwareDatetime,
        Field(alias="from", description="Start of the period, with offset.", examples=["2026-11-29T00:00:00Z"]),
    ]
    until: Annotated[
        AwareDatetime,
        Field(
            alias="to",
            description="End of the period, with offset; later than `from`, at most 7 days.",
            examples=["2026-11-30T00:00:00Z"],
        ),
    ]


class CreatedIntegration(ResponseModel):
    """New integration with its webhook URL and secrets, which are shown only once."""

    id: Annotated[str, Field(description="Id of the integration.", examples=[_ID_EXAMPLE])]
    provider: Annotated[ProviderKey, Field(description=_PROVIDER, examples=["telephony_api"])]
    name: Annotated[str, Field(description=_NAME, examples=["Office"])]
    webhook_url: Annotated[str, Field(description=_WEBHOOK_URL, examples=[_WEBHOOK_URL_EXAMPLE])]
    secrets: Annotated[dict[str, str], Field(description=_SECRETS, examples=[{"planfix_token": "Zm9vYmFyYmF6cXV4"}])]
    instructions: Annotated[list[str], Field(description=_INSTRUCTIONS, examples=[_INSTRUCTIONS_EXAMPLE])]
    setup: Annotated[DiagnosticCheck | None, Field(description=_SETUP)]
    created_at: Annotated[Instant, Field(description=_CREATED, examples=[_TIME_EXAMPLE])]


class RotateWebhookEndpointRequest(RequestModel):
    """Body of `rotateWebhookEndpoint`."""

    overlap_hours: OverlapHours = 24
    secrets: Annotated[bool, Field(description="True to replace the generated secrets as well.", examples=[False])] = (
        False
    )


class RotatedWebhookEndpoint(ResponseModel):
    """New webhook URL and secrets, which are shown only once."""

    id: Annotated[str, Field(description="Id of the integration.", examples=[_ID_EXAMPLE])]
    webhook_url: Annotated[str, Field(description=_WEBHOOK_URL, examples=[_WEBHOOK_URL_EXAMPLE])]
    secrets: Annotated[
        dict[str, str],
        Field(
            description="The new secrets by name, shown only once. Empty if they stay.",
            examples=[{"planfix_token": "Zm9vYmFyYmF6cXV4"}],
        ),
    ]
    instructions: Annotated[list[str], Field(description=_INSTRUCTIONS, examples=[_INSTRUCTIONS_EXAMPLE])]
    setup: Annotated[DiagnosticCheck | None, Field(description=_SETUP)]
    previous_url_until: Annotated[
        Instant | None,
        Field(
            description="End of the previous URL's and the replaced secrets' overlap. Null if they ended at once.",
            examples=[_TIME_EXAMPLE],
        ),
    ]


class WatchWebhookRequestsRequest(RequestModel):
    """Body of `watchWebhookRequests`."""

    minutes: Annotated[
        int, Field(ge=1, le=1440, description="Number of minutes of logging all requests.", examples=[30])
    ]


class WebhookEventResult(ResponseModel):
    """Result of one call event in a webhook request."""

    event: Annotated[CallEventKind, Field(description="Kind of the event.", examples=["ringing"])]
    extension: Annotated[
        str | None, Field(description="Extension in the event. Null if it has none.", examples=["101"])
    ]
    call_id: Annotated[
        str | None, Field(description="Id of the call. Null if the event was skipped.", examples=[_CALL_ID_EXAMPLE])
    ]
    result: Annotated[EventResult, Field(description="Result of storing the event.", examples=["stored"])]


class WebhookRequestLogEntry(ResponseModel):
    """Logged webhook request, with secrets masked. An entry is stored for 7 days."""

    id: Annotated[str, Field(description="Id of the entry.", examples=["62cdb7020ff920e5aa642c3d4066950d"])]
    received_at: Annotated[Instant, Field(description="Time of the request's arrival.", examples=[_TIME_EXAMPLE])]
    http_status: Annotated[int, Field(description="HTTP status of the response to the PBX.", examples=[200])]
    result: Annotated[str, Field(description="Result of the request in words.", examples=["Parsed and stored."])]
    log_reason: Annotated[LogReason, Field(description="Reason for logging the request.", examples=["setup"])]
    method: Annotated[str, Field(description="HTTP method.", examples=["POST"])]
    path: Annotated[str, Field(description="Path of the URL, with the token masked.", examples=["/tel/api/***"])]
    query: Annotated[str, Field(description="Query string. Empty without one.", examples=["event=ringing"])]
    headers: Annotated[
        dict[str, str],
        Field(description="Headers by lower-case name.", examples=[{"content-type": "application/json"}]),
    ]
    body: Annotated[str, Field(description="Body of the request.", examples=["cmd=event&planfix_token=***&ext=101"])]
    truncated: Annotated[bool, Field(description="True if `body` holds only the first 16 KB.", examples=[False])]
    events: Annotated[list[WebhookEventResult], Field(description="Call events in the request and their results.")]


class WebhookRequestLogEntryPage(Page[WebhookRequestLogEntry]):
    """Page of logged webhook requests, newest first."""


class ReplayResult(ResponseModel):
    """Result of a replay. Secrets are not verified, because they are not logged."""

    webhook_request_id: Annotated[
        str, Field(description="Id of the log entry.", examples=["62cdb7020ff920e5aa642c3d4066950d"])
    ]
    parsed: Annotated[
        bool, Field(description="True if all of the request was parsed and no event was skipped.", examples=[True])
    ]
    reason: Annotated[str, Field(description="Result in words.", examples=["Parsed and stored."])]
    events: Annotated[list[WebhookEventResult], Field(description="Call events in the request and their results.")]


class ProviderFieldType(StrEnum):
    """Type of a field's value.

    - `string`: text.
    - `boolean`: true or false.
    - `integer`: a whole number.
    """

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"


class ProviderField(ResponseModel):
    """Field of a provider's form."""

    name: Annotated[str, Field(description="Name of the credential or setting.", examples=["api_key"])]
    required: Annotated[bool, Field(description="True if an integration needs the field.", examples=[True])]
    secret: Annotated[bool, Field(description="True for a value that a form should hide.", examples=[True])]
    type: Annotated[ProviderFieldType, Field(description="Type of the value.", examples=["string"])]
    description: Annotated[
        str, Field(description="Explanation for the admin. Can be empty.", examples=["Key of the PBX"])
    ]


class Provider(ResponseModel):
    """PBX provider: what an integration needs and the PBX's capabilities. All providers send webhook requests."""

    key: Annotated[ProviderKey, Field(description=_PROVIDER, examples=["telephony_api"])]
    name: Annotated[str, Field(description="Name of the provider.", examples=["Telephony API"])]
    credentials: Annotated[list[ProviderField], Field(description="Credentials that an integration takes.")]
    settings: Annotated[list[ProviderField], Field(description="Settings that an integration takes.")]
    generated_secrets: Annotated[
        list[str],
        Field(description="Names of the secrets that Hangtag generates for the PBX.", examples=[["planfix_token"]]),
    ]
    capabilities: Annotated[
        list[Capability],
        Field(description="Abilities of the PBX beyond webhook requests.", examples=[["originate", "history"]]),
    ]


class ProviderPage(Page[Provider]):
    """All PBX providers, in one page."""


class ExtensionUsage(ResponseModel):
    """Extension that is mapped to an employee, or that rang and is not mapped."""

    extension: Annotated[str, Field(description="The extension.", examples=["101"])]
    employee: Annotated[
        EmployeeSummary | None, Field(description="The extension's employee. Null if it is not mapped.")
    ]
    calls: Annotated[
        int | None,
        Field(description="Number of calls that rang there. Null for mapped extensions.", examples=[12]),
    ]
    last_seen_at: Annotated[
        Instant | None,
        Field(description="Time of the latest such call. Null for mapped extensions.", examples=[_TIME_EXAMPLE]),
    ]


class ExtensionUsagePage(Page[ExtensionUsage]):
    """Mapped extensions, then those that rang and are not mapped, in one page."""


class PbxExtension(ResponseModel):
    """Extension that exists at the PBX."""

    extension: Annotated[str, Field(description="The extension.", examples=["101"])]
    name: Annotated[str, Field(description="Name of the extension at the PBX. Can be empty.", examples=["Reception"])]
    employee: Annotated[
        EmployeeSummary | None, Field(description="The extension's employee. Null if it is not mapped.")
    ]


class PbxExtensionPage(Page[PbxExtension]):
    """The PBX's extensions, in one page."""
