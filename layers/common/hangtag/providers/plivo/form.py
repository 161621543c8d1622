"""What Plivo needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import (
    ApiSettings,
    Credentials,
    Extensions,
    Number,
    ProviderInfo,
    SipDomain,
    UnverifiedFields,
)

__all__ = ["INFOS"]


class PlivoCredentials(Credentials):
    """The account and its Auth Token, which callbacks are signed with."""

    auth_id: str = Field(pattern=r"^[A-Z0-9]{20}$", description="Auth ID (MA… or SA…)")
    auth_token: SecretStr = Field(min_length=8, max_length=128, description="Auth Token")


class PlivoSettings(ApiSettings):
    """Where employees are called, who is rung, and what contacts see."""

    sip_domain: SipDomain | None = Field(
        default=None,
        description="Domain of the employees' SIP phones; empty: they are Plivo's endpoints, at phone.plivo.com",
    )
    caller_id: Number | None = Field(
        default=None, description="Number shown to contacts where no line is chosen: one of the account's"
    )
    ring: Extensions | None = Field(
        default=None,
        description="Extensions that are rung at once for an incoming call, with commas between them, where the "
        "number's own address names none",
    )
    record_calls: bool = Field(default=True, description="Record calls that Hangtag connects")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Enter Auth ID and Auth Token of the console's overview here as auth_id and auth_token.",
        "Under Voice → XML Applications make one for each group of phones, with this answer URL and hang-up URL, by "
        f"POST, and give it to the group's numbers: {webhook_url}?direction=in&ring=101,102",
        "Where one group is enough, leave ring out, and enter the extensions here as ring.",
        "For calls that employees' phones make, make an application with this answer URL and hang-up URL, and give it "
        f"to the endpoints; the contact sees caller_id: {webhook_url}?direction=out",
        "If an XML application of your own answers calls, give its Dial this callbackUrl, with the called number as "
        f"line, in digits: {webhook_url}?direction=in&amp;line=74951230001",
        "To call by a click, enter caller_id, and sip_domain if phones are registered elsewhere; the user is the "
        "extension.",
    )


INFOS = (
    ProviderInfo(
        key="plivo",
        name="Plivo",
        credentials=PlivoCredentials,
        settings=PlivoSettings,
        verified_with=("auth_token",),
        callbacks=True,
        instructions=_instructions,
        signs="header `X-Plivo-Signature-V3` or `-Ma-V3`: base64 of HMAC-SHA256 under the Auth Token, of the address "
        "with its query, all parameters, and the nonce, which is kept as the event's id",
        unsigned=UnverifiedFields(
            "when it was signed, and where the name of a parameter ends and its value begins",
            "a nonce counts once in a call, the list of calls is compared, and the address can't be guessed",
        ),
        lacks={
            "transfer_within_call": "Hangtag's answer hands no call on, and that of another application is not told",
            "transfer_to_linked_call": "a leg that is transferred by the API goes on under its own id, untold",
        },
        unconfirmed=(
            "which parameters a callback has, and their values: unknown ones are ignored, missing ones left out",
            "that dialled legs are told of by DialAction answer and hangup, and not that they ring",
            "whether a callback that is sent again has another nonce: then it counts as another event; of itself Plivo "
            "sends again what got no answer, and not what was answered by 503",
            "that a call of the API has its own CallUUID, and not the request's",
            "how a withheld number is written",
            "how the end of a phone is coded that rang until the caller hung up, and names of causes without a code",
            "that lists give each time with its offset from UTC, as their examples do: a row without one is left out",
        ),
        sources=(
            "plivo 4.63.0 (the vendor's Python library): utils/signature_v3, resources, xml",
            "plivo.com/docs/voice: xml/request, xml/dial, xml/record, api/call, api/recording, "
            "troubleshooting/hangup-causes, concepts/account-limits, concepts/callback-configurations",
        ),
    ),
)
