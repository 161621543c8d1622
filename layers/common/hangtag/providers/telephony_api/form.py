"""Form of the telephony API: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import MAX_ADDRESS, Credentials, DialSettings, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


class TelephonyApiCredentials(Credentials):
    """Address of the PBX, and the key that it requires. Both are needed only for click-to-call."""

    pbx_url: str | None = Field(default=None, max_length=MAX_ADDRESS, description="Address of the PBX")
    pbx_token: SecretStr | None = Field(default=None, max_length=512, description="Key of the PBX")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"Enter this address at the PBX as the CRM's address: {webhook_url}",
        "Enter planfix_token, which is shown only now, as the CRM's key.",
        "For click-to-call, enter the PBX's address and key here as pbx_url and pbx_token.",
    )


INFOS = (
    ProviderInfo(
        key="telephony_api",
        name="Telephony API",
        credentials=TelephonyApiCredentials,
        settings=DialSettings,
        made_secrets=("planfix_token",),
        instructions=_instructions,
        signature="`planfix_token` in the body",
        unverified_fields=UnverifiedFields("every other field", "the token and the webhook's address are secret"),
        sources=("Planfix's help page on its telephony API", "docs/telephony-api.md"),
    ),
)
