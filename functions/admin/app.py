"""The admin API: tenants, providers, integrations, employees, lines, settings, tokens."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from hangtag.errors import BadInputError, FieldError
from hangtag.http import setup, staff, tenancy
from hangtag.http import shapes as api
from hangtag.http.caller import Role
from hangtag.http.cursor import read_cursor, write_cursor
from hangtag.http.idempotency import Once
from hangtag.http.paged import children, found_id
from hangtag.http.service import Api
from hangtag.phone import normalise
from hangtag.store import deliveries, employees, integrations, lines, settings, tenants, tokens
from hangtag.store.client import dynamodb

TABLE = os.environ["TABLE_NAME"]
# What is left of an invocation when an erasure stops to answer.
ERASE_MARGIN_MS = 4000

app = Api(lambda path: Role.OPERATOR if path.split("/")[2:3] == ["tenants"] else Role.ADMIN)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)


def once(what: str, work: Callable[[], Any], *, sealed: bool = False) -> dict[str, Any]:
    """Carry out a POST, once for each Idempotency-Key."""
    if app.idempotency_key is None:
        return dict(work().model_dump(mode="json"))
    deed = Once(app.tenant_id, what, app.idempotency_key, app.payload, sealed=sealed)
    return deed.run(lambda: dict(work().model_dump(mode="json")))


@app.post("/v1/tenants", status_code=201)
def post_tenant(tenant: api.TenantIn) -> api.NewTenantOut:
    """Make a tenant; its owner's token is shown this once."""
    made = once("tenants", lambda: tenancy.found(tenant), sealed=True)
    return api.NewTenantOut.model_validate(made)


@app.get("/v1/tenants/<tenant_id>")
def get_tenant(tenant_id: str) -> api.TenantOut:
    """One tenant."""
    return api.TenantOut.model_validate(tenants.load_tenant(found_id(tenant_id)).to_json())


@app.delete("/v1/tenants/<tenant_id>")
def delete_tenant(tenant_id: str) -> Response[Any]:
    """Erase a tenant. 204: nothing is left. 202: time was up, send it again until it answers 204."""
    done = tenants.erase_tenant(
        TABLE,
        found_id(tenant_id),
        lambda: bool(app.lambda_context.get_remaining_time_in_millis() > ERASE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"erased": False})


@app.get("/v1/providers")
def get_providers() -> api.Listed[api.ProviderOut]:
    """What each PBX needs, and can do."""
    return api.Listed[api.ProviderOut](items=setup.providers())


@app.post("/v1/integrations", status_code=201)
def post_integration(integration: api.IntegrationIn) -> api.NewIntegrationOut:
    """Connect a PBX; the webhook's address and the PBX's secrets are shown this once."""
    tenant_id = app.tenant_id
    made = once("integrations", lambda: setup.connect(tenant_id, integration), sealed=True)
    return api.NewIntegrationOut.model_validate(made)


@app.get("/v1/integrations")
def get_integrations(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[api.IntegrationOut]:
    """The tenant's PBXs."""
    tenant_id = app.tenant_id
    return children(
        "integrations",
        api.IntegrationOut,
        limit,
        cursor,
        lambda count, after: integrations.list_integrations(tenant_id, count, after),
    )


@app.get("/v1/integrations/<integration_id>")
def get_integration(integration_id: str) -> api.IntegrationOut:
    """One PBX, without its secrets."""
    found = integrations.get_integration(app.tenant_id, found_id(integration_id))
    return api.IntegrationOut.model_validate(found.to_json())


@app.get("/v1/integrations/<integration_id>/deliveries")
def get_deliveries(
    integration_id: str, limit: api.Limit | None = None, cursor: str | None = None
) -> api.Listed[api.DeliveryOut]:
    """The requests of a PBX that led to nothing, the newest first."""
    found = integrations.get_integration(app.tenant_id, found_id(integration_id))
    start = read_cursor("deliveries", 1, cursor)
    recent, following = deliveries.recent(
        dynamodb(),
        TABLE,
        app.tenant_id,
        found.id,
        limit or api.DEFAULT_LIMIT,
        start[0] if start else None,
    )
    return api.Listed[api.DeliveryOut](
        items=[api.DeliveryOut.model_validate(one.to_json()) for one in recent],
        next_cursor=write_cursor("deliveries", following) if following else None,
    )


@app.post("/v1/employees", status_code=201)
def post_employee(employee: api.EmployeeIn) -> api.EmployeeOut:
    """Add an employee. An extension or a number of somebody else's is a 409 that names them."""
    tenant_id = app.tenant_id

    def work() -> api.EmployeeOut:
        return api.EmployeeOut.model_validate(staff.hire(tenant_id, employee).to_json())

    return api.EmployeeOut.model_validate(once("employees", work))


@app.get("/v1/employees")
def get_employees(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[api.EmployeeOut]:
    """The tenant's employees."""
    tenant_id = app.tenant_id
    return children(
        "employees",
        api.EmployeeOut,
        limit,
        cursor,
        lambda count, after: employees.list_employees(tenant_id, count, after),
    )


@app.get("/v1/employees/<employee_id>")
def get_employee(employee_id: str) -> api.EmployeeOut:
    """One employee."""
    found = employees.get_employee(app.tenant_id, found_id(employee_id))
    return api.EmployeeOut.model_validate(found.to_json())


@app.patch("/v1/employees/<employee_id>")
def patch_employee(employee_id: str, changes: api.EmployeeChange) -> api.EmployeeOut:
    """Change an employee; what is not sent stays."""
    changed = staff.change(app.tenant_id, found_id(employee_id), changes)
    return api.EmployeeOut.model_validate(changed.to_json())


@app.post("/v1/tokens", status_code=201)
def post_token(wanted: api.TokenIn) -> api.TokenOut:
    """A token for an employee, shown this once."""
    tenant_id = app.tenant_id

    def work() -> api.TokenOut:
        employee = employees.get_employee(tenant_id, wanted.employee_id)
        made = tokens.create_token(tenant_id, employee.id, employee.role, os.environ["TOKEN_KEY"])
        return api.TokenOut.model_validate({"token": made.token, "expires_at": made.expires_at})

    return api.TokenOut.model_validate(once("tokens", work, sealed=True))


@app.get("/v1/settings/telephony")
def get_settings() -> api.TelephonySettings:
    """The telephony rules."""
    return settings.load_settings(TABLE, app.tenant_id)


@app.put("/v1/settings/telephony")
def put_settings(wanted: api.TelephonySettings) -> api.TelephonySettings:
    """Replace the telephony rules; what is not sent becomes the default."""
    settings.save_settings(TABLE, app.tenant_id, wanted)
    return wanted


@app.get("/v1/lines")
def get_lines(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[api.LineOut]:
    """The tenant's lines."""
    tenant_id = app.tenant_id
    return children(
        "lines",
        api.LineOut,
        limit,
        cursor,
        lambda count, after: lines.list_lines(tenant_id, count, after),
    )


@app.put("/v1/lines/<number>")
def put_line(number: str, line: api.LineIn) -> api.LineOut:
    """Name a line. Its number may be in any format, or as the PBX writes it."""
    typed = unquote(number).strip()
    if not 0 < len(typed) <= 64 or not typed.isprintable():
        raise BadInputError("the number is not valid", (FieldError("number", "1 to 64 characters"),))
    read = normalise(typed, tenants.get_tenant(app.tenant_id).country)
    put = lines.put_line(app.tenant_id, lines.Line(read.e164 if read else typed, line.name, line.color))
    return api.LineOut.model_validate(put.to_json())
