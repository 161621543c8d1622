"""Form of Twilio: credentials, settings, instructions and limitations."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import ApiSettings, Credentials, Number, ProviderInfo, SipDomain, UnverifiedFields

__all__ = ["INFOS"]


class TwilioCredentials(Credentials):
    """The account, its Auth Token that signs callbacks, an optional API key, and an optional shared key for SHA-256."""

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
    """Phones of the employees, and the number that contacts see."""

    sip_domain: SipDomain | None = Field(
        default=None,
        description="SIP domain of the employees' phones (acme.sip.twilio.com); empty: they use Twilio Client",
    )
    caller_id: Number | None = Field(
        default=None,
        description="Number that contacts see if no line is chosen: a number of the account, or one verified at Twilio",
    )
    record_calls: bool = Field(default=True, description="Record click-to-call calls")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Enter Account SID and Auth Token of the Console's start page here, as account_sid and auth_token.",
        "At each phone number, under Voice, enter this address for call status changes, by HTTP POST: "
        f"{webhook_url}?direction=in",
        "In the TwiML that answers calls, add to each Sip, Client and Number of a Dial "
        'statusCallbackEvent="ringing answered completed" and this statusCallback, with the called number as line, '
        "in digits, and the extension if it is not the SIP user or Client name: "
        f"{webhook_url}?direction=in&amp;line=74951230001&amp;extension=101",
        "In the TwiML of calls from employees' phones, add to the Number the same events and this statusCallback: "
        f"{webhook_url}?direction=out&amp;leg=contact&amp;extension=101",
        f"To store recordings, add record and this recordingStatusCallback to the Dial: {webhook_url}",
        "If your TwiML dials another employee after the first one has talked, add transferred_from to that leg's "
        "statusCallback: the CallSid of the previous leg, which Dial's action receives as DialCallSid.",
        "For click-to-call, enter caller_id, and sip_domain if employees have SIP phones; the user is the extension.",
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
        signature="header `X-Twilio-Signature`: base64 of HMAC-SHA1 under the Auth Token, or of "
        "HMAC-SHA256 under a shared "
        "key, of the address with its query and all parameters",
        unverified_fields=UnverifiedFields(
            "the time, and the boundary between the name and the value of a parameter",
            "duplicates change nothing, the list of calls is reconciled, and the address cannot be guessed",
        ),
        missing_stories={"transfer_to_linked_call": "the legs keep the same parent after a transfer"},
        limitations=(
            "that callbacks of dialled legs contain ParentCallSid, and their other parameters",
            "the format of a withheld number: the digits of a word on the keys of a phone",
            "the status of the other phones of a group when one answers: canceled or no-answer",
            "the error codes of the REST API",
            "that callbacks and the list contain the same address of a recording",
            "the end time of an unanswered leg in the list of calls",
        ),
        sources=(
            "twilio 9.13.0 (the vendor's Python library): request_validator, rest/api/v2010",
            "twilio.com/docs/usage/webhooks/webhooks-security",
            "twilio.com/docs/voice: api/call-resource, api/recording, twiml/dial, twiml/number, twiml/sip",
        ),
    ),
)
