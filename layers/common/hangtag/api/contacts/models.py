"""Request and response models of contacts."""

from pydantic import Field

from hangtag.api.kernel.models import (
    UNSENT,
    ExternalId,
    Instant,
    Page,
    Phone,
    PhoneIn,
    RequestModel,
    ResponseModel,
    SupervisorId,
    SupervisorSummary,
    Text,
)
from hangtag.store.office import contacts

__all__ = ["Contact", "ContactPage", "ContactPhone", "CreateContactRequest", "UpdateContactRequest"]


class CreateContactRequest(RequestModel):
    """A new contact."""

    name: Text = Field(description="Name of the person or company.", examples=["Acme GmbH"])
    phones: list[PhoneIn] = Field(
        default_factory=list,
        max_length=contacts.MAX_PHONES,
        description="Phone numbers in any format, each as text or as {number, type}; the first is the one to call.",
        examples=[["+1 201 555 0123"]],
    )
    supervisor_id: SupervisorId | None = Field(
        default=None,
        description="Id of the employee or group that supervises the contact.",
        examples=["9d3b1e60a7c24f85"],
    )
    external_id: ExternalId | None = Field(
        default=None, description="Id of the contact in another system; unique per tenant.", examples=["crm-4711"]
    )


class UpdateContactRequest(RequestModel):
    """The changes of a contact. Omitted properties keep their values."""

    name: Text = Field(default=UNSENT, description="Name of the person or company.", examples=["Acme GmbH"])
    phones: list[PhoneIn] = Field(
        default=UNSENT,
        max_length=contacts.MAX_PHONES,
        description="All phone numbers in any format, each as text or as {number, type}; replaces the earlier ones.",
        examples=[["+1 201 555 0123"]],
    )
    supervisor_id: SupervisorId | None = Field(
        default=None,
        description="Id of the employee or group that supervises the contact; null removes the supervisor.",
        examples=["9d3b1e60a7c24f85"],
    )
    external_id: ExternalId | None = Field(
        default=None,
        description="Id of the contact in another system, unique per tenant; null removes it.",
        examples=["crm-4711"],
    )


class ContactPhone(Phone):
    """A phone number of a contact. Calls match one contact only: the oldest with the number."""

    matched: bool = Field(description="True if calls with this number match this contact.", examples=[True])
    matched_contact_id: str | None = Field(
        description="Id of the contact that calls with this number match; null if none does.",
        examples=["5f0c2a7be1d94c36"],
    )


class Contact(ResponseModel):
    """A person or company that the tenant talks to."""

    id: str = Field(description="Id of the contact.", examples=["5f0c2a7be1d94c36"])
    name: str = Field(description="Name of the person or company.", examples=["Acme GmbH"])
    phones: list[ContactPhone] = Field(
        description="Phone numbers; the first is the one to call.",
        examples=[
            [
                {
                    "raw": "+1 201 555 0123",
                    "e164": "+12015550123",
                    "extension": None,
                    "type": "Mobile",
                    "formatted": "+1 (201) 555-0123",
                    "matched": True,
                    "matched_contact_id": "5f0c2a7be1d94c36",
                }
            ]
        ],
    )
    supervisor_id: str | None = Field(
        description="Id of the employee or group that supervises the contact, or null.", examples=["9d3b1e60a7c24f85"]
    )
    supervisor: SupervisorSummary | None = Field(
        description="The supervisor of `supervisor_id`; null without one and for a deleted one.",
        examples=[{"type": "employee", "id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    external_id: str | None = Field(description="Id of the contact in another system, or null.", examples=["crm-4711"])
    created_at: Instant = Field(description="Time of creation.", examples=["2026-11-30T20:41:53.855Z"])


class ContactPage(Page[Contact]):
    """A page of contacts."""
