"""What an employee uses: contacts, calls, tags."""

import os
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.crm import builtin
from hangtag.http import history
from hangtag.http import shapes as api
from hangtag.http.caller import Role
from hangtag.http.idempotency import Once
from hangtag.http.paged import found_id
from hangtag.http.service import Api

TABLE = os.environ["TABLE_NAME"]

app = Api(lambda _: Role.EMPLOYEE)

From = Annotated[str | None, Query(alias="from", max_length=40)]
To = Annotated[str | None, Query(alias="to", max_length=40)]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)


@app.post("/v1/contacts", status_code=201)
def post_contact(contact: api.ContactIn) -> api.ContactOut:
    """Add a contact. A number that is on another contact is a 409 that names it."""
    tenant_id = app.tenant_id

    def work() -> dict[str, Any]:
        made = builtin.create_contact(tenant_id, contact.name, contact.phones, contact.supervisor_id)
        return made.to_json()

    if app.idempotency_key is None:
        return api.ContactOut.model_validate(work())
    deed = Once(tenant_id, "contacts", app.idempotency_key, app.payload, sealed=False)
    return api.ContactOut.model_validate(deed.run(work))


@app.get("/v1/contacts")
def get_contacts(
    phone: Annotated[str | None, Query(max_length=64)] = None,
    limit: api.Limit | None = None,
    cursor: str | None = None,
) -> api.Listed[api.ContactOut]:
    """The contact with a number, in any format; or all contacts, the newest first."""
    if phone is not None:
        found = builtin.find_by_phone(app.tenant_id, phone)
        shown = [api.ContactOut.model_validate(found.to_json())] if found else []
        return api.Listed[api.ContactOut](items=shown)
    return history.contacts(TABLE, app.tenant_id, limit, cursor)


@app.get("/v1/contacts/<contact_id>")
def get_contact(contact_id: str) -> api.ContactOut:
    """One contact."""
    found = builtin.get_contact(app.tenant_id, found_id(contact_id))
    return api.ContactOut.model_validate(found.to_json())


@app.patch("/v1/contacts/<contact_id>")
def patch_contact(contact_id: str, changes: api.ContactChange) -> api.ContactOut:
    """Change a contact; what is not sent stays."""
    changed = builtin.change_contact(app.tenant_id, found_id(contact_id), changes.changes())
    return api.ContactOut.model_validate(changed.to_json())


@app.get("/v1/calls")
def get_calls(
    integration_id: str | None = None,
    call_id: Annotated[str | None, Query(max_length=512)] = None,
    since: From = None,
    until: To = None,
    state: Annotated[str | None, Query(pattern="^(open|closed)$")] = None,
    employee_id: str | None = None,
    contact_id: str | None = None,
    limit: api.Limit | None = None,
    cursor: str | None = None,
) -> api.Listed[api.CallOut]:
    """The call with a PBX's id; or the calls of a time, the newest first; those that go on only as state=open."""
    if integration_id is not None and call_id is not None:
        return history.call_of_pbx(TABLE, app.tenant_id, integration_id, call_id)
    wanted = {"integration_id": integration_id, "state": state, "employee_id": employee_id}
    wanted["contact_id"] = contact_id
    return history.calls(TABLE, app.tenant_id, history.between(since, until), wanted, limit, cursor)


@app.get("/v1/calls/<call_id>")
def get_call(call_id: str) -> api.CallOut:
    """One call."""
    return history.call(TABLE, app.tenant_id, call_id)


@app.get("/v1/tags")
def get_tags(
    contact_id: str | None = None,
    call_id: str | None = None,
    since: From = None,
    until: To = None,
    type: Annotated[str | None, Query(pattern="^(call|missed_call)$")] = None,  # noqa: A002
    limit: api.Limit | None = None,
    cursor: str | None = None,
) -> api.Listed[api.TagOut]:
    """The tags of a contact, of a call, or of a time, the newest first."""
    tags = history.Tags(TABLE, app.caller, type)
    if call_id is not None:
        return tags.of_call(call_id)
    if contact_id is not None:
        return tags.of_contact(contact_id, limit, cursor)
    return tags.of_time(history.between(since, until), limit, cursor)


@app.get("/v1/tags/<tag_id>")
def get_tag(tag_id: str) -> api.TagOut:
    """One tag."""
    return history.Tags(TABLE, app.caller, None).one(found_id(tag_id))
