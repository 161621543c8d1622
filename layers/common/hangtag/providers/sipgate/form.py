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
        description="Extensions of sipgate's users, as in w0=101, w1=102; a user without one has the id as extension",
    )
    devices: str | None = Field(
        default=None,
        max_length=1024,
        pattern=_PAIRS,
        description="Devices that click-to-call rings, as in 101=e0, 102=e4; empty: device e0 for user w0",
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Create a personal access token that can read the history and the account, place calls and change the settings "
        "of sipgate.io, and enter it here as token_id and token. Hangtag then sets the webhook address and replaces "
        "the present one: sipgate supports one address for each direction.",
        f"Without a token, enter this address at sipgate.io for incoming and for outgoing calls: {webhook_url}",
        "Enter the extensions of the users as users; the URL of a user's page contains the id.",
        "If sipgate has a new key for its signatures, enter it as public_key.",
    )


INFOS = (
    ProviderInfo(
        key="sipgate",
        name="sipgate",
        credentials=SipgateCredentials,
        settings=SipgateSettings,
        verified_with=("public_key",),
        instructions=_instructions,
        signature="header `X-Sipgate-Signature`: base64 of RSA-SHA256 over the body, by the key that sipgate publishes",
        unverified_fields=UnverifiedFields(
            "the address, and so the recipient, and the time of signing",
            "the address is secret, duplicates change nothing, and calls are reconciled with the history",
        ),
        missing_fields=("recording",),
        missing_stories={
            "transfer_within_call": "a transfer continues as another call, with origCallId",
            "recording_link_late": "webhooks do not report recordings; the history does",
        },
        limitations=(
            "The next call of a transfer after talk is expected to contain origCallId, as that of a forwarding does",
            "A mailbox that answers under the same id is recognised by voicemail in answeringNumber",
            "lastModified in the history is read as the end of the call; the first endpoint "
            "with an answer is read as the one that answered",
            "It is not documented if recordings need the token",
            "The limit of the REST API: 60 requests a minute are sent at most",
        ),
        sources=(
            "sipgateio 2.15.1 (the vendor's library for Node): webhook, history, call, webhook settings",
            "developer.sipgate.io: the push API (reference, FAQ) and Real Time Call Manipulation",
            "sipgate/sipgate.io: issues 106, 134, 135, 140 (events of forwarded calls, mailboxes, clicks)",
        ),
    ),
)
