"""What is known of a provider besides its adapter: what the admin types, and one row of docs/providers.md."""

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
        raise ValueError("there is no such time zone: it must be an IANA name, such as Europe/Kyiv") from None
    return name


# A domain that phones are registered at.
SipDomain = Annotated[str, StringConstraints(max_length=253, pattern=r"^[0-9A-Za-z.-]+$")]
# A number in E.164.
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
# Extensions with commas between them.
Extensions = Annotated[str, StringConstraints(max_length=256, pattern=r"^[\w.*-]{1,64}( *, *[\w.*-]{1,64})*$")]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]


class Credentials(BaseModel):
    """What the admin types; a field that is secret is a SecretStr. Names are the provider's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IntegrationSettings(BaseModel):
    """What may be set of an integration, of whatever provider; a provider may add to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DialSettings(IntegrationSettings):
    """The same of a PBX that dials what it is told; those in the cloud take E.164 only."""

    dial_format: Literal["e164", "international", "national"] | None = Field(
        default=None,
        description="How numbers are written for this PBX: +79101234567, 79101234567 or 89101234567; empty: as it is "
        "usual there",
    )
    dial_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,8}$")] | None = Field(
        default=None, description="What is dialled before a number to get a line out, such as 9"
    )


class ApiSettings(IntegrationSettings):
    """The same of a PBX whose REST API has an address of its own."""

    api_url: Annotated[str, StringConstraints(max_length=MAX_ADDRESS)] | None = Field(
        default=None, description="Address of the PBX's REST API, if it is not the usual one: a sandbox, a region"
    )


@dataclass(frozen=True, slots=True)
class UnverifiedFields:
    """What of a delivery its signature does not cover, and what makes up for it."""

    parts: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One PBX in the admin's list, and in docs/providers.md.

    `verified_with` names the credentials that deliveries are verified with: they are kept, encrypted, beside the
    webhook's address. `made_secrets` and `made_keys` are what Hangtag makes for the PBX and shows once: secrets that
    the PBX sends, kept as hashes only, and keys that it signs with, kept encrypted. `callbacks`: the PBX must be told
    the webhook's address with each call that it places, so that it is kept, encrypted. `instructions` tells the admin,
    given the webhook's URL, what to do at the PBX, one step an entry.

    For the docs: `signs` how deliveries are known to be genuine, `unsigned` what that does not cover, `not_given` the
    fields of a Call that this PBX never tells, `lacks` the call stories that it can't tell, each with why,
    `unconfirmed` what was written from memory and never seen, `sources` where the facts are from.
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
    signs: str
    unsigned: UnverifiedFields | None = None
    not_given: tuple[str, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)
    unconfirmed: tuple[str, ...] = ()
    sources: tuple[str, ...] = field(default=())

    @property
    def webhook_path(self) -> str:
        """The path of the webhook; `{token}` stands for its token."""
        return "/tel/api/{token}" if self.key == "telephony_api" else f"/hooks/{self.key}/{{token}}"
