"""Masks of phone numbers, for those who show and type them."""

from hangtag.http.caller import Role
from hangtag.http.service import Routes
from hangtag.http.shapes import Listed
from hangtag.settings import MaskRow
from hangtag.store import settings
from hangtag.store.client import table

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get("/v1/masks")
def get_masks() -> Listed[MaskRow]:
    """How numbers of each type are shown and typed; the rules set them."""
    return Listed[MaskRow](items=settings.load_settings(table(), routes.tenant_id).masks)
