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
        default=False,
        description="Treat callMissedNotify as a missed call; if off, it gets a response and changes nothing",
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"Enter this address in the PBX's scripts as the CRM's address, for forms and for JSON: {webhook_url}",
        "Enter planfix_token, which is shown only once, as the CRM's key.",
        "For recordings, serve /var/spool/asterisk/monitor with a web server, and have the scripts send links to it.",
        "For click-to-call, a program at the PBX must accept makeCall: enter its address and key here, as pbx_url and "
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
        signature="`planfix_token` in the body of forms; JSON requests have no token, and one with a wrong token "
        "is rejected",
        unverified_fields=UnverifiedFields(
            "every other field of forms, and all of the JSON requests callInfoRespNum and callMissedNotify",
            "the token in forms and the webhook's address are secret",
        ),
        limitations=(
            "that uniqueId of the JSON requests equals callid of the forms; if it differs, callMissedNotify becomes a "
            "separate call",
            'the status of the response {"error": "no persons responsible"}: 200 is sent',
            "that with missed_by_request a form with the status Missed has to be ignored: Hangtag counts both, as one "
            "missed call, because a call without a talk is missed in either case",
            "whether more than one responsible person is expected: one is returned",
        ),
        sources=("Planfix's help pages on FreePBX and on its telephony API", "docs/telephony-api.md"),
    ),
)
