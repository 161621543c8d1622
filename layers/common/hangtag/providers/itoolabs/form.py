"""What a VATS of ITooLabs' family needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import MAX_ADDRESS, Credentials, DialSettings, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]

# Operators that sell it, by their keys. That they all speak it follows from their set-up pages.
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
# Of these there is code of somebody who uses it.
_SEEN = ("itoolabs", "megafon", "kcell", "moldcell", "gravitel")


class ItoolabsCredentials(Credentials):
    """Where the VATS is reached, and its key. Both are optional until calls are clicked."""

    pbx_url: str | None = Field(
        default=None,
        max_length=MAX_ADDRESS,
        description="Address of the VATS, such as https://company.megapbx.ru; of an older one, up to crm_api.wcgp",
    )
    api_key: SecretStr | None = Field(default=None, min_length=1, max_length=512, description="Key of the VATS")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open the VATS's settings, there the integration with a CRM of your own (REST API).",
        f"Enter this address as the CRM's address: {webhook_url}",
        "Enter crm_token, which is shown this once, as the key for authorization in the CRM.",
        "Enter the VATS's address and its key, which stand on the same page, here as pbx_url and api_key.",
        "Give each employee the short number of the VATS; a user without one is mapped by the login.",
    )


def _info(key: str, name: str) -> ProviderInfo:
    of_preset = () if key in _SEEN else ("that this operator's VATS speaks it, which follows from its set-up page",)
    return ProviderInfo(
        key=key,
        name=name,
        credentials=ItoolabsCredentials,
        settings=DialSettings,
        made_secrets=("crm_token",),
        instructions=_instructions,
        signature="`crm_token` in the body",
        unverified_fields=UnverifiedFields(
            "every other field, and when it was sent", "the secret token, and a secret address"
        ),
        missing_stories={"transfer_within_call": "a transfer goes on as a call of its own, second_callid"},
        limitations=(
            "that Cancel is what the history says of an outgoing call that nobody answered",
            "that the employee's phone rings first",
            "limits of the REST API: 60 requests a minute are kept",
            "how long a recording's link lives",
            "that cmd=contact takes a short number as `responsible`, where the specification says a login",
            "that a call of which the older API's history tells a duration was answered",
            *of_preset,
        ),
        sources=(
            "mikopbx/ModuleMegafonPbx",
            "brandup-online/megafon-ats",
            "skytecs/MegafonPbxApiClient",
            "ITooLabs: REST API for CRMs, table of contents (2021)",
        ),
    )


INFOS = tuple(_info(key, name) for key, name in _PRESETS.items())
