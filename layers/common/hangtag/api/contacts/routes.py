"""Routes of contacts."""

from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.contacts.cards import Cards
from hangtag.api.contacts.models import Contact, ContactPage, CreateContactRequest, UpdateContactRequest
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit, typed
from hangtag.api.kernel.paging import found_id, page_of
from hangtag.api.kernel.service import Routes
from hangtag.crm import builtin
from hangtag.errors import ErrorCode
from hangtag.store.db.listing import Span
from hangtag.store.office import contacts
from hangtag.store.office.tenants import get_tenant

__all__ = ["admin_routes", "routes"]

routes = Routes(Role.EMPLOYEE)
admin_routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/contacts",
    operation_id="createContact",
    tags=["Contacts"],
    summary="Create a contact",
    description=(
        "Creates a contact. Calls with a number of several contacts match the oldest of them; see `matched`. Earlier"
        " tags without a contact and with one of the numbers receive the contact within seconds. An outside CRM is not"
        " notified. 409 `resource_in_use` if another contact has the `external_id`."
    ),
    errors=(ErrorCode.RESOURCE_IN_USE, ErrorCode.NUMBER_LIMIT_REACHED, ErrorCode.IDEMPOTENCY_KEY_REUSED),
    example={"name": "Acme GmbH", "phones": ["+1 201 555 0123"]},
    status_code=201,
)
def create_contact(contact: CreateContactRequest) -> Contact:
    """Create a contact."""
    tenant_id = routes.tenant_id

    def work() -> Contact:
        created = builtin.create_contact(
            tenant_id, contact.name, typed(contact.phones), contact.supervisor_id, contact.external_id
        )
        return Cards(tenant_id).contact(created.to_json())

    return Contact.model_validate(routes.idempotent("contacts", work))


@routes.get(
    "/v1/contacts",
    operation_id="listContacts",
    tags=["Contacts"],
    summary="List contacts",
    description=(
        "Returns all contacts, newest first. With `phone` or `external_id`: the one contact that calls with this number"
        " match, or that has this id, or an empty page. A page can be short or empty and still have a `next_cursor`."
    ),
)
def list_contacts(
    phone: Annotated[
        str | None,
        Query(max_length=64, description="A phone number in any format.", examples=["+1 201 555 0123"]),
    ] = None,
    external_id: Annotated[
        str | None,
        Query(max_length=128, description="Id of the contact in another system.", examples=["crm-4711"]),
    ] = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> ContactPage:
    """Return a page of contacts."""
    tenant_id = routes.tenant_id
    if phone is not None:
        match = builtin.find_by_phone(tenant_id, phone)
    elif external_id is not None:
        match = contacts.find_by_external_id(tenant_id, external_id)
    else:
        created = datetime.fromisoformat(get_tenant(tenant_id).created_at)
        span = Span(created.date(), datetime.now(UTC).date())
        return listing.by_days(
            ContactPage, tenant_id, "CONTACTS", span, limit, cursor, present=Cards(tenant_id).contacts
        )
    return page_of(ContactPage, [Cards(tenant_id).contact(match.to_json())] if match else [])


@routes.get(
    "/v1/contacts/<contact_id>",
    operation_id="getContact",
    tags=["Contacts"],
    summary="Get a contact",
    description="Returns one contact.",
)
def get_contact(contact_id: str) -> Contact:
    """Return one contact."""
    contact = builtin.get_contact(routes.tenant_id, found_id(contact_id))
    return Cards(routes.tenant_id).contact(contact.to_json())


@routes.patch(
    "/v1/contacts/<contact_id>",
    operation_id="updateContact",
    tags=["Contacts"],
    summary="Update a contact",
    description=(
        "Changes the properties in the request; the others keep their values. Tags that exist keep the contact's name"
        " of the time when they were written."
    ),
    errors=(ErrorCode.RESOURCE_IN_USE, ErrorCode.NUMBER_LIMIT_REACHED, ErrorCode.OPERATION_RUNNING),
    example={"phones": [{"number": "+1 201 555 0123", "type": "Mobile"}]},
)
def update_contact(contact_id: str, changes: UpdateContactRequest) -> Contact:
    """Change a contact."""
    properties = changes.changes()
    if "phones" in properties:
        properties["phones"] = typed(properties["phones"])
    changed = builtin.change_contact(routes.tenant_id, found_id(contact_id), properties)
    return Cards(routes.tenant_id).contact(changed.to_json())


@admin_routes.delete(
    "/v1/contacts/<contact_id>",
    operation_id="deleteContact",
    tags=["Contacts"],
    summary="Delete a contact",
    description=(
        "Deletes a contact. Calls with its numbers match the next oldest contact that has them. Its tags and comments"
        " stay. To erase a person's data, start an erasure of the number."
    ),
    errors=(ErrorCode.OPERATION_RUNNING,),
    status_code=204,
)
def delete_contact(contact_id: str) -> Response[str]:
    """Delete a contact."""
    contacts.delete_contact(admin_routes.tenant_id, found_id(contact_id))
    return Response(status_code=204, body="")
