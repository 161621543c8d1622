"""Form of a bridge of your own: credentials, set-up steps and the facts for the docs."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from hangtag.providers.forms import MAX_ADDRESS, Credentials, DialSettings, ProviderInfo
from hangtag.providers.generic.signing import key_of

__all__ = ["INFOS"]

# Standard Webhooks requires 24 to 64 bytes; half of that is accepted.
_LEAST_KEY_BYTES = 12


def _check_key(secret: SecretStr) -> SecretStr:
    if len(key_of(secret.get_secret_value())) < _LEAST_KEY_BYTES:
        raise ValueError("Enter a key of whsec_ and the base64 of at least 24 bytes.")
    return secret


class GenericCredentials(Credentials):
    """The bridge's address for commands, and the key that signs them; neither if it accepts no commands."""

    bridge_url: str | None = Field(
        default=None, max_length=MAX_ADDRESS, description="Address of the bridge, if it accepts commands"
    )
    bridge_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = Field(
        default=None, max_length=512, description="Key that signs commands to the bridge (whsec_…)"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"Have the bridge post its events to this address: {webhook_url}",
        "Have it sign them with signing_key, which is shown only now; docs/generic.md describes signatures and events.",
        "For click-to-call, create a key at the bridge; enter its address and key here as bridge_url and bridge_key.",
    )


INFOS = (
    ProviderInfo(
        key="generic",
        name="A bridge of your own",
        credentials=GenericCredentials,
        settings=DialSettings,
        verified_with=("signing_key",),
        made_keys=("signing_key",),
        instructions=_instructions,
        signature="HMAC-SHA256 of id, time and body after Standard Webhooks, both ways; five minutes old at most",
        sources=("docs/generic.md", "https://www.standardwebhooks.com"),
    ),
)
