"""What Ringostat needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import (
    ApiSettings,
    Credentials,
    DialSettings,
    ProviderInfo,
    TimeZone,
    UnverifiedFields,
)

__all__ = ["INFOS"]

_PARAMETERS = (
    "uniqueid, calldate, caller, dst, outbound_number, connected_with, disposition, billsec, waittime, recording, "
    "has_recording"
)


class RingostatCredentials(Credentials):
    """The key of the project's API; without it calls are received, but can't be clicked or compared."""

    auth_key: SecretStr | None = Field(default=None, min_length=1, max_length=256, description="Auth-key of the API")


class RingostatSettings(ApiSettings, DialSettings):
    """The project's clock has no zone of its own in what is sent."""

    time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the project's clock; empty: the times in webhooks are left out"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open Integrations → Webhooks. Add one webhook for each of the moments below, by POST, its destination the "
        "address that is given with it, the date format YYYY-MM-DD HH:MM:SS.",
        f"Give each these parameters, under exactly these names: {_PARAMETERS}. What a moment does not offer is "
        "left out.",
        f"Incoming call, before the call: {webhook_url}?event=before_call",
        f"Incoming call, on location forwarding: {webhook_url}?event=forwarding",
        f"Incoming call, when taking the call: {webhook_url}?event=taken",
        f"Incoming call, after the call: {webhook_url}?event=after_call",
        f"Outgoing call, before the call: {webhook_url}?event=before_outgoing",
        f"Outgoing call, after the call: {webhook_url}?event=after_outgoing",
        "Open Integrations → Ringostat API, and enter Auth-key here as auth_key. An employee's extension is the SIP "
        "account, or the number, that calls are connected with.",
        "To call by a click, it must be a number that is connected to the project as incoming, under Virtual PBX → "
        "Connect phone numbers: Ringostat's simple callback takes no other.",
        "Keep these addresses to yourself: they are all that protects the webhooks.",
    )


INFOS = (
    ProviderInfo(
        key="ringostat",
        name="Ringostat",
        credentials=RingostatCredentials,
        settings=RingostatSettings,
        instructions=_instructions,
        signs="nothing: whoever has the webhook's address is believed",
        unsigned=UnverifiedFields(
            "everything, and when it was sent",
            "the address can't be guessed, doubles change nothing, and the call log is compared",
        ),
        lacks={
            "transfer_within_call": "no moment of a call tells of a transfer",
            "transfer_to_linked_call": "no moment of a call tells of a transfer",
            "recording_link_late": "the recording's address comes with the end of the call",
        },
        unconfirmed=(
            "that location forwarding is told for each employee whose phone rings, with connected_with",
            "that an outgoing call has the employee's SIP account or number as caller, and the line as outbound_number",
            "that a click is told as an outgoing call, though callbacks count as incoming, and how the API refuses one",
            "that calls/list reads and writes its times in the project's clock",
            "how a withheld number is written",
            "limits of the REST API: 60 requests a minute are kept",
            "how long a recording's address lives, and the token in it",
        ),
        sources=(
            "help.ringostat.com: articles 6313229 and 6559993 (webhooks), 6312685 (callback), 6312678 (call log), "
            "6413217 (statuses), 6313081 (SIP accounts)",
        ),
    ),
)
