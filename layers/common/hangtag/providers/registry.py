"""Which providers there are. Loading one imports only its module."""

import importlib
from typing import cast

from hangtag.providers.base import Pings, Provider

PROVIDERS = {
    "telephony_api": "hangtag.providers.telephony_api",
}


def load(name: str) -> Provider:
    """The provider of that key. Raises KeyError if there is none."""
    return cast("Provider", importlib.import_module(PROVIDERS[name]))


def pinger(name: str) -> Pings | None:
    """The same provider, if it can ask its PBX whether it is there. Raises KeyError if there is no such provider."""
    module = load(name)
    return cast("Pings", module) if hasattr(module, "ping") else None
