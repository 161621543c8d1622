"""Form of Telnyx: credentials, settings, instructions and limitations."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from hangtag.providers.forms import ApiSettings, Credentials, Number, ProviderInfo, SipDomain
from hangtag.providers.telnyx.webhook import decode_base64

__all__ = ["INFOS"]

# Points of Curve25519 in Edwards form whose order divides 8, by their y. Signatures for them can be forged.
_PRIME = 2**255 - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_WEAK = (0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8)


def _a_public_key(typed: str) -> str:
    raw = decode_base64(typed, 32)
    if raw is None:
        raise ValueError("The public key must be 44 characters: 32 bytes in base64. Copy it from the portal.")
    if int.from_bytes(raw, "little") % 2**255 % _PRIME in _WEAK:
        raise ValueError("The public key is weak: anybody could sign for it. Copy the key from the portal.")
    return typed


class TelnyxCredentials(Credentials):
    """The public key of webhook signatures, and the credentials for placing calls."""

    public_key: Annotated[str, AfterValidator(_a_public_key)] = Field(
        description="Public key of the account, for verifying webhooks"
    )
    api_key: SecretStr | None = Field(
        default=None, min_length=8, max_length=256, description="API key, for outgoing calls, recordings and history"
    )
    connection_id: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Za-z-]{1,64}$",
        description="Id of the Voice API application that places calls; history is limited to its calls",
    )


class TelnyxSettings(ApiSettings):
    """Phones of the employees, the number that contacts see, and the account's own numbers."""

    sip_domain: SipDomain | None = Field(
        default=None, description="Domain of the employees' phones; empty: sip.telnyx.com"
    )
    caller_id: Number | None = Field(
        default=None,
        description="Number that contacts see if no line is chosen: a number of the account, or one verified at Telnyx",
    )
    lines: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^\+[1-9][0-9]{6,14}( *, *\+[1-9][0-9]{6,14})*$",
        description="All own numbers, separated by commas: legs between other numbers are then ignored",
    )
    record_calls: bool = Field(default=True, description="Record click-to-call calls")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "In the Mission Control Portal open Account Settings → Keys & Credentials → Public Key, and enter it here as "
        "public_key.",
        "At the Voice API application that answers your calls, choose webhook API v2 and enter this address as the "
        f"webhook's: {webhook_url}",
        "If another service answers calls there, leave its address, and let it forward every webhook to ours "
        "unchanged and at once: the same bytes, with the headers telnyx-timestamp and telnyx-signature-ed25519.",
        "Dial employees by SIP address, with the extension as its user, with link_to and the caller's number as "
        "`from`. To dial one by a number, or after another has talked, add client_state: base64 of "
        '{"d":"in","ext":"101"}, and in it "t", the call_leg_id of the previous employee.',
        "Enter your own numbers as lines, so that a leg to a mobile phone is not treated as a separate call.",
        "For click-to-call, enter an API key, the application's id as connection_id, and caller_id; the application "
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
        signature="header `Telnyx-Signature-Ed25519`: Ed25519 over `Telnyx-Timestamp`, which must "
        "be within 300 seconds, a "
        "bar and the body",
        missing_stories={"transfer_to_linked_call": "the legs keep the same session after a transfer"},
        limitations=(
            "the format of a withheld number: any `from` without a number counts as withheld",
            "that call.bridged is never sent for an employee's phone that was not picked up",
            "the sip_hangup_cause with the cause unspecified: a SIP error (4xx to 6xx) is a failed leg",
            "that call.recording.saved contains recording_id: logged payloads do, the reference does not list it",
            "the response to a repeated command_id",
            "that the employee's leg stays up when the contact's leg ends: it is hung up in any case",
            "how long webhook deliveries are listed, and that they include those to other addresses",
            "the maximum page size of a list: 250 rows are requested, and meta is followed",
        ),
        sources=(
            "telnyx 4.189.0 (the vendor's Python library): lib/webhook_verification, types/call_*, resources",
            "developers.telnyx.com: api-reference/callbacks, docs/voice/programmable-voice/voice-api-webhooks",
            "developers.telnyx.com: development/api-fundamentals/api-errors",
            "payloads logged by public applications of Telnyx",
        ),
    ),
)
