"""Forms of the providers: the credentials and settings that an admin enters, and one section of docs/providers.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "ApiSettings",
    "Credentials",
    "DialSettings",
    "Extensions",
    "IntegrationSettings",
    "Number",
    "ProviderInfo",
    "SipDomain",
    "TimeZone",
    "UnverifiedFields",
]

MAX_ADDRESS = 2048


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("Unknown time zone. Use an IANA name such as Europe/Kyiv.") from None
    return name


# A domain where phones register.
SipDomain = Annotated[str, StringConstraints(max_length=253, pattern=r"^[0-9A-Za-z.-]+$")]
# A number in E.164.
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
# Extensions separated by commas.
Extensions = Annotated[str, StringConstraints(max_length=256, pattern=r"^[\w.*-]{1,64}( *, *[\w.*-]{1,64})*$")]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]


class Credentials(BaseModel):
    """Base of the credentials that an admin enters. A secret is a SecretStr; field names are the PBX's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IntegrationSettings(BaseModel):
    """Base of the settings of an integration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DialSettings(IntegrationSettings):
    """Settings of a PBX that dials numbers in a local format; cloud PBXs use E.164."""

    dial_format: Literal["e164", "international", "national"] | None = Field(
        default=None,
        description="Format of dialled numbers: e164 (+79101234567), international (79101234567) or national "
        "(89101234567); empty: the PBX's usual format",
    )
    dial_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,8}$")] | None = Field(
        default=None, description="Digits that are dialled before a number to get an outside line, such as 9"
    )


class ApiSettings(IntegrationSettings):
    """Settings of a PBX whose REST API can have another address."""

    api_url: Annotated[str, StringConstraints(max_length=MAX_ADDRESS)] | None = Field(
        default=None, description="Address of the PBX's REST API, for a sandbox or a region; empty: the usual one"
    )


@dataclass(frozen=True, slots=True)
class UnverifiedFields:
    """The part of a webhook request that its signature does not cover, and what compensates for it."""

    parts: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One PBX in the admin's list and in docs/providers.md.

    * `verified_with`: the credentials that webhook requests are verified with; stored, encrypted, with the endpoint.
    * `made_secrets`: secrets that Hangtag generates and the PBX sends; shown once, stored as hashes.
    * `made_keys`: keys that Hangtag generates and the PBX signs with; shown once, stored encrypted.
    * `callbacks`: each call that Hangtag places must name the webhook's address, so the address is stored, encrypted.
    * `instructions`: the steps at the PBX for the admin, given the webhook's URL.

    For the docs:

    * `signature`: how a request is verified; `unverified_fields`: what that does not cover.
    * `missing_fields`: fields of a call that this PBX never sends.
    * `missing_stories`: required call stories that this PBX cannot report, each with the reason.
    * `limitations`: behaviour without a source that could be checked.
    * `sources`: where the facts are from.
    """

    key: str
    name: str
    credentials: type[Credentials]
    settings: type[IntegrationSettings] = IntegrationSettings
    verified_with: tuple[str, ...] = ()
    made_secrets: tuple[str, ...] = ()
    made_keys: tuple[str, ...] = ()
    callbacks: bool = False
    instructions: Callable[[str], tuple[str, ...]]
    signature: str
    unverified_fields: UnverifiedFields | None = None
    missing_fields: tuple[str, ...] = ()
    missing_stories: Mapping[str, str] = field(default_factory=dict)
    limitations: tuple[str, ...] = ()
    sources: tuple[str, ...] = field(default=())

    @property
    def webhook_path(self) -> str:
        """The path of the webhook, with `{token}` in place of its token."""
        return "/tel/api/{token}" if self.key == "telephony_api" else f"/hooks/{self.key}/{{token}}"
