"""What Mango Office needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import ApiSettings, Credentials, DialSettings, ProviderInfo, TimeZone, Unsigned

__all__ = ["INFOS"]


class MangoCredentials(Credentials):
    """The key and the salt of the PBX's API; both directions are signed with both."""

    vpbx_api_key: str = Field(min_length=8, max_length=128, description="Unique code of the PBX")
    vpbx_api_salt: SecretStr = Field(min_length=8, max_length=256, description="Key for making the signature")


class MangoSettings(ApiSettings, DialSettings):
    """The clock that reports are asked for by."""

    time_zone: TimeZone | None = Field(default=None, description="Time zone of the PBX; empty: Europe/Moscow")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Open Integrations → API connector in the account, and enter the unique code and the key for the signature "
        "here as vpbx_api_key and vpbx_api_salt.",
        f"Enter this address there as that of the external system; Mango Office appends its own paths: {webhook_url}",
        "Switch on notifications of calls, of ended calls (summary) and of recordings that were added.",
        "Give each employee the short number of the PBX as extension.",
        "Mango Office speaks TLS 1.2 alone: whatever stands before Hangtag must take it.",
        "After a wrong request the PBX takes none for two minutes; Hangtag then says 401.",
    )


INFOS = (
    ProviderInfo(
        key="mango",
        name="Mango Office",
        credentials=MangoCredentials,
        settings=MangoSettings,
        verified_with=("vpbx_api_key", "vpbx_api_salt"),
        instructions=_instructions,
        signs="field `sign`: SHA-256 of the key, the text of `json` as it came, and the salt",
        unsigned=Unsigned(
            "the path that says what is told, and when it was signed",
            "doubles change nothing, reports of the PBX are compared, and the address can't be guessed",
        ),
        lacks={"transfer_to_linked_call": "a transfer goes on under the same entry_id"},
        unconfirmed=(
            "that timestamps are seconds of UTC, as the samples are, and not of the UTC+3 that the text names",
            "how the legs of a click look: that the first rings `to.extension`, and both carry command_id",
            "that after a transfer the summary's talk_time is when the last one picked up",
            "reasons for an end but by their class: 1121 to 1123 are taken for busy",
            "the list of employees, and how the dates of a report are written",
            "that call_abonent_number of a report is the short number",
            "how a withheld number is written",
        ),
        sources=(
            "Mango Office: VPBX API 1.9 (PDF), in two independent extracts",
            "Python-Mango-Office-API 3.7.4 (a client in the field)",
        ),
    ),
)
