"""Form of Ringostat: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import (
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
    """The key of the project's API; without it calls are received, but not placed or reconciled."""

    auth_key: SecretStr | None = Field(default=None, min_length=1, max_length=256, description="Auth-key of the API")


class RingostatSettings(ApiSettings, DialSettings):
    """The time zone of the project, which webhook requests do not contain."""

    time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the project; empty: times in webhook requests are ignored"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open Integrations → Webhooks. Add one webhook for each of the moments in steps 3 to 8, with the method POST, "
        "the address of that step and the date format YYYY-MM-DD HH:MM:SS.",
        f"Give each webhook these parameters, under exactly these names: {_PARAMETERS}. Leave out the parameters that "
        "a moment does not offer.",
        f"Incoming call, before the call: {webhook_url}?event=before_call",
        f"Incoming call, on location forwarding: {webhook_url}?event=forwarding",
        f"Incoming call, when taking the call: {webhook_url}?event=taken",
        f"Incoming call, after the call: {webhook_url}?event=after_call",
        f"Outgoing call, before the call: {webhook_url}?event=before_outgoing",
        f"Outgoing call, after the call: {webhook_url}?event=after_outgoing",
        "Open Integrations → Ringostat API, and enter Auth-key here as auth_key. An employee's extension is the SIP "
        "account or the number that calls are connected with.",
        "For click-to-call, the extension must be a number that is connected to the project as incoming, under "
        "Virtual PBX → Connect phone numbers: Ringostat's simple callback accepts no other.",
        "Keep these addresses secret: nothing else protects the webhooks.",
    )


INFOS = (
    ProviderInfo(
        key="ringostat",
        name="Ringostat",
        credentials=RingostatCredentials,
        settings=RingostatSettings,
        instructions=_instructions,
        signature="the secret address of the webhook only: requests are not signed",
        unverified_fields=UnverifiedFields(
            "everything, and the time of sending",
            "the webhook's address is secret, duplicates have no effect, and calls are reconciled with the call log",
        ),
        missing_stories={
            "transfer_within_call": "no moment of a call reports a transfer",
            "transfer_to_linked_call": "no moment of a call reports a transfer",
            "recording_link_late": "the end of the call contains the recording's address",
        },
        limitations=(
            "The moment location forwarding is expected for each phone that rings, with connected_with",
            "An outgoing call is expected to have the employee's SIP account or number as caller, and the line as "
            "outbound_number",
            "A click is expected to be reported as an outgoing call, although callbacks count as incoming; the "
            "response to a rejected click is unknown",
            "calls/list is expected to use the project's time zone",
            "The format of a withheld number",
            "The limit of the REST API: 60 requests a minute are sent at most",
            "The lifetime of a recording's address and of the token in it",
        ),
        sources=(
            "help.ringostat.com: articles 6313229 and 6559993 (webhooks), 6312685 (callback), 6312678 (call log), "
            "6413217 (statuses), 6313081 (SIP accounts)",
        ),
    ),
)
