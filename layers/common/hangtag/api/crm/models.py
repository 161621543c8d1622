"""Request and response models of the outside CRM."""

from typing import Annotated

from pydantic import Field, StringConstraints

from hangtag.api.kernel.enums import CrmHealthState, CrmKind
from hangtag.api.kernel.models import Instant, Page, RequestModel, ResponseModel

__all__ = [
    "CreatedCrmSettings",
    "CrmHealth",
    "CrmSettings",
    "CrmTestResult",
    "DeadLetter",
    "DeadLetterPage",
    "RedriveResult",
    "RotateCrmSecretRequest",
    "RotatedCrmSecret",
    "SetCrmSettingsRequest",
]

MAX_OVERLAP_HOURS = 7 * 24
_KIND = "Kind of CRM."
_URL = "HTTPS URL that receives the signed messages. Null for the built-in CRM."
_URL_EXAMPLE = "https://crm.example.com/hangtag"
_PREVIOUS = "Until this time messages also carry the signature of the previous secret. Null without one."
_SIGNING = "Secret that signs the messages. Shown only once."

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2000)]
LastStatus = Annotated[
    int | None,
    Field(description="HTTP status of the last response. Null if the CRM did not respond.", examples=[503]),
]


class SetCrmSettingsRequest(RequestModel):
    """Body of `setCrmSettings`: the built-in CRM alone, or an outside CRM in addition."""

    kind: Annotated[CrmKind, Field(description=_KIND, examples=["webhook"])]
    url: Annotated[Url | None, Field(description=f"{_URL} Required for `webhook`.", examples=[_URL_EXAMPLE])] = None


class CrmHealth(ResponseModel):
    """Health of the outside CRM."""

    state: Annotated[CrmHealthState, Field(description="State of message delivery.", examples=["failing"])]
    consecutive_failures: Annotated[
        int, Field(description="Number of failed messages since the last success.", examples=[3])
    ]
    paused_until: Annotated[
        Instant | None,
        Field(description="End of the pause. Null unless `state` is `paused`.", examples=["2026-11-30T20:45:00.000Z"]),
    ]
    last_http_status: LastStatus
    reason: Annotated[
        str | None,
        Field(
            description="Cause of the last failure. Null without failures.",
            examples=["The CRM returned a server error (HTTP 503)."],
        ),
    ]
    failed_at: Annotated[
        Instant | None,
        Field(description="Time of the last failure. Null without failures.", examples=["2026-11-30T20:41:53.855Z"]),
    ]


class CrmSettings(ResponseModel):
    """Settings of the CRM, without its secret."""

    kind: Annotated[CrmKind, Field(description=_KIND, examples=["webhook"])]
    url: Annotated[str | None, Field(description=_URL, examples=[_URL_EXAMPLE])]
    previous_secret_until: Annotated[
        Instant | None, Field(description=_PREVIOUS, examples=["2026-12-01T20:41:53.855Z"])
    ]
    health: Annotated[CrmHealth | None, Field(description="Health of the outside CRM. Null for the built-in CRM.")]


class CreatedCrmSettings(CrmSettings):
    """Settings of the CRM after a change."""

    secret: Annotated[
        str | None,
        Field(
            description=f"{_SIGNING} Null if the CRM had a secret already, and for the built-in CRM.",
            examples=["c2VjcmV0LWZvci1zaWduaW5n"],
        ),
    ]


class RotateCrmSecretRequest(RequestModel):
    """Body of `rotateCrmSecret`."""

    overlap_hours: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_OVERLAP_HOURS,
            description="Number of hours that messages carry both signatures. 0 ends the previous secret at once.",
            examples=[24],
        ),
    ] = 24


class RotatedCrmSecret(ResponseModel):
    """New signing secret, which is shown only once."""

    secret: Annotated[str, Field(description=_SIGNING, examples=["c2VjcmV0LWZvci1zaWduaW5n"])]
    previous_secret_until: Annotated[
        Instant | None, Field(description=_PREVIOUS, examples=["2026-12-01T20:41:53.855Z"])
    ]


class CrmTestResult(ResponseModel):
    """Result of a test message."""

    ok: Annotated[bool, Field(description="True if the CRM accepted the message.", examples=[False])]
    http_status: Annotated[
        int | None, Field(description="HTTP status of the response. Null if the CRM did not respond.", examples=[404])
    ]
    message: Annotated[str, Field(description="Result in words.", examples=["The CRM returned HTTP 404."])]


class DeadLetter(ResponseModel):
    """Message that the CRM did not accept."""

    id: Annotated[str, Field(description="Id of the message.", examples=["62cdb7020ff920e5aa642c3d4066950d"])]
    type: Annotated[str, Field(description="Type of the message.", examples=["tag.written"])]
    subject: Annotated[
        str, Field(description="Id of the resource in the message.", examples=["5f4dcc3b5aa765d61d8327deb882cf99"])
    ]
    revision: Annotated[int, Field(description="Revision of the resource, counted from 1.", examples=[1])]
    created_at: Annotated[
        Instant, Field(description="Time of the message's creation.", examples=["2026-11-29T14:00:00.000Z"])
    ]
    failed_at: Annotated[Instant, Field(description="Time of the last attempt.", examples=["2026-11-30T20:41:53.855Z"])]
    attempts: Annotated[
        int, Field(description="Number of attempts since the message was created or last redriven.", examples=[24])
    ]
    last_http_status: LastStatus
    reason: Annotated[
        str,
        Field(description="Cause of the last failure.", examples=["The CRM returned a server error (HTTP 503)."]),
    ]


class DeadLetterPage(Page[DeadLetter]):
    """Page of dead letters of the last 90 days, latest first."""


class RedriveResult(ResponseModel):
    """Result of a redrive."""

    redriven: Annotated[int, Field(description="Number of messages that will be sent again.", examples=[200])]
    has_more: Annotated[
        bool, Field(description="True if dead letters remain; repeat the request then.", examples=[True])
    ]
