"""Form of Binotel: credentials, set-up steps and the facts for the docs."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from hangtag.providers.forms import ApiSettings, Credentials, DialSettings, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


def _check_networks(value: str) -> str:
    networks = value.replace(",", " ").split()
    if not networks:
        raise ValueError("Enter at least one IP address or network.")
    for item in networks:
        try:
            network = ipaddress.ip_network(item, strict=False)
        except ValueError:
            raise ValueError(
                f"{item[:50]} is not an IP address or network. Use the form 194.88.218.114 or 10.0.0.0/8."
            ) from None
        if network.prefixlen == 0:
            raise ValueError("This network contains all addresses. Enter a smaller one.")
    return value


class BinotelCredentials(Credentials):
    """The company that posts, its IP addresses, and the login of the REST API."""

    company_id: str = Field(pattern=r"^[0-9]{1,20}$", description="Id of the company at Binotel (companyID)")
    source_addresses: Annotated[str, StringConstraints(max_length=1024), AfterValidator(_check_networks)] | None = (
        Field(
            default=None,
            description="IP addresses and networks that Binotel posts from, comma-separated; empty: the published ones",
        )
    )
    key: str | None = Field(default=None, min_length=1, max_length=128, description="Key of the REST API")
    secret: SecretStr | None = Field(default=None, min_length=1, max_length=256, description="Secret of the REST API")


class BinotelSettings(ApiSettings, DialSettings):
    """The settings of every PBX with a REST API and its own dialling format."""


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Ask Binotel's support for the key and secret of the REST API and for your company's id, and enter them here.",
        f"Ask the support to switch on API PUSH and API CALL COMPLETED with this address: {webhook_url}",
        "To show callers' names on phones, and to route callers to the responsible employee, ask for API CALL "
        f"SETTINGS with the same address: {webhook_url}",
        "Ask the support to register your IP addresses for the REST API, and to enable calls by API for your lines.",
        "Binotel's published IP addresses are 194.88.218.114 and 116 to 120, 194.88.219.67, 70 to 72, 78 to 89 and "
        "92, and 185.100.66.145 to 147. If your account posts from others, enter all of them as source_addresses.",
    )


INFOS = (
    ProviderInfo(
        key="binotel",
        name="Binotel",
        credentials=BinotelCredentials,
        settings=BinotelSettings,
        verified_with=("company_id", "source_addresses"),
        instructions=_instructions,
        signature="the sender's IP address, one of 26 that Binotel publishes, and `companyID` in the body",
        unverified_fields=UnverifiedFields(
            "every other field, all of hangupTheCall, and the time of sending",
            "only Binotel posts from these IP addresses, the webhook's address is secret, and calls are reconciled "
            "with the history",
        ),
        missing_stories={
            "transfer_within_call": "the extension in transferredTheCall and the meaning of billsec after it are not "
            "documented",
            "transfer_to_linked_call": "a transferred call continues under its own id",
            "recording_link_late": "the end of the call reports the recording; its link is requested by the call's id",
        },
        limitations=(
            "receivedTheCall may not be sent for each phone that rings, or may not name the employee: in the vendor's "
            "samples of incoming calls it does not, and then only apiCallCompleted names the employees who were rung",
            "The published IP addresses may be incomplete: clients also name 45.91.130.36, 45.91.130.51 to 82 and "
            "45.91.129.203, which are rejected unless you enter them",
            "answeredTheCall of a click is read as the contact's answer; the employee's answer is not reported, so a "
            "click that the employee does not answer becomes an outgoing missed call",
            "An asynchronous click is expected to return its generalCallID; without it the call is found by extension "
            "and number",
            "hangupTheCall and apiCallCompleted may not contain the company's id: they are accepted without it from "
            "the published IP addresses, and rejected with another one",
            "Any recordingStatus except none, no, 0, false and disabled is read as a recording",
            "assignedToEmployeeNumber in customerData is sent as the internal number of the responsible employee",
            "The format of the list of employees",
            "The limit of the REST API: 60 requests a minute are sent at most",
            "The history is requested one day at a time and expected to contain every call with its final disposition",
        ),
        sources=(
            "developers.binotel.ua (the IP addresses)",
            "sashalenz/binotel-api (REST API 4.0, models of the webhooks)",
            "denostr/binotel-api (parameters, and the order in which phones ring)",
            "EspoCRM's extension for Binotel (names and responses of requests)",
            "the vendor's samples-api-push.php and samples-api-rest-calls.php, as published by customers",
        ),
    ),
)
