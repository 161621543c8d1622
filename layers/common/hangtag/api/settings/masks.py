"""Masks of phone numbers, for those who show and type them."""

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import PageModel
from hangtag.api.kernel.service import Routes
from hangtag.settings import DisplayFormat
from hangtag.store.office import settings

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get("/v1/masks")
def get_masks() -> PageModel[DisplayFormat]:
    """How numbers of each type are shown and typed; the rules set them."""
    return PageModel[DisplayFormat](items=settings.load_settings(routes.tenant_id).masks)
