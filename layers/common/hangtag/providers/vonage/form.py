"""Form of Vonage: credentials, settings, instructions and limitations."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

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

_FEWEST_BITS = 2048


def _a_private_key(typed: SecretStr) -> SecretStr:
    # Loading a key takes a library that no other form needs.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(typed.get_secret_value().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _FEWEST_BITS:
        raise ValueError(
            "private_key must be an RSA key in PEM format with at least 2048 bits. Paste the whole text of private.key."
        )
    return typed


class VonageCredentials(Credentials):
    """The secret that signs webhooks, and the application that places calls."""

    api_key: str = Field(
        pattern=r"^[0-9A-Za-z]{4,64}$", description="API key of the account, as the dashboard shows it"
    )
    signature_secret: SecretStr = Field(
        min_length=8, max_length=256, description="Signature secret of the account, different from the API secret"
    )
    application_id: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Fa-f-]{36}$",
        description="Id of the application, for outgoing calls, recordings and history",
    )
    private_key: Annotated[SecretStr, AfterValidator(_a_private_key)] | None = Field(
        default=None, max_length=8192, description="Private key of that application: the text of private.key"
    )


class VonageSettings(ApiSettings):
    """Phones of the employees, extensions that ring, and the number that contacts see."""

    sip_domain: SipDomain | None = Field(
        default=None, description="Domain of the employees' SIP phones; empty: they use the vendor's apps, by user name"
    )
    caller_id: Number | None = Field(
        default=None, description="Number that contacts see if no line is chosen: a number of the account"
    )
    ring: Extensions | None = Field(
        default=None,
        description="Extensions that ring for an incoming call, one after another, separated by commas; the "
        "responsible employee of the contact rings first",
    )
    record_calls: bool = Field(default=True, description="Record calls that Hangtag connects")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open API Settings in the dashboard, and enter the API key and the signature secret here as api_key and "
        "signature_secret.",
        "At the application, under Capabilities → Voice, switch signed webhooks on, and enter this address as event "
        f"URL, by POST: {webhook_url}",
        "To have Hangtag ring the responsible employee, enter the same address as answer URL, by GET, and the "
        "extensions to ring here as ring. Calls that users of the vendor's apps make are connected then too; the "
        "contact sees caller_id.",
        "If an application of your own answers calls, add this eventUrl to each connect action, with the called number "
        f"as line, in digits: {webhook_url}?direction=in&line=74951230001&extension=101",
        "In the NCCO of calls from employees' phones, add this eventUrl to the connect action, with the number "
        "that contacts see as line: "
        f"{webhook_url}?direction=out&leg=contact&extension=101&line=74951230001",
        f"To store recordings, add this eventUrl to the record action: {webhook_url}",
        "If your NCCO connects another employee after the first has talked, add transferred_from to that eventUrl: "
        "the uuid of the previous leg.",
        "For click-to-call, enter the application's id and private key, caller_id, and sip_domain if employees have "
        "SIP phones; the user is the extension.",
        "A webhook without a token is rejected with 503, as Vonage documents: Vonage omits the token after an error of "
        "its own, and retries with one. If every webhook has no token, switch signed webhooks on.",
    )


INFOS = (
    ProviderInfo(
        key="vonage",
        name="Vonage",
        credentials=VonageCredentials,
        settings=VonageSettings,
        verified_with=("signature_secret", "api_key"),
        callbacks=True,
        instructions=_instructions,
        signature="header `Authorization`: a JWT by HS256 under the signature secret; its iat must "
        "be within 300 seconds, "
        "payload_hash the SHA-256 of the body, api_key the account's, and jti identifies the webhook",
        unverified_fields=UnverifiedFields(
            "the query of the webhook's address, and the whole answer webhook, which has no body",
            "the address cannot be guessed, a token is valid for one body and five minutes, and the answer webhook "
            "changes nothing",
        ),
        missing_stories={
            "parallel_group_answered_by_second": "a connect action rings one phone at a time, so a group rings in turn",
            "transfer_to_linked_call": "a leg that moves to another conversation is not identified: the two "
            "calls are linked, and nothing more is known",
        },
        limitations=(
            "the lifetime of a token: 300 seconds are assumed",
            "whether a retried webhook has the same jti, and how often one without a token is retried",
            "whether the answer webhook by GET has payload_hash, and whether of nothing or of the query",
            "that a connected leg's webhooks contain the conversation_uuid of the other leg",
            "that `from` and `to` of a SIP phone are its SIP address, which distinguishes its calls from incoming ones",
            "the format of a withheld number",
            "that `completed` follows `disconnected`, which changes nothing itself",
            "the leg in a `transfer`, and that its later webhooks contain the other conversation",
            "the end time of an unanswered leg in the list of calls, and that start_time is the answer",
            "the errors of the REST API, by status",
        ),
        sources=(
            "Nexmo/nexmo-developer: webhook-reference, ncco-reference, signed-webhooks, recording, and the webhooks "
            "in the tutorials of the Client SDK",
            "vonage 4.9.1, vonage-jwt 1.1.5 and vonage-voice 1.5.1 (the vendor's Python libraries)",
            "APIs-guru/openapi-directory: nexmo.com/voice/1.3.8, of calls and their list",
            "developer.vonage.com/voice/voice-api/webhook-reference",
        ),
    ),
)
