"""Which providers there are. Loading one imports only its module."""

import importlib
from typing import cast

from hangtag.providers.base import Provider

PROVIDERS = {
    "telephony_api": "hangtag.providers.telephony_api",
}


def load(name: str) -> Provider:
    """The provider of that key. Raises KeyError if there is none."""
    return cast("Provider", importlib.import_module(PROVIDERS[name]))
