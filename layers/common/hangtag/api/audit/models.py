"""Response models of the audit log."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.models import Actor, Instant, Page, ResponseModel

__all__ = ["AuditEntry", "AuditEntryPage", "AuditTarget"]


class AuditTarget(ResponseModel):
    """Resource that an audit entry is about."""

    type: Annotated[
        str,
        Field(
            description="Type of the resource, such as integration, token, employee, settings, crm, erasure or tenant.",
            examples=["integration"],
        ),
    ]
    id: Annotated[
        str | None,
        Field(
            description="Id of the resource; for settings the part that changed, telephony or tags. Null for the CRM.",
            examples=["5f4dcc3b5aa765d6"],
        ),
    ]
    name: Annotated[
        str | None,
        Field(
            description="Current name of the employee. Null for other resources and for deleted employees.",
            examples=["Anna Becker"],
        ),
    ]


class AuditEntry(ResponseModel):
    """One administrative change. Entries contain names of fields, never their values."""

    id: Annotated[str, Field(description="Id of the entry.", examples=["1f3870be274f6c49"])]
    created_at: Annotated[Instant, Field(description="Time of the change.", examples=["2026-11-30T20:41:53.855Z"])]
    actor: Annotated[Actor, Field(description="Originator of the change.")]
    action: Annotated[str, Field(description="Kind of change, `<resource>.<verb>`.", examples=["integration.rotated"])]
    target: Annotated[AuditTarget, Field(description="The resource that changed.")]
    changed_fields: Annotated[
        list[str],
        Field(
            description="Names of the fields that changed. Empty if the action has none.", examples=[["credentials"]]
        ),
    ]


class AuditEntryPage(Page[AuditEntry]):
    """Page of audit entries, newest first."""
