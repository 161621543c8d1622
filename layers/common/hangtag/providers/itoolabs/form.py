"""Form of the VATS of ITooLabs' family: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import MAX_ADDRESS, Credentials, DialSettings, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]

# Operators that sell it, by their keys. Their set-up pages show that they use this API.
_PRESETS = {
    "itoolabs": "ITooLabs CRM API",
    "megafon": "MegaFon VATS",
    "kcell": "KCell",
    "moldcell": "Moldcell",
    "beeline": "Beeline Kyrgyzstan",
    "gravitel": "Gravitel",
    "birlink": "BİRLink",
    "vectortel": "VectorTel",
    "transtelecom": "Transtelecom",
    "freedom": "Freedom Telecom",
    "sarkor": "Sarkor Telecom",
    "viva": "VIVA",
    "domru": "Dom.ru",
}
# Operators with published code of a customer.
_CONFIRMED = ("itoolabs", "megafon", "kcell", "moldcell", "gravitel")


class ItoolabsCredentials(Credentials):
    """Address and key of the VATS. Both are needed only for click-to-call and the history."""

    pbx_url: str | None = Field(
        default=None,
        max_length=MAX_ADDRESS,
        description="Address of the VATS, such as https://company.megapbx.ru; for an older one, up to crm_api.wcgp",
    )
    api_key: SecretStr | None = Field(default=None, min_length=1, max_length=512, description="Key of the VATS")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open the settings of the VATS: integration with your own CRM (REST API).",
        f"Enter this address as the CRM's address: {webhook_url}",
        "Enter crm_token, which is shown only now, as the key for authorization in the CRM.",
        "Enter the address and key of the VATS, shown on the same page, here as pbx_url and api_key.",
        "Give each employee their short number at the VATS; a user without one is mapped by login.",
    )


def _info(key: str, name: str) -> ProviderInfo:
    preset_limitations = () if key in _CONFIRMED else ("This operator's API is known from its set-up page only",)
    return ProviderInfo(
        key=key,
        name=name,
        credentials=ItoolabsCredentials,
        settings=DialSettings,
        made_secrets=("crm_token",),
        instructions=_instructions,
        signature="`crm_token` in the body",
        unverified_fields=UnverifiedFields(
            "every other field, and the time of sending", "the token and the webhook's address are secret"
        ),
        missing_stories={"transfer_within_call": "a transfer continues as another call, second_callid"},
        limitations=(
            "The history is expected to report an unanswered outgoing call as Cancel",
            "A click is expected to ring the employee's phone first",
            "The limit of the REST API: 60 requests a minute are sent at most",
            "The lifetime of a recording's link",
            "cmd=contact is expected to accept a short number as `responsible`; the specification names a login",
            "A call with a duration in the older API's history is read as answered",
            *preset_limitations,
        ),
        sources=(
            "mikopbx/ModuleMegafonPbx",
            "brandup-online/megafon-ats",
            "skytecs/MegafonPbxApiClient",
            "ITooLabs: REST API for CRMs, table of contents (2021)",
        ),
    )


INFOS = tuple(_info(key, name) for key, name in _PRESETS.items())
