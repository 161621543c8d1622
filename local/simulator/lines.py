"""The integrations of a tenant's office: a simulated PBX each, with its webhook's address and what it signs with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hangtag.providers import provider_keys
from local.simulator.pbx import Pbx, load
from local.simulator.story import PROVIDER

__all__ = ["Line", "default_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One integration. `secrets` are what its PBX signs with: what the admin typed, and what Hangtag made for it."""

    provider: str
    integration_id: str
    webhook_url: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def pbx(self) -> Pbx:
        """The PBX that is simulated."""
        return load(self.provider)


def default_lines() -> tuple[str, ...]:
    """One provider of each module: presets of one module send the same."""
    return (PROVIDER, *(key for key in provider_keys() if key != PROVIDER))
