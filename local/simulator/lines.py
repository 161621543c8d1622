"""Integrations of an office: a simulated PBX each, with its webhook URL and the secrets that it signs with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hangtag.providers import provider_keys
from local.simulator.pbx import Pbx, load
from local.simulator.story import PROVIDER

__all__ = ["Line", "default_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One integration. `secrets` are the credentials that the admin entered and the secrets that Hangtag generated."""

    provider: str
    integration_id: str
    webhook_url: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def pbx(self) -> Pbx:
        """Return the simulated PBX."""
        return load(self.provider)


def default_lines() -> tuple[str, ...]:
    """Return one provider of each class, since presets of one class send the same requests."""
    return (PROVIDER, *(key for key in provider_keys() if key != PROVIDER))
