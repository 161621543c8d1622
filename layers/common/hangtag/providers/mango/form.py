"""Form of Mango Office: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import ApiSettings, Credentials, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


class MangoCredentials(Credentials):
    """The key of the virtual PBX and the salt of its signatures, used in both directions."""

    vpbx_api_key: str = Field(
        min_length=1, max_length=128, description="Unique code of the virtual PBX, from its API connector"
    )
    vpbx_api_salt: SecretStr = Field(
        min_length=1, max_length=256, description="Key for signatures, from the API connector"
    )


class MangoSettings(ApiSettings):
    """The settings of every PBX with a REST API."""


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Choose the virtual PBX in your Mango Office account and open Integrations → API connector. Copy the unique "
        "code to vpbx_api_key and the key for signatures to vpbx_api_salt.",
        "Enter this address there as the address of the external system; Mango appends /events/call and other paths "
        f"to it: {webhook_url}",
        "Leave the list of IP addresses that can use the API empty, unless your stack has fixed IP addresses.",
        "Give a short number to every employee who uses click-to-call: Mango calls no other extensions. An employee "
        "without a short number is identified by the SIP account: for sip:dana@office.mangosip.ru enter dana as the "
        "extension.",
        "Switch on cloud storage to get recordings. Recordings that Mango only sends by email can't be downloaded.",
        "If a domain of your own is in front of the stack, allow TLS 1.2 there: Mango supports no other version.",
    )


INFOS = (
    ProviderInfo(
        key="mango",
        name="Mango Office",
        credentials=MangoCredentials,
        settings=MangoSettings,
        verified_with=("vpbx_api_key", "vpbx_api_salt"),
        instructions=_instructions,
        signature="field `sign`: hexadecimal SHA-256 of vpbx_api_key, the field `json` as sent, and vpbx_api_salt",
        unverified_fields=UnverifiedFields(
            "the path that Mango appends, which names the kind of notification, and the time of sending",
            "the webhook's address is secret, duplicates have no effect, times more than two days off are ignored, "
            "and calls are reconciled with the statistics",
        ),
        missing_stories={"transfer_to_linked_call": "a transferred call continues under its own entry_id"},
        limitations=(
            "Timestamps are read as seconds since 1970; the documentation describes them as UTC+3, its samples do not",
            "disconnect_reason 1182 and 1183 are read as the end of phones in a group when another phone answers",
            "The employee's leg of a callback is expected to end with reason 1000 when the contact's leg begins",
            "talk_time of a callback is read as the time when the contact answered",
            "external_call_id in the statistics is read as the call_id of the notifications",
            "The statistics' format for callbacks and the time zone of their start_date are unknown; requests cover "
            "three more hours on both sides",
            "The HTTP status of a rejected request is unknown, and a request for a recording that is not ready can "
            "count as a wrong one; after a wrong request, recordings are not requested for two minutes",
        ),
        sources=(
            "API Mango Office 1.9 (the vendor's PDF): 1.3, 1.4, 2.1, 2.4, 3.1, 3.2.1, 3.4.2, 3.5.1, 3.7.1, its list of "
            "codes and examples of behaviour",
            "Python-Mango-Office-API 3.7.4 (a community client): the signature",
        ),
    ),
)
