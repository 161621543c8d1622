"""What RingCentral needs of the admin."""

from pydantic import Field, SecretStr

from hangtag.providers.forms.base import ApiSettings, Credentials, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


class RingCentralCredentials(Credentials):
    """An application of the account, and a user's JWT credential for it: without them nobody is subscribed."""

    client_id: str = Field(
        pattern=r"^[0-9A-Za-z_-]{8,64}$", description="Client id of the application, as the developer console shows it"
    )
    client_secret: SecretStr = Field(min_length=8, max_length=256, description="Client secret of the application")
    jwt: SecretStr = Field(
        min_length=16, max_length=4096, description="JWT credential of a user who is an administrator of the account"
    )


class RingCentralSettings(ApiSettings):
    """Whose extension an internal id is."""

    extensions: str | None = Field(
        default=None,
        max_length=1900,
        pattern=r"^[0-9]{1,20} *= *[\w.*#-]{0,16}( *, *[0-9]{1,20} *= *[\w.*#-]{0,16})*$",
        description="Internal ids and the numbers that employees' cards have (400144455008=101, 400144456008=102); "
        "nothing after = for a queue or a menu. An id that is not here stands for itself",
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "In the developer console make a REST API app for your own account, with JWT auth flow and the permissions "
        "Webhook Subscriptions, Call Control, Read Call Log, Read Call Recording, Read Accounts and RingOut; enter its "
        "client id and client secret here.",
        "As an administrator of the account, make a JWT credential for that app, and enter it here as jwt.",
        f"Hangtag then subscribes this address by itself, and sees to it each quarter of an hour: {webhook_url}",
        "RingCentral tells internal ids of extensions: ask for the diagnosis of this integration, which lists them "
        "with their numbers, and enter the list as extensions.",
        "Queues, menus and park locations are in that list with nothing after the =: enter them too, so that they are "
        "not taken for employees.",
        "To call by a click, give each employee a phone at RingCentral, or a forwarding number, which RingOut "
        "rings first.",
        "For a sandbox account enter https://platform.devtest.ringcentral.com as api_url.",
    )


INFOS = (
    ProviderInfo(
        key="ringcentral",
        name="RingCentral",
        credentials=RingCentralCredentials,
        settings=RingCentralSettings,
        verified_with=("verification_token",),
        made_keys=("verification_token",),
        # So that the subscription can be made anew.
        callbacks=True,
        instructions=_instructions,
        signs="header `Verification-Token`, or `Validation-Token`: the token that Hangtag made the subscription with",
        unsigned=UnverifiedFields(
            "everything: the token is the same in every notification, and nothing says when it was sent",
            "the token and the address can't be guessed, doubles change nothing, and the call log is compared",
        ),
        lacks={
            "transfer_to_linked_call": "a call that is handed over after a talk goes on in a session that began among "
            "employees: the two are linked, and the second leaves no tag",
        },
        unconfirmed=(
            "which of the two headers has the token: both are taken",
            "that the caller's own party is told of (it is in sessions that the vendor published in 2020)",
            "that notifications of RingOut have ringOutRole; without it the party with an extension is the employee's",
            "that an administrator may have RingOut ring another user's phone",
            "which reasons a party leaves with, above all those of a group of which another answered",
            "that a blind transfer goes on in the same session",
            "whether a queue's own party is said to be answered: enter queues with nothing after the =",
            "which notification has recordings: the one of a party's end is looked at",
            "that the duration of a record or leg counts from its startTime, the waiting included, as in the vendor's "
            "example: so the call log does not say how long was talked",
            "how a withheld number is written",
            "what a list of subscriptions has besides the vendor's example",
        ),
        sources=(
            "ringcentral/ringcentral-api-docs: notifications/webhooks, team-messaging/events/outgoing-webhooks (what "
            "asks whether the address is ours has no body), event-filters/account-telephony-sessions, "
            "voice/telephony-session-notifications, voice/ringout, voice/call-log, basics/rate-limits, basics/errors, "
            "authentication/jwt-flow, specs (which group of requests each is of)",
            "dibyenduroy/csn-data, which the vendor's guide links to: sessions as they came",
            "ringcentral/RingCentral.Net: ReadCompanyCallLogParameters, CallLogRecord, CallStatusInfo, OriginInfo, "
            "CallParty (ringOutRole)",
            "ringcentral/ringcentral-js-widgets: RingOut's first party comes turned round",
        ),
    ),
)
