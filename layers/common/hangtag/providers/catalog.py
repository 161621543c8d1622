"""All providers as the admin API and the docs see them.

Apart from the providers' modules because it loads pydantic, which the webhook must not.
"""

import importlib
from functools import lru_cache

from hangtag.providers.forms.base import ProviderInfo
from hangtag.providers.registry import PROVIDERS

__all__ = ["ProviderInfo", "catalog"]


@lru_cache(maxsize=1)
def catalog() -> tuple[ProviderInfo, ...]:
    """All providers, in the order in which they are shown."""
    infos = {info.key: info for module in dict.fromkeys(PROVIDERS.values()) for info in _infos(module)}
    return tuple(infos[key] for key in PROVIDERS)


def _infos(module: str) -> tuple[ProviderInfo, ...]:
    found: tuple[ProviderInfo, ...] = importlib.import_module(f"hangtag.providers.forms.{module}").INFOS
    return found
