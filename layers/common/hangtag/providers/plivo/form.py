"""Form of Plivo: credentials, settings, instructions and limitations."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import (
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
    """The account, and its Auth Token that signs callbacks."""

    auth_id: str = Field(pattern=r"^[A-Z0-9]{20}$", description="Auth ID (MA… or SA…)")
    auth_token: SecretStr = Field(min_length=8, max_length=128, description="Auth Token")


class PlivoSettings(ApiSettings):
    """Phones of the employees, extensions that ring, and the number that contacts see."""

    sip_domain: SipDomain | None = Field(
        default=None,
        description="Domain of the employees' SIP phones; empty: they are Plivo's endpoints, at phone.plivo.com",
    )
    caller_id: Number | None = Field(
        default=None, description="Number that contacts see if no line is chosen: a number of the account"
    )
    ring: Extensions | None = Field(
        default=None,
        description="Extensions that ring in parallel for an incoming call, separated by commas, if the address of the "
        "number has none",
    )
    record_calls: bool = Field(default=True, description="Record calls that Hangtag connects")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Enter Auth ID and Auth Token of the console's overview here as auth_id and auth_token.",
        "Under Voice → XML Applications create one for each group of phones, with this answer URL and hang-up URL, by "
        f"POST, and assign it to the group's numbers: {webhook_url}?direction=in&ring=101,102",
        "If one group is enough, omit ring in the address, and enter the extensions here as ring.",
        "For calls from employees' phones, create an application with this answer URL and hang-up URL, and assign it "
        f"to the endpoints; the contact sees caller_id: {webhook_url}?direction=out",
        "If an XML application of your own answers calls, add this callbackUrl to its Dial, with the called number as "
        f"line, in digits: {webhook_url}?direction=in&amp;line=74951230001",
        "For click-to-call, enter caller_id, and sip_domain if phones are registered elsewhere; the user is the "
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
        signature="header `X-Plivo-Signature-V3` or `-Ma-V3`: base64 of HMAC-SHA256 under the Auth "
        "Token, of the address "
        "with its query, all parameters, and the nonce, which is the event's id",
        unverified_fields=UnverifiedFields(
            "the time, and the boundary between the name and the value of a parameter",
            "a nonce counts once in a call, the list of calls is reconciled, and the address cannot be guessed",
        ),
        missing_stories={
            "transfer_within_call": "Hangtag's XML does not transfer calls, and those of other applications are not "
            "reported",
            "transfer_to_linked_call": "a leg that the API transfers keeps its id, without a callback",
        },
        limitations=(
            "the parameters of a callback and their values: unknown ones are ignored, missing ones left out",
            "that dialled legs have DialAction answer and hangup, but no callback while ringing",
            "whether a retried callback has another nonce, and so counts as another event; Plivo retries callbacks "
            "without a response, but not those with a 503",
            "that a call of the API has its own CallUUID, and not the request's",
            "the format of a withheld number",
            "the cause of a phone that rang until the caller hung up, and the names of causes without a code",
            "that times in lists have an offset from UTC, as in their examples: a row without one is left out",
        ),
        sources=(
            "plivo 4.63.0 (the vendor's Python library): utils/signature_v3, resources, xml",
            "plivo.com/docs/voice: xml/request, xml/dial, xml/record, api/call, api/recording, "
            "troubleshooting/hangup-causes, concepts/account-limits, concepts/callback-configurations",
        ),
    ),
)
