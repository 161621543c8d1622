"""Form of Zadarma and Novofon: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import (
    ApiSettings,
    Credentials,
    DialSettings,
    ProviderInfo,
    TimeZone,
    UnverifiedFields,
)

__all__ = ["INFOS"]


class ZadarmaCredentials(Credentials):
    """Key and secret of the account's API. The secret also verifies webhook requests."""

    api_key: str | None = Field(default=None, min_length=1, max_length=128, description="Key of the API")
    api_secret: SecretStr = Field(min_length=1, max_length=256, description="Secret of the API")


class ZadarmaSettings(ApiSettings, DialSettings):
    """The account's time zone, which the PBX does not send."""

    time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the account's clock; empty: its times are not used"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open Settings → Integrations and API → Keys and API, and enter Key and Secret here as api_key and api_secret.",
        f"Open Settings → Integrations and API → Notifications about PBX calls, and enter this address: {webhook_url}",
        "Switch on every notification there, and save; the PBX checks the address at once.",
    )


def _info(key: str, name: str, preset_limitations: tuple[str, ...]) -> ProviderInfo:
    return ProviderInfo(
        key=key,
        name=name,
        credentials=ZadarmaCredentials,
        settings=ZadarmaSettings,
        verified_with=("api_secret",),
        instructions=_instructions,
        signature="header `Signature`: base64 of the hexadecimal HMAC-SHA1, under the API's "
        "secret, of two or three fields",
        unverified_fields=UnverifiedFields(
            "the answering extension, duration and disposition; the time of signing",
            "duplicates change nothing, and calls are reconciled with the PBX's statistics",
        ),
        missing_stories={
            "transfer_within_call": "its form is not documented; another NOTIFY_ANSWER is read as one",
            "transfer_to_linked_call": "a transfer continues under the same id",
        },
        limitations=(
            "The account's time zone: a setting",
            "The form of a withheld number",
            *preset_limitations,
        ),
        sources=("zadarma/user-api-v1", "zadarma/user-api-py-v1", "zadarma/openapi (spec/v1)"),
    )


INFOS = (
    _info("zadarma", "Zadarma", ()),
    _info(
        "novofon",
        "Novofon",
        ("Its notifications are expected to have Zadarma's fields", "The API's address"),
    ),
)
