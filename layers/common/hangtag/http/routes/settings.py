"""The tenant's rules."""

from hangtag.http import shapes as api
from hangtag.http.caller import Role
from hangtag.http.service import Routes
from hangtag.store import settings
from hangtag.store.client import table

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get("/v1/settings/telephony")
def get_settings() -> api.TelephonySettings:
    """The telephony rules."""
    return settings.load_settings(table(), routes.tenant_id)


@routes.put("/v1/settings/telephony")
def put_settings(wanted: api.TelephonySettings) -> api.TelephonySettings:
    """Replace the telephony rules; what is not sent becomes the default."""
    settings.save_settings(table(), routes.tenant_id, wanted)
    return wanted
