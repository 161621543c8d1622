"""Contacts."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.contacts import models as api
from hangtag.api.contacts.cards import Cards
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Limit, typed
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.crm import builtin
from hangtag.store.office import contacts

__all__ = ["admin_routes", "routes"]

routes = Routes(Role.EMPLOYEE)
admin_routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/contacts",
    operation_id="createContact",
    tags=["Contacts"],
    summary="Create a contact",
    description="Add a contact. A number that an older contact has stays matched to that one, and is shown so.",
    status_code=201,
)
def create_contact(contact: api.CreateContactRequest) -> api.Contact:
    """Add a contact. A number that an older contact has stays matched to that one, and is shown so."""
    tenant_id = routes.tenant_id

    def work() -> api.Contact:
        made = builtin.create_contact(
            tenant_id, contact.name, typed(contact.phones), contact.supervisor_id, contact.external_id
        )
        return Cards(tenant_id).contact(made.to_json())

    return api.Contact.model_validate(routes.once("contacts", work))


@routes.get(
    "/v1/contacts",
    operation_id="listContacts",
    tags=["Contacts"],
    summary="List contacts",
    description=(
        "The contact with a number, in any format, or with another system's id; or all contacts, the newest first."
    ),
)
def list_contacts(
    phone: Annotated[str | None, Query(max_length=64)] = None,
    external_id: Annotated[str | None, Query(max_length=128)] = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> api.ContactPage:
    """The contact with a number, in any format, or with another system's id; or all contacts, the newest first."""
    if phone is not None or external_id is not None:
        found = (
            builtin.find_by_phone(routes.tenant_id, phone)
            if phone is not None
            else contacts.find_by_external_id(routes.tenant_id, external_id or "")
        )
        shown = [Cards(routes.tenant_id).contact(found.to_json())] if found else []
        return api.ContactPage(items=shown)
    return listing.contacts(routes.tenant_id, limit, cursor)


@routes.get(
    "/v1/contacts/<contact_id>",
    operation_id="getContact",
    tags=["Contacts"],
    summary="Get a contact",
    description="One contact.",
)
def get_contact(contact_id: str) -> api.Contact:
    """One contact."""
    found = builtin.get_contact(routes.tenant_id, found_id(contact_id))
    return Cards(routes.tenant_id).contact(found.to_json())


@routes.patch(
    "/v1/contacts/<contact_id>",
    operation_id="updateContact",
    tags=["Contacts"],
    summary="Update a contact",
    description="Change a contact; what is not sent stays.",
)
def update_contact(contact_id: str, changes: api.UpdateContactRequest) -> api.Contact:
    """Change a contact; what is not sent stays."""
    wanted = changes.changes()
    if "phones" in wanted:
        wanted["phones"] = typed(wanted["phones"])
    changed = builtin.change_contact(routes.tenant_id, found_id(contact_id), wanted)
    return Cards(routes.tenant_id).contact(changed.to_json())


@admin_routes.delete(
    "/v1/contacts/<contact_id>",
    operation_id="deleteContact",
    tags=["Contacts"],
    summary="Delete a contact",
    description=(
        "Delete a contact: its numbers pass to the next oldest that have them. To erase what is known of a "
        "person, erase the number."
    ),
    status_code=204,
)
def delete_contact(contact_id: str) -> Response[str]:
    """Delete a contact: its numbers pass to the next oldest that have them.

    To erase what is known of a person, erase the number.
    """
    contacts.delete_contact(admin_routes.tenant_id, found_id(contact_id))
    return Response(status_code=204, body="")
