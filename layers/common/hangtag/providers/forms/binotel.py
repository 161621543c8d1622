"""What Binotel needs of the admin."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from hangtag.providers.forms.base import ApiSettings, Credentials, DialSettings, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


def _known_networks(said: str) -> str:
    found = said.replace(",", " ").split()
    if not found:
        raise ValueError("name at least one address or network")
    for one in found:
        try:
            network = ipaddress.ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"{one[:50]} is no address or network, such as 194.88.218.114 or 10.0.0.0/8") from None
        if network.prefixlen == 0:
            raise ValueError("that would be everybody")
    return said


class BinotelCredentials(Credentials):
    """Which company posts, from where, and what the API is asked with."""

    company_id: str = Field(pattern=r"^[0-9]{1,20}$", description="Id of the company at Binotel, companyID")
    source_addresses: Annotated[str, StringConstraints(max_length=1024), AfterValidator(_known_networks)] | None = (
        Field(
            default=None,
            description="Addresses that Binotel posts from, if they are not those that it published: addresses and "
            "networks with commas between them",
        )
    )
    key: str | None = Field(default=None, min_length=1, max_length=128, description="Key of the API")
    secret: SecretStr | None = Field(default=None, min_length=1, max_length=256, description="Secret of the API")


class BinotelSettings(ApiSettings, DialSettings):
    """Nothing besides what others have."""


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Ask Binotel's support for key and secret of the REST API, and for the company's id, and enter them here.",
        f"Ask it to switch on API PUSH and API CALL COMPLETED, with this address: {webhook_url}",
        "To have callers' names shown on phones, and callers led to who is responsible for them, ask for API CALL "
        f"SETTINGS with the same address: {webhook_url}",
        "Binotel serves requests from registered addresses only, and calls by API from lines that it is switched on "
        "for: ask for both.",
        "Binotel's published addresses are 194.88.218.114 and 116 to 120, 194.88.219.67, 70 to 72, 78 to 89 and 92, "
        "and 185.100.66.145 to 147. If it posts from others, enter all of them as source_addresses, instead.",
    )


INFOS = (
    ProviderInfo(
        key="binotel",
        name="Binotel",
        credentials=BinotelCredentials,
        settings=BinotelSettings,
        verified_with=("company_id", "source_addresses"),
        instructions=_instructions,
        signs="the address that it is posted from, one of 26 that Binotel publishes, and `companyID` in the body",
        unsigned=UnverifiedFields(
            "every other field, all of hangupTheCall, and when it was sent",
            "nobody else posts from these addresses, the webhook's can't be guessed, and the history is compared",
        ),
        lacks={
            "transfer_within_call": "whom transferredTheCall names, and what billsec counts then, is not documented",
            "transfer_to_linked_call": "a transfer goes on under the same id",
            "recording_link_late": "that there is a recording comes with the end; its link is asked for by the call",
        },
        unconfirmed=(
            "whether receivedTheCall is sent for each employee whose phone rings, and names the employee: the vendor's "
            "samples of incoming calls do not, and then only apiCallCompleted says who was rung in vain",
            "whether the published addresses are all: clients in the field also name 45.91.130.36, 45.91.130.51 to 82 "
            "and 45.91.129.203, which are not taken unless they are entered",
            "that the answeredTheCall of a click says that the contact answered; whether the employee picked up is not "
            "told, so that a click that nobody picked up is an outgoing missed call",
            "that a click that is not waited for (async) is answered with its generalCallID: without it the call is "
            "found by extension and number",
            "whether hangupTheCall and apiCallCompleted always name the company: they are taken without, from the "
            "addresses, and refused if it is another one",
            "what recordingStatus says of a call that has a recording: all but none, no, 0, false and disabled is yes",
            "that customerData names who is responsible as assignedToEmployeeNumber, the internal number",
            "the list of employees",
            "limits of the REST API: 60 requests a minute are kept",
            "that the history can be asked for a day at once, and lists every call with its final disposition",
        ),
        sources=(
            "developers.binotel.ua (the addresses)",
            "sashalenz/binotel-api (REST API 4.0, models of the webhooks)",
            "denostr/binotel-api (parameters, and that the internal line is rung first)",
            "EspoCRM's extension for Binotel (names of the requests, and what is answered)",
            "the vendor's samples-api-push.php and samples-api-rest-calls.php, as customers published them",
        ),
    ),
)
