"""Masks of phone numbers, for those who show and type them."""

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Page
from hangtag.api.kernel.service import Routes
from hangtag.settings import DisplayFormat
from hangtag.store.office import settings

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/masks",
    operation_id="listDisplayFormats",
    tags=["Settings"],
    summary="List number display formats",
    description="How numbers of each type are shown and typed; the rules set them.",
)
def list_display_formats() -> Page[DisplayFormat]:
    """How numbers of each type are shown and typed; the rules set them."""
    return Page[DisplayFormat](items=settings.load_settings(routes.tenant_id).masks)
