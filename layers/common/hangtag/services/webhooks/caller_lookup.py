"""Caller lookup for PBXs that request it while the phone rings: the contact and its supervisor."""

from collections.abc import Mapping

from hangtag.phone import normalise
from hangtag.providers.base import ContactCard
from hangtag.store.calls.events import Source
from hangtag.store.db import client
from hangtag.store.office.routing import Router

# The caller waits while the PBX waits: no response is better than a late one.
_FAST = {"connect": 0.5, "read": 0.8, "attempts": 1}


def find_card(source: Source, country: str, number: str) -> ContactCard | None:
    """Return the contact of a number and the extension to route to; None if unknown. Raises botocore's errors."""
    readable = normalise(number, country)
    if readable is None:
        return None
    fast = client.make("dynamodb", **_FAST)
    route = Router(fast, source.tenant_id, source.integration_id).find(readable.e164)
    return ContactCard(route.name, route.extension) if route else None


def read_credentials(source: Source) -> Mapping[str, str]:
    """Return the credentials that the admin entered for this integration, decrypted."""
    from hangtag.store.integrations.integrations import load_credentials

    return load_credentials(source.tenant_id, source.integration_id)
