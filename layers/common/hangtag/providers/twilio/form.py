"""What Twilio needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import ApiSettings, Credentials, Number, ProviderInfo, SipDomain, UnverifiedFields

__all__ = ["INFOS"]


class TwilioCredentials(Credentials):
    """The account and its Auth Token, which callbacks are signed with; a key for the REST API, and one for SHA-256."""

    account_sid: str = Field(pattern=r"^AC[0-9a-fA-F]{32}$", description="Account SID (AC…)")
    auth_token: SecretStr = Field(min_length=8, max_length=128, description="Auth Token, the primary one")
    api_key_sid: str | None = Field(
        default=None, pattern=r"^SK[0-9a-fA-F]{32}$", description="API key (SK…) for outgoing calls and history"
    )
    api_key_secret: SecretStr | None = Field(
        default=None, min_length=1, max_length=128, description="Secret of that API key"
    )
    shared_key_id: str | None = Field(
        default=None, max_length=128, description="Id of the shared key, if callbacks are signed with HMAC-SHA256"
    )
    shared_key_secret: SecretStr | None = Field(
        default=None, min_length=8, max_length=512, description="Secret of that shared key"
    )


class TwilioSettings(ApiSettings):
    """Where employees are called, and what contacts see."""

    sip_domain: SipDomain | None = Field(
        default=None,
        description="SIP domain of the employees' phones (acme.sip.twilio.com); empty: they use Twilio Client",
    )
    caller_id: Number | None = Field(
        default=None,
        description="Number shown to contacts where no line is chosen: one of the account's, or verified there",
    )
    record_calls: bool = Field(default=True, description="Record calls that are placed by a click")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Enter Account SID and Auth Token of the Console's start page here, as account_sid and auth_token.",
        "At each phone number, under Voice, enter this address for call status changes, by HTTP POST: "
        f"{webhook_url}?direction=in",
        "In the TwiML that answers calls, give each Sip, Client and Number of a Dial "
        'statusCallbackEvent="ringing answered completed" and this statusCallback, with the called number as line, '
        "in digits, and the extension where it is not the SIP user or Client name: "
        f"{webhook_url}?direction=in&amp;line=74951230001&amp;extension=101",
        "In the TwiML of calls that employees' phones make, give the Number the same events and this statusCallback: "
        f"{webhook_url}?direction=out&amp;leg=contact&amp;extension=101",
        f"To have recordings, give Dial record, and this recordingStatusCallback: {webhook_url}",
        "If your TwiML dials another employee after the first has talked, add transferred_from to that leg's "
        "statusCallback: the CallSid of the leg before, which Dial's action gets as DialCallSid.",
        "To call by a click, enter caller_id, and sip_domain if employees have SIP phones; the user is the extension.",
    )


INFOS = (
    ProviderInfo(
        key="twilio",
        name="Twilio",
        credentials=TwilioCredentials,
        settings=TwilioSettings,
        verified_with=("auth_token", "account_sid", "shared_key_id", "shared_key_secret"),
        callbacks=True,
        instructions=_instructions,
        signs="header `X-Twilio-Signature`: base64 of HMAC-SHA1 under the Auth Token, or of HMAC-SHA256 under a shared "
        "key, of the address with its query and all parameters",
        unsigned=UnverifiedFields(
            "when it was signed, and where the name of a parameter ends and its value begins",
            "doubles change nothing, the list of calls is compared, and an address that can't be guessed",
        ),
        lacks={"transfer_to_linked_call": "whoever takes the call over, the legs keep the same parent"},
        unconfirmed=(
            "that callbacks of dialled legs hold ParentCallSid, and which parameters besides",
            "how a withheld number is written: as the keys of a phone for the word",
            "which phones of a group get canceled, and which no-answer, when another answers",
            "which errors the REST API answers with, by number",
            "that recordings named by callbacks and by the list have the same address",
            "what the list of calls gives as the end of a leg that nobody answered",
        ),
        sources=(
            "twilio 9.13.0 (the vendor's Python library): request_validator, rest/api/v2010",
            "twilio.com/docs/usage/webhooks/webhooks-security",
            "twilio.com/docs/voice: api/call-resource, api/recording, twiml/dial, twiml/number, twiml/sip",
        ),
    ),
)
