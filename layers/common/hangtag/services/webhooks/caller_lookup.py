"""What a PBX asks while the phone rings: who is calling, and who is responsible."""

from collections.abc import Mapping

from hangtag.phone import normalise
from hangtag.providers.base import ContactCard
from hangtag.store.calls.events import Source
from hangtag.store.db import client
from hangtag.store.office.routing import Router

# The PBX holds the caller while it waits: better no answer than a late one.
_FAST = {"connect": 0.5, "read": 0.8, "attempts": 1}


def find_card(source: Source, country: str, number: str) -> ContactCard | None:
    """The contact with that number, and where the caller is routed; None if nobody has it. Raises botocore's errors."""
    readable = normalise(number, country)
    if readable is None:
        return None
    fast = client.make("dynamodb", **_FAST)
    found = Router(fast, source.tenant_id, source.integration_id).find(readable.e164)
    return ContactCard(found.name, found.extension) if found else None


def read_credentials(source: Source) -> Mapping[str, str]:
    """What the admin typed for this integration, decrypted."""
    from hangtag.store.integrations.integrations import load_credentials

    return load_credentials(source.tenant_id, source.integration_id)
