"""The extensions of a PBX: whose they are, and those that rang and are nobody's."""

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import PageModel, ResponseModel
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.services.integrations.client import open_pbx
from hangtag.store.integrations import integrations, unmapped_extensions
from hangtag.store.office import employees

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


class ExtensionUsage(ResponseModel):
    """An extension: of an employee, or of nobody, with the calls that it rang in and when it did last."""

    extension: str
    employee_id: str | None
    employee_name: str | None
    calls: int | None
    last_seen_at: str | None


class PbxExtension(ResponseModel):
    """An extension that the PBX knows, under what name it does, and whose it is here."""

    extension: str
    name: str
    employee_id: str | None
    employee_name: str | None


@routes.get("/v1/integrations/<integration_id>/pbx-extensions")
def get_pbx_extensions(integration_id: str) -> PageModel[PbxExtension]:
    """The extensions that the PBX itself knows; it is asked each time. 409: this PBX can't be asked."""
    tenant_id = routes.tenant_id
    found = integrations.get_integration(tenant_id, found_id(integration_id))
    known = open_pbx(tenant_id, found).extensions()
    mapped = employees.by_extension(tenant_id, found.id)
    return PageModel[PbxExtension](
        items=[
            PbxExtension(
                extension=one.extension,
                name=one.name,
                employee_id=mapped[one.extension].id if one.extension in mapped else None,
                employee_name=mapped[one.extension].name if one.extension in mapped else None,
            )
            for one in known
        ]
    )


@routes.get("/v1/integrations/<integration_id>/extensions")
def get_extensions(integration_id: str) -> PageModel[ExtensionUsage]:
    """The extensions that are mapped, then those that rang lately and are not: calls to them leave no tag."""
    tenant_id = routes.tenant_id
    found = integrations.get_integration(tenant_id, found_id(integration_id))
    mapped = employees.by_extension(tenant_id, found.id)
    ours = [
        ExtensionUsage(
            extension=extension,
            employee_id=mapped[extension].id,
            employee_name=mapped[extension].name,
            calls=None,
            last_seen_at=None,
        )
        for extension in sorted(mapped)
    ]
    nobodys = [
        ExtensionUsage(
            extension=one.extension,
            employee_id=None,
            employee_name=None,
            calls=one.calls,
            last_seen_at=one.last_seen_at,
        )
        for one in unmapped_extensions.list_unmapped(tenant_id, found.id)
        # It may have been mapped since.
        if one.extension not in mapped
    ]
    return PageModel[ExtensionUsage](items=ours + nobodys)
