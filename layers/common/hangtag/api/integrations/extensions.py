"""The extensions of a PBX: whose they are, and those that rang and are nobody's."""

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Page, ResponseModel
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


class ExtensionUsagePage(Page[ExtensionUsage]):
    """A page of the list."""


class PbxExtension(ResponseModel):
    """An extension that the PBX knows, under what name it does, and whose it is here."""

    extension: str
    name: str
    employee_id: str | None
    employee_name: str | None


class PbxExtensionPage(Page[PbxExtension]):
    """A page of the list."""


@routes.get(
    "/v1/integrations/<integration_id>/pbx-extensions",
    operation_id="listPbxExtensions",
    tags=["Integrations"],
    summary="List the PBX's own extensions",
    description="The extensions that the PBX itself knows; it is asked each time. 409: this PBX can't be asked.",
)
def list_pbx_extensions(integration_id: str) -> PbxExtensionPage:
    """The extensions that the PBX itself knows; it is asked each time. 409: this PBX can't be asked."""
    tenant_id = routes.tenant_id
    found = integrations.get_integration(tenant_id, found_id(integration_id))
    known = open_pbx(tenant_id, found).extensions()
    mapped = employees.by_extension(tenant_id, found.id)
    return PbxExtensionPage(
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


@routes.get(
    "/v1/integrations/<integration_id>/extensions",
    operation_id="listExtensions",
    tags=["Integrations"],
    summary="List mapped and unmapped extensions",
    description="The extensions that are mapped, then those that rang lately and are not: calls to them leave no tag.",
)
def list_extensions(integration_id: str) -> ExtensionUsagePage:
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
        for one in unmapped_extensions.seen(tenant_id, found.id)
        # It may have been mapped since.
        if one.extension not in mapped
    ]
    return ExtensionUsagePage(items=ours + nobodys)
