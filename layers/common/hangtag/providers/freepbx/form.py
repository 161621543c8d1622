"""What FreePBX needs of the admin."""

from pydantic import Field

from hangtag.providers.forms import IntegrationSettings, ProviderInfo, UnverifiedFields
from hangtag.providers.telephony_api.form import TelephonyApiCredentials

__all__ = ["INFOS"]


class FreepbxCredentials(TelephonyApiCredentials):
    """As the telephony API's. Plain FreePBX has no address to enter: then calls can't be clicked."""


class FreepbxSettings(IntegrationSettings):
    """How missed calls are told."""

    missed_by_request: bool = Field(
        default=False, description="Take callMissedNotify as a missed call; else it is answered and changes nothing"
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"Enter this address at the PBX's scripts as the CRM's address, for forms and for JSON: {webhook_url}",
        "Enter planfix_token, which is shown this once, as the CRM's key.",
        "For recordings, let a web server serve /var/spool/asterisk/monitor, and the scripts send links to it.",
        "Calls can be clicked only if something at the PBX takes makeCall: enter its address and key here, as pbx_url "
        "and pbx_token.",
    )


INFOS = (
    ProviderInfo(
        key="freepbx",
        name="FreePBX",
        credentials=FreepbxCredentials,
        settings=FreepbxSettings,
        made_secrets=("planfix_token",),
        instructions=_instructions,
        signature="`planfix_token` in the body of forms; JSON requests have none, but a wrong one is refused",
        unverified_fields=UnverifiedFields(
            "every other field of forms, and the whole of the JSON requests callInfoRespNum and callMissedNotify",
            "the secret token in forms, and an address that can't be guessed",
        ),
        limitations=(
            "that uniqueId of the JSON requests is the callid of the forms: if it is another, callMissedNotify makes "
            "a call of its own",
            'the status with which {"error": "no persons responsible"} is answered: it is 200',
            "that with missed_by_request a form that says Missed counts nothing by itself: here both count, and make "
            "one missed call, since a call of which no extension talked is missed however it is told",
            "whether more than one responsible person is asked for: one is answered",
        ),
        sources=("Planfix's help pages on FreePBX and on its telephony API", "docs/telephony-api.md"),
    ),
)
