"""Form of FreePBX: credentials, set-up steps and the facts for the docs."""

from pydantic import Field

from hangtag.providers.forms import IntegrationSettings, ProviderInfo, UnverifiedFields
from hangtag.providers.telephony_api.form import TelephonyApiCredentials

__all__ = ["INFOS"]


class FreepbxCredentials(TelephonyApiCredentials):
    """Credentials of the telephony API. A plain FreePBX has no address to enter and cannot place calls."""


class FreepbxSettings(IntegrationSettings):
    """Handling of missed calls."""

    missed_by_request: bool = Field(
        default=False, description="Count callMissedNotify as a missed call; otherwise it is acknowledged and ignored"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"In the PBX's scripts, enter this address as the CRM's address, for forms and for JSON: {webhook_url}",
        "Enter planfix_token, which is shown only now, as the CRM's key.",
        "For recordings, serve /var/spool/asterisk/monitor with a web server, and have the scripts send links to it.",
        "Click-to-call needs an add-on at the PBX that accepts makeCall: enter its address and key here as pbx_url and "
        "pbx_token.",
    )


INFOS = (
    ProviderInfo(
        key="freepbx",
        name="FreePBX",
        credentials=FreepbxCredentials,
        settings=FreepbxSettings,
        made_secrets=("planfix_token",),
        instructions=_instructions,
        signature="`planfix_token` in the body of forms; JSON requests have none, but a wrong one is rejected",
        unverified_fields=UnverifiedFields(
            "every other field of forms, and all fields of the JSON requests callInfoRespNum and callMissedNotify",
            "the token in forms is secret, and so is the webhook's address",
        ),
        limitations=(
            "uniqueId of the JSON requests is expected to be the callid of the forms; otherwise callMissedNotify "
            "creates another call",
            '{"error": "no persons responsible"} is returned with status 200',
            "With missed_by_request, a form with the status Missed and callMissedNotify are both read, and result in "
            "one missed call",
            "One responsible employee is returned, even if the PBX accepts several",
        ),
        sources=("Planfix's help pages on FreePBX and on its telephony API", "docs/telephony-api.md"),
    ),
)
