"""The PBXs: one package per provider, found by its name.

A provider is imported when its first request arrives, so that each provider costs only its own users.
"""

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING

from hangtag.providers.base import CAPABILITIES, Capability, Provider

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["CAPABILITIES", "Capability", "Provider", "all_keys", "load", "provider_keys"]


@lru_cache(maxsize=1)
def provider_keys() -> tuple[str, ...]:
    """Return the key of every provider class: the names of the packages in this folder, sorted."""
    # Not needed on the webhook's path.
    import pkgutil

    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))


@lru_cache(maxsize=1)
def all_keys() -> tuple[str, ...]:
    """Return every key that an integration can have: each provider's own, followed by its presets."""
    return tuple(key for own in provider_keys() for key in (own, *load(own).aliases))


@lru_cache(maxsize=64)
def load(key: str) -> Provider:
    """Return the provider with that key. Raises KeyError if the key is unknown.

    A provider's own key imports its package only; the key of a preset imports packages until one declares it.
    """
    own = _own(key)
    if own is not None:
        return own
    for other in provider_keys():
        if key in (provider := load(other)).aliases:
            return provider
    raise KeyError(key)


def _own(key: str) -> Provider | None:
    name = f"{__name__}.{key}"
    try:
        module = importlib.import_module(name) if key.isidentifier() else None
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
    return _instance(module, key) if module is not None else None


def _instance(module: "ModuleType", key: str) -> Provider | None:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Provider) and vars(value).get("key") == key:
            return value()
    return None
