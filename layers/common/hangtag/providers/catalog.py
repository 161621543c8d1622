"""What each PBX needs from the admin, and what it can do: the admin API's view of the providers.

Apart from the providers' modules because it loads pydantic, which the webhook must not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One PBX in the admin's list.

    `credentials` is what the admin types. `made_secrets` are the secrets that Hangtag makes for the PBX and shows
    once. `instructions` tells the admin, given the webhook URL, what to do at the PBX.
    """

    key: str
    name: str
    credentials: type[BaseModel]
    made_secrets: tuple[str, ...]
    capabilities: tuple[str, ...]
    webhook_path: str
    instructions: Callable[[str], str]


class TelephonyApiCredentials(BaseModel):
    """Where the PBX is reached, and the key that it expects from us. Both are optional until calls are clicked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pbx_url: str | None = Field(default=None, max_length=2048, description="Address of the PBX")
    pbx_token: SecretStr | None = Field(default=None, max_length=512, description="Key of the PBX")


def _telephony_api_instructions(webhook_url: str) -> str:
    return f"Enter this address at the PBX as the CRM's address, and planfix_token as the CRM's key: {webhook_url}"


_CATALOG = (
    ProviderInfo(
        key="telephony_api",
        name="Telephony API",
        credentials=TelephonyApiCredentials,
        made_secrets=("planfix_token",),
        capabilities=("events", "recording_links", "contact_lookup"),
        webhook_path="/tel/api/{token}",
        instructions=_telephony_api_instructions,
    ),
)


def catalog() -> tuple[ProviderInfo, ...]:
    """All providers, in the order in which they are shown."""
    return _CATALOG
