"""Route of the display formats of phone numbers."""

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.paging import page_of
from hangtag.api.kernel.service import Routes
from hangtag.api.settings.models import DisplayFormatPage
from hangtag.store.office import settings

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/masks",
    operation_id="listDisplayFormats",
    tags=["Settings"],
    summary="List number display formats",
    description=(
        "List the display formats of phone numbers by type, in the order of the telephony settings. They are for"
        " display and entry only; numbers are never matched by them."
    ),
)
def list_display_formats() -> DisplayFormatPage:
    """List the display formats."""
    formats = settings.load_settings(routes.tenant_id).masks
    return page_of(DisplayFormatPage, [one.model_dump() for one in formats])
