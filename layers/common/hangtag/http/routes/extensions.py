"""The extensions of a PBX: whose they are, and those that rang and are nobody's."""

from hangtag.http.caller import Role
from hangtag.http.paged import found_id
from hangtag.http.service import Routes
from hangtag.http.shapes import Given, Listed
from hangtag.store import employees, integrations, seen

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


class ExtensionOut(Given):
    """An extension: of an employee, or of nobody, with the calls that it rang in and when it did last."""

    extension: str
    employee_id: str | None
    employee_name: str | None
    calls: int | None
    last_seen_at: str | None


@routes.get("/v1/integrations/<integration_id>/extensions")
def get_extensions(integration_id: str) -> Listed[ExtensionOut]:
    """The extensions that are mapped, then those that rang lately and are not: calls to them leave no tag."""
    tenant_id = routes.tenant_id
    found = integrations.get_integration(tenant_id, found_id(integration_id))
    mapped = {
        held.extension: employee
        for employee in employees.everybody(tenant_id)
        for held in employee.extensions
        if held.integration_id == found.id
    }
    ours = [
        ExtensionOut(
            extension=extension,
            employee_id=mapped[extension].id,
            employee_name=mapped[extension].name,
            calls=None,
            last_seen_at=None,
        )
        for extension in sorted(mapped)
    ]
    nobodys = [
        ExtensionOut(
            extension=one.extension,
            employee_id=None,
            employee_name=None,
            calls=one.calls,
            last_seen_at=one.last_seen_at,
        )
        for one in seen.seen(tenant_id, found.id)
        # It may have been mapped since.
        if one.extension not in mapped
    ]
    return Listed[ExtensionOut](items=ours + nobodys)
