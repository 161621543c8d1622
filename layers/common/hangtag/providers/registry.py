"""Which providers there are. Loading one imports only its module."""

import importlib
from typing import Any, cast

from hangtag.providers.base import Provider

__all__ = ["CAPABILITIES", "PROVIDERS", "capabilities", "load", "optional"]

# The provider's key, and its module; presets share one.
PROVIDERS = {
    "telephony_api": "telephony_api",
    "zadarma": "zadarma",
    "novofon": "zadarma",
    "mango": "mango",
    "binotel": "binotel",
    "ringostat": "ringostat",
    "sipgate": "sipgate",
    "twilio": "twilio",
    "telnyx": "telnyx",
    "vonage": "vonage",
    "plivo": "plivo",
    "ringcentral": "ringcentral",
    "freepbx": "freepbx",
    "generic": "generic",
    # The family of ITooLabs' REST API for CRMs.
    "itoolabs": "itoolabs",
    "megafon": "itoolabs",
    "kcell": "itoolabs",
    "moldcell": "itoolabs",
    "beeline": "itoolabs",
    "gravitel": "itoolabs",
    "birlink": "itoolabs",
    "vectortel": "itoolabs",
    "transtelecom": "itoolabs",
    "freedom": "itoolabs",
    "sarkor": "itoolabs",
    "viva": "itoolabs",
    "domru": "itoolabs",
}
# What a provider's module may be able to do, by the name of the function.
CAPABILITIES = ("originate", "recording", "history", "extensions", "ping", "set_up", "look_after")


def load(name: str) -> Provider:
    """The provider of that key. Raises KeyError if there is none."""
    return cast("Provider", importlib.import_module(f"hangtag.providers.{PROVIDERS[name]}"))


def optional(name: str, function: str) -> Any:
    """One of the functions that a provider may have, or None. Raises KeyError if there is no such provider."""
    return getattr(load(name), function, None)


def capabilities(name: str) -> tuple[str, ...]:
    """What a provider can do besides receiving events. Raises KeyError if there is no such provider."""
    return tuple(ability for ability in CAPABILITIES if optional(name, ability) is not None)
