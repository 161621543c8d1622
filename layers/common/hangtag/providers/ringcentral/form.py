"""Form of RingCentral: credentials, set-up steps and the facts for the docs."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import ApiSettings, Credentials, ProviderInfo, UnverifiedFields

__all__ = ["INFOS"]


class RingCentralCredentials(Credentials):
    """An app of the account and a user's JWT credential for it; the subscription needs both."""

    client_id: str = Field(
        pattern=r"^[0-9A-Za-z_-]{8,64}$", description="Client id of the app, from the developer console"
    )
    client_secret: SecretStr = Field(min_length=8, max_length=256, description="Client secret of the app")
    jwt: SecretStr = Field(
        min_length=16, max_length=4096, description="JWT credential of a user who is an administrator of the account"
    )


class RingCentralSettings(ApiSettings):
    """The extensions' numbers by internal id."""

    extensions: str | None = Field(
        default=None,
        max_length=1900,
        pattern=r"^[0-9]{1,20} *= *[\w.*#-]{0,16}( *, *[0-9]{1,20} *= *[\w.*#-]{0,16})*$",
        description="Internal ids and the extensions on employees' cards: 400144455008=101, 400144456008=102. Leave "
        "the part after = empty for a queue or a menu. An id that is not listed is used as the extension",
    )


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        "Create a REST API app for your own account in the developer console, with JWT auth flow and the permissions "
        "Webhook Subscriptions, Call Control, Read Call Log, Read Call Recording, Read Accounts and RingOut. Enter its "
        "client id and client secret here.",
        "Create a JWT credential for this app as an administrator of the account, and enter it here as jwt.",
        "Save the integration. Hangtag subscribes this address itself and checks the subscription every 15 minutes: "
        f"{webhook_url}",
        "Open the diagnostics of the integration. RingCentral reports internal ids of extensions; the diagnostics "
        "list them with their numbers. Copy the list to the setting extensions.",
        "Keep queues, menus and park locations in the list, with nothing after the =, so that they do not count as "
        "employees.",
        "For click-to-call, give each employee a phone at RingCentral or a forwarding number: RingOut rings it first.",
        "For a sandbox account, enter https://platform.devtest.ringcentral.com as api_url.",
    )


INFOS = (
    ProviderInfo(
        key="ringcentral",
        name="RingCentral",
        credentials=RingCentralCredentials,
        settings=RingCentralSettings,
        verified_with=("verification_token",),
        made_keys=("verification_token",),
        # The address is needed to create the subscription again.
        callbacks=True,
        instructions=_instructions,
        signature="header `Verification-Token` or `Validation-Token`: the secret token of the subscription",
        unverified_fields=UnverifiedFields(
            "everything: the token is equal in all notifications, and the time of sending is not covered",
            "the token and the webhook's address are secret, duplicates have no effect, and calls are reconciled with "
            "the call log",
        ),
        missing_stories={
            "transfer_to_linked_call": "a call transferred after a talk continues in a session that began between "
            "employees: the two are linked, and the second gets no tag",
        },
        limitations=(
            "The header that contains the token: both are accepted",
            "The caller's own party is expected in notifications (sessions that the vendor published in 2020 have it)",
            "Notifications of RingOut are expected to contain ringOutRole; without it the party with an extension is "
            "the employee's",
            "An administrator is expected to have the right to ring another user's phone with RingOut",
            "The list of reasons for a party's end, above all those of a group in which another phone answers",
            "A blind transfer is expected to continue in the same session",
            "A queue's own party may be reported as answered: enter queues with nothing after the =",
            "Recordings are read from the notification of a party's end",
            "The duration of a record or leg is read as including the waiting time, as in the vendor's example, so "
            "the call log gives no talk time",
            "The format of a withheld number",
            "Fields in the list of subscriptions other than those of the vendor's example",
        ),
        sources=(
            "ringcentral/ringcentral-api-docs: notifications/webhooks, team-messaging/events/outgoing-webhooks (the "
            "validation request has no body), event-filters/account-telephony-sessions, "
            "voice/telephony-session-notifications, voice/ringout, voice/call-log, basics/rate-limits, basics/errors, "
            "authentication/jwt-flow, specs (the usage group of each request)",
            "dibyenduroy/csn-data, which the vendor's guide links to: recorded sessions",
            "ringcentral/RingCentral.Net: ReadCompanyCallLogParameters, CallLogRecord, CallStatusInfo, OriginInfo, "
            "CallParty (ringOutRole)",
            "ringcentral/ringcentral-js-widgets: RingOut's first party has its direction reversed",
        ),
    ),
)
