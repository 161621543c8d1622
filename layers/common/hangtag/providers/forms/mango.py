"""What Mango Office needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import ApiSettings, Credentials, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


class MangoCredentials(Credentials):
    """The code of the virtual PBX and the key of its signatures, both of which verify what comes."""

    vpbx_api_key: str = Field(min_length=1, max_length=128, description="Unique code of the virtual PBX (vpbx_api_key)")
    vpbx_api_salt: SecretStr = Field(
        min_length=1, max_length=256, description="Key that signatures are made with (vpbx_api_salt)"
    )


class MangoSettings(ApiSettings):
    """Nothing of its own."""


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Choose the virtual PBX in the account of Mango Office, open Integrations → API connector, and enter the "
        "unique code and the key for signatures here as vpbx_api_key and vpbx_api_salt.",
        "Enter this address there as address of the external system; Mango appends /events/call and others to it: "
        f"{webhook_url}",
        "Leave the list of addresses that may ask the API empty, unless the stack has addresses of its own.",
        "Give every employee who calls by a click a short number: Mango calls no others. Who has none is known by the "
        "name of the SIP account, as dana of sip:dana@office.mangosip.ru: enter that as the extension.",
        "To have recordings, switch cloud storage on; those that are sent by mail only can't be fetched.",
        "Mango speaks TLS 1.2 only, and neither 1.0, 1.1 nor 1.3: a domain of your own in front of the stack must "
        "allow it.",
    )


INFOS = (
    ProviderInfo(
        key="mango",
        name="Mango Office",
        credentials=MangoCredentials,
        settings=MangoSettings,
        verified_with=("vpbx_api_key", "vpbx_api_salt"),
        instructions=_instructions,
        signs="field `sign`: hexadecimal SHA-256 of vpbx_api_key, the field `json` as it was sent, and vpbx_api_salt",
        unsigned=UnverifiedFields(
            "the path that Mango appends, and so of what kind a notification is; nothing says when it was signed",
            "the address can't be guessed, doubles change nothing, a time more than two days off is not believed, and "
            "the statistics are compared",
        ),
        lacks={"transfer_to_linked_call": "a transfer goes on under the same entry_id"},
        unconfirmed=(
            "that timestamps are seconds since 1970: the documentation says UTC+3, its samples do not",
            "with which disconnect_reason the phones of a group end that another one answered: 1182 and 1183 are taken",
            "that the employee's own leg of a callback ends with 1000 when the contact's begins",
            "that talk_time of a callback is when the contact answered",
            "that external_call_id of the statistics is the call_id of the notifications",
            "how the statistics show a callback, and in which zone their start_date is: three hours more are asked for",
            "with which HTTP status Mango refuses, and whether too early a question for a recording is a wrong one: "
            "it is taken for one, and for two minutes after a wrong request no recording is asked for",
        ),
        sources=(
            "API Mango Office 1.9 (the vendor's PDF): 1.3, 1.4, 2.1, 2.4, 3.1, 3.2.1, 3.4.2, 3.5.1, 3.7.1, its list of "
            "codes and examples of behaviour",
            "Python-Mango-Office-API 3.7.4 (a community's client): the signature",
        ),
    ),
)
