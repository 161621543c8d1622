"""What Telnyx needs of the admin."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from hangtag.providers.forms.base import ApiSettings, Credentials, Number, ProviderInfo, SipDomain
from hangtag.providers.telnyx.webhook import decode_base64

__all__ = ["INFOS"]

# The points of Curve25519 in Edwards form whose order divides 8, by their y: under them anybody can sign.
_PRIME = 2**255 - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_WEAK = (0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8)


def _a_public_key(typed: str) -> str:
    raw = decode_base64(typed, 32)
    if raw is None:
        raise ValueError("a public key is 44 characters: 32 bytes in base64, as the portal shows it")
    if int.from_bytes(raw, "little") % 2**255 % _PRIME in _WEAK:
        raise ValueError("this is no key: anybody could sign for it")
    return typed


class TelnyxCredentials(Credentials):
    """The key that webhooks are signed for, and what calls are placed with."""

    public_key: Annotated[str, AfterValidator(_a_public_key)] = Field(
        description="Public key of the account, which webhooks are verified with"
    )
    api_key: SecretStr | None = Field(
        default=None, min_length=8, max_length=256, description="API key, for outgoing calls, recordings and history"
    )
    connection_id: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Za-z-]{1,64}$",
        description="Id of the Voice API application that calls are placed through; history is of its calls only",
    )


class TelnyxSettings(ApiSettings):
    """Where employees are called, what contacts see, and which numbers are the account's own."""

    sip_domain: SipDomain | None = Field(
        default=None, description="Domain of the employees' phones; empty: sip.telnyx.com"
    )
    caller_id: Number | None = Field(
        default=None,
        description="Number shown to contacts where no line is chosen: one of the account's, or verified there",
    )
    lines: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^\+[1-9][0-9]{6,14}( *, *\+[1-9][0-9]{6,14})*$",
        description="All own numbers, with commas between them: legs between other numbers are then left out",
    )
    record_calls: bool = Field(default=True, description="Record calls that are placed by a click")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "In the Mission Control Portal open Account Settings → Keys & Credentials → Public Key, and enter it here as "
        "public_key.",
        "At the Voice API application that answers your calls, choose webhook API v2 and enter this address as the "
        f"webhook's: {webhook_url}",
        "If another service answers calls there, leave its address, and let it hand every webhook on to ours as it "
        "came, at once: the same bytes, with the headers telnyx-timestamp and telnyx-signature-ed25519.",
        "Dial employees by SIP address, the user of which is the extension, with link_to and the caller's number as "
        "`from`. To dial one by a number, or after another has talked, add client_state: base64 of "
        '{"d":"in","ext":"101"}, and in it "t", the call_leg_id of the employee who talked before.',
        "Enter your own numbers as lines, so that a leg to a mobile phone is not taken for a call of its own.",
        "To call by a click, enter an API key, the application's id as connection_id, and caller_id; the application "
        "needs an outbound voice profile.",
    )


INFOS = (
    ProviderInfo(
        key="telnyx",
        name="Telnyx",
        credentials=TelnyxCredentials,
        settings=TelnyxSettings,
        verified_with=("public_key",),
        instructions=_instructions,
        signs="header `Telnyx-Signature-Ed25519`: Ed25519 over `Telnyx-Timestamp`, which must be within 300 seconds, a "
        "bar and the body",
        lacks={"transfer_to_linked_call": "whoever takes the call over, the legs keep the same session"},
        unconfirmed=(
            "how a withheld number is written: any `from` without a number is taken for one",
            "that call.bridged is never sent of an employee's phone that nobody picked up",
            "which sip_hangup_cause comes with the cause unspecified: a refusal of SIP (4xx to 6xx) is a failed leg",
            "that call.recording.saved has recording_id: what is logged in the field has, the reference lists none",
            "what a second command of the same command_id is answered",
            "that a contact's leg that is over leaves the employee's up: it is hung up in any case",
            "for how long webhook deliveries are listed, and that those to other addresses are among them",
            "how many rows a page of a list may have: 250 are asked for, and meta is followed",
        ),
        sources=(
            "telnyx 4.189.0 (the vendor's Python library): lib/webhook_verification, types/call_*, resources",
            "developers.telnyx.com: api-reference/callbacks, docs/voice/programmable-voice/voice-api-webhooks",
            "developers.telnyx.com: development/api-fundamentals/api-errors",
            "payloads logged by public applications of Telnyx",
        ),
    ),
)
