"""Form of sipgate: credentials, set-up steps and the facts for the docs."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from hangtag.providers.forms import ApiSettings, Credentials, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


def _rsa_public_key(pem: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("Enter a public key in PEM.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise ValueError("Enter an RSA public key of at least 2048 bits.")
    return pem


_PAIR = "[0-9A-Za-z.*-]{1,64}=[0-9A-Za-z.*-]{1,64}"
_PAIRS = f"^{_PAIR}( *, *{_PAIR})*$"


class SipgateCredentials(Credentials):
    """A personal access token for the REST API, and sipgate's public key if it differs from the published one."""

    token_id: str | None = Field(default=None, max_length=128, description="Id of the personal access token (token-…)")
    token: SecretStr | None = Field(default=None, min_length=1, max_length=256, description="Personal access token")
    public_key: Annotated[str, StringConstraints(max_length=4096), AfterValidator(_rsa_public_key)] | None = Field(
        default=None, description="Public key of sipgate's signatures (PEM); empty: the published one"
    )


class SipgateSettings(ApiSettings):
    """Extensions of sipgate's users, and their devices."""

    users: str | None = Field(
        default=None,
        max_length=1024,
        pattern=_PAIRS,
        description="Extensions by sipgate's user ids, such as w0=101, w1=102; a user without an entry is "
        "identified by the id",
    )
    devices: str | None = Field(
        default=None,
        max_length=1024,
        pattern=_PAIRS,
        description="Devices that click-to-call rings, by extension, such as 101=e0, 102=e4; empty: device e0 "
        "for user w0",
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Create a personal access token that can read the history and the account, place calls and change the settings "
        "of sipgate.io. Enter it here as token_id and token. Hangtag then enters the webhook's address for you and "
        "replaces any other one, because sipgate has one address for each direction of calls.",
        "Without a token, enter this address at sipgate, under sipgate.io, for incoming and for outgoing calls: "
        f"{webhook_url}",
        "Enter the extension of each user as users; the user ids are in the addresses of the users' pages.",
        "If sipgate changed the key of its signatures, enter the new one as public_key.",
    )


INFOS = (
    ProviderInfo(
        key="sipgate",
        name="sipgate",
        credentials=SipgateCredentials,
        settings=SipgateSettings,
        verified_with=("public_key",),
        instructions=_instructions,
        signature="header `X-Sipgate-Signature`: base64 of RSA-SHA256 over the body, under the key that sipgate "
        "publishes",
        unverified_fields=UnverifiedFields(
            "the address, so the recipient, and the time of signing",
            "the webhook's address is secret, duplicates have no effect, and calls are reconciled with the history",
        ),
        missing_fields=("recording",),
        missing_stories={
            "transfer_within_call": "a transferred call is a separate call, with origCallId",
            "recording_link_late": "webhooks do not report recordings; the history does",
        },
        limitations=(
            "that a call transferred after a talk is the origCallId of the next call, as a forwarded one is",
            "the name of a mailbox that answers under the same id: voicemail is expected in answeringNumber",
            "that lastModified of the history is the end of the call, and which of several endpoints answered",
            "whether recordings need the token",
            "the limit of the REST API: 60 requests a minute are sent at most",
        ),
        sources=(
            "sipgateio 2.15.1 (the vendor's library for Node): webhook, history, call, webhook settings",
            "developer.sipgate.io: the push API (reference, FAQ) and Real Time Call Manipulation",
            "sipgate/sipgate.io: issues 106, 134, 135, 140 (webhooks of forwarded calls, mailboxes, clicks)",
        ),
    ),
)
