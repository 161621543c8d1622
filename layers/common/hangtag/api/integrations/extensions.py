"""Routes of extensions: those that are mapped to employees, those that rang without one, and the PBX's own list."""

from collections.abc import Mapping

from hangtag.api.integrations.models import ExtensionUsage, ExtensionUsagePage, PbxExtension, PbxExtensionPage
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import EmployeeSummary
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import ConflictError, ErrorCode
from hangtag.services.integrations.client import open_pbx
from hangtag.store.integrations import integrations, unmapped_extensions
from hangtag.store.office import employees
from hangtag.store.office.employees import Employee

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/integrations/<integration_id>/pbx-extensions",
    operation_id="listPbxExtensions",
    tags=["Integrations"],
    summary="List the PBX's own extensions",
    description=(
        "List the extensions that exist at the PBX, in one page and the PBX's order. Each request reads them from the"
        " PBX. A PBX without this ability is a 409."
    ),
    errors=[
        ErrorCode.EXTENSIONS_UNSUPPORTED,
        ErrorCode.PBX_UNREACHABLE,
        ErrorCode.PBX_REJECTED,
        ErrorCode.PBX_INVALID_RESPONSE,
    ],
)
def list_pbx_extensions(integration_id: str) -> PbxExtensionPage:
    """List the extensions that exist at the PBX."""
    tenant_id = routes.tenant_id
    integration = integrations.get_integration(tenant_id, found_id(integration_id))
    pbx = open_pbx(tenant_id, integration)
    if not pbx.can("extensions"):
        raise ConflictError("This PBX cannot list its extensions.", code=ErrorCode.EXTENSIONS_UNSUPPORTED)
    existing = pbx.extensions()
    mapped = employees.by_extension(tenant_id, integration.id)
    return PbxExtensionPage(
        items=[
            PbxExtension(extension=one.extension, name=one.name, employee=_summary(mapped, one.extension))
            for one in existing
        ]
    )


@routes.get(
    "/v1/integrations/<integration_id>/extensions",
    operation_id="listExtensions",
    tags=["Integrations"],
    summary="List mapped and unmapped extensions",
    description=(
        "List the extensions that are mapped to employees, then those that rang recently and are not, both in their"
        " order and in one page. Calls of unmapped extensions are not tagged."
    ),
)
def list_extensions(integration_id: str) -> ExtensionUsagePage:
    """List mapped extensions, then unmapped ones that rang."""
    tenant_id = routes.tenant_id
    integration = integrations.get_integration(tenant_id, found_id(integration_id))
    mapped = employees.by_extension(tenant_id, integration.id)
    usages = [
        ExtensionUsage(extension=extension, employee=_summary(mapped, extension), calls=None, last_seen_at=None)
        for extension in sorted(mapped)
    ]
    unmapped = [
        ExtensionUsage.model_validate(
            {"extension": one.extension, "employee": None, "calls": one.calls, "last_seen_at": one.last_seen_at}
        )
        for one in unmapped_extensions.seen(tenant_id, integration.id)
        # An extension can have been mapped since it rang.
        if one.extension not in mapped
    ]
    return ExtensionUsagePage(items=usages + unmapped)


def _summary(mapped: Mapping[str, Employee], extension: str) -> EmployeeSummary | None:
    employee = mapped.get(extension)
    return EmployeeSummary(id=employee.id, name=employee.name) if employee is not None else None
