"""All providers as the admin API and the docs show them.

Imports pydantic, so that the webhook must not import this module.
"""

import importlib
from functools import lru_cache

from hangtag.providers import all_keys, provider_keys
from hangtag.providers.forms import ProviderInfo

__all__ = ["ProviderInfo", "catalog"]


@lru_cache(maxsize=1)
def catalog() -> tuple[ProviderInfo, ...]:
    """Return all providers in the order of `hangtag.providers.all_keys`."""
    infos = {info.key: info for key in provider_keys() for info in _infos(key)}
    return tuple(infos[key] for key in all_keys())


def _infos(key: str) -> tuple[ProviderInfo, ...]:
    infos: tuple[ProviderInfo, ...] = importlib.import_module(f"hangtag.providers.{key}.form").INFOS
    return infos
