"""Request and response models of contacts."""

from datetime import datetime

from pydantic import Field

from hangtag.api.kernel.models import UNSENT, ExternalId, Id, Page, Phone, PhoneIn, RequestModel, ResponseModel, Text
from hangtag.store.office import contacts

__all__ = ["Contact", "ContactPage", "ContactPhone", "CreateContactRequest", "UpdateContactRequest"]


class CreateContactRequest(RequestModel):
    """A contact to be. Numbers may be in any format."""

    name: Text
    phones: list[PhoneIn] = Field(default_factory=list, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None
    external_id: ExternalId | None = None


class UpdateContactRequest(RequestModel):
    """What changes of a contact; what is not sent stays."""

    name: Text = UNSENT
    phones: list[PhoneIn] = Field(default=UNSENT, max_length=contacts.MAX_PHONES)
    supervisor_id: Id | None = None
    external_id: ExternalId | None = None


class ContactPhone(Phone):
    """A number of a contact's. If an older contact has it too, it is matched to that one: `matched_contact_id`."""

    matched: bool
    matched_contact_id: str | None


class Contact(ResponseModel):
    """A contact."""

    id: str
    name: str
    phones: list[ContactPhone]
    supervisor_id: str | None
    external_id: str | None = None
    created_at: datetime


class ContactPage(Page[Contact]):
    """A page of contacts."""
