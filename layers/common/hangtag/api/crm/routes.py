"""The CRM outside: its address and secret, how it does, and what it did not take."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, Limit, Page, RequestModel, ResponseModel
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.crm import config, webhook
from hangtag.errors import BadInputError, FieldError, FieldErrorCode, NotFoundError
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.crm.config import CrmConfig
from hangtag.store.db import audit
from hangtag.store.db.clock import now

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

# What one request redrives; the rest is for the next.
MAX_REDRIVEN = 200
MAX_OVERLAP_HOURS = 7 * 24

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2000)]
Kind = Literal["builtin", "webhook"]


class SetCrmSettingsRequest(RequestModel):
    """Which CRM: the built-in one, or also one outside, which is told everything at this address."""

    kind: Kind
    url: Url | None = None


class CrmHealth(ResponseModel):
    """How the CRM does. `failures` in a row; while it is paused, nothing is sent to it."""

    state: Literal["ok", "failing", "paused"]
    failures: int
    paused_until: datetime | None
    last_status: int | None
    reason: str | None
    failed_at: datetime | None


class CrmSettings(ResponseModel):
    """The CRM. Until `secret_overlap_until` requests carry the signature of the old secret too."""

    kind: Kind
    url: str | None
    secret_overlap_until: datetime | None
    health: CrmHealth | None


class CreatedCrmSettings(CrmSettings):
    """The CRM as it was set. `secret` is there when it was made by this, and shown this once."""

    secret: str | None


class RotateCrmSecretRequest(RequestModel):
    """For how long the old secret signs too."""

    overlap_hours: Annotated[int, Field(ge=0, le=MAX_OVERLAP_HOURS)] = 24


class RotatedCrmSecret(ResponseModel):
    """A new secret, shown this once."""

    secret: str
    secret_overlap_until: datetime | None


class CrmTestResult(ResponseModel):
    """What came back of a test message: whether it was taken, the HTTP status if there was one, and what it means."""

    ok: bool
    status: int | None
    said: str


class DeadLetter(ResponseModel):
    """A message that the CRM did not take. `attempts` is how often it was sent since it was last redriven."""

    id: str
    type: str
    subject: str
    revision: int
    created_at: datetime
    died_at: datetime
    attempts: int
    last_status: int | None
    reason: str


class DeadLetterPage(Page[DeadLetter]):
    """A page of the list."""


class RedriveResult(ResponseModel):
    """How many messages are tried again, and whether there are more: then send the request again."""

    redriven: int
    more: bool


@routes.get(
    "/v1/settings/crm",
    operation_id="getCrmSettings",
    tags=["CRM"],
    summary="Get CRM settings",
    description="Which CRM there is, and how it does.",
)
def get_crm_settings() -> CrmSettings:
    """Which CRM there is, and how it does."""
    return _shown(routes.tenant_id, crm.read(routes.tenant_id))


@routes.put(
    "/v1/settings/crm",
    operation_id="setCrmSettings",
    tags=["CRM"],
    summary="Set CRM settings",
    description="Set the CRM. Its first address brings the secret, shown this once; another address keeps it.",
)
def set_crm_settings(wanted: SetCrmSettingsRequest) -> CreatedCrmSettings:
    """Set the CRM. Its first address brings the secret, shown this once; another address keeps it."""
    tenant_id = routes.tenant_id
    if (wanted.url is None) == (wanted.kind == "webhook"):
        reason = "a webhook needs it" if wanted.kind == "webhook" else "the built-in CRM has none"
        raise BadInputError("kind and url do not fit", (FieldError("url", FieldErrorCode.NOT_ALLOWED_VALUE, reason),))
    after, secret = None, None
    if wanted.url is None:
        config.disconnect(tenant_id, routes.caller.name)
    else:
        after, secret = config.connect(tenant_id, wanted.url, routes.caller.name)
    return CreatedCrmSettings(**_shown(tenant_id, after).model_dump(), secret=secret)


@routes.post(
    "/v1/settings/crm/rotate",
    operation_id="rotateCrmSecret",
    tags=["CRM"],
    summary="Rotate the CRM signing secret",
    description="Make a new secret; the old one signs too for the overlap.",
)
def rotate_crm_secret(wanted: RotateCrmSecretRequest) -> RotatedCrmSecret:
    """Make a new secret; the old one signs too for the overlap."""
    tenant_id, who = routes.tenant_id, routes.caller.name

    def work() -> RotatedCrmSecret:
        after, secret = config.rotate(tenant_id, wanted.overlap_hours, now(), who)
        return RotatedCrmSecret(secret=secret, secret_overlap_until=_moment(after.overlap_until))

    return RotatedCrmSecret.model_validate(routes.once("crm-rotate", work, sealed=True))


@routes.post(
    "/v1/settings/crm/test",
    operation_id="testCrm",
    tags=["CRM"],
    summary="Send a test message to the CRM",
    description="Send a signed message of type `test` now, and say what came back.",
)
def test_crm() -> CrmTestResult:
    """Send a signed message of type `test` now, and say what came back."""
    tenant_id = routes.tenant_id

    def work() -> CrmTestResult:
        outcome = webhook.test(tenant_id, now())
        ok = outcome.verdict is webhook.Verdict.ACCEPTED
        return CrmTestResult(ok=ok, status=outcome.fault.status, said=outcome.fault.reason)

    return CrmTestResult.model_validate(routes.once("crm-test", work))


@routes.get(
    "/v1/settings/crm/dead-letters",
    operation_id="listDeadLetters",
    tags=["CRM"],
    summary="List dead letters",
    description="What was given up in the last 90 days, the latest first.",
)
def list_dead_letters(limit: Limit | None = None, cursor: str | None = None) -> DeadLetterPage:
    """What was given up in the last 90 days, the latest first."""
    start = read_cursor("dead-letters", 1, cursor)
    found, following = outbox.list_dead_letters(routes.tenant_id, limit or DEFAULT_LIMIT, start[0] if start else None)
    return DeadLetterPage(
        items=[DeadLetter.model_validate(one) for one in found],
        next_cursor=write_cursor("dead-letters", following) if following else None,
    )


@routes.post(
    "/v1/settings/crm/dead-letters/redrive",
    operation_id="redriveDeadLetters",
    tags=["CRM"],
    summary="Redrive up to 200 dead letters",
    description="Have all that was given up tried again, up to 200 at a time.",
)
def redrive_dead_letters() -> RedriveResult:
    """Have all that was given up tried again, up to 200 at a time."""
    tenant_id = routes.tenant_id

    def work() -> RedriveResult:
        found, following = outbox.list_dead_letters(tenant_id, MAX_REDRIVEN, None)
        count = _redrive(tenant_id, [one["id"] for one in found])
        return RedriveResult(redriven=count, more=following is not None)

    return RedriveResult.model_validate(routes.once("crm-redrive", work))


@routes.post(
    "/v1/settings/crm/dead-letters/<letter_id>/redrive",
    operation_id="redriveDeadLetter",
    tags=["CRM"],
    summary="Redrive a dead letter",
    description="Have one message that was given up tried again.",
)
def redrive_dead_letter(letter_id: str) -> RedriveResult:
    """Have one message that was given up tried again."""
    tenant_id, outbox_id = routes.tenant_id, found_id(letter_id)

    def work() -> RedriveResult:
        if _redrive(tenant_id, [outbox_id]) == 0:
            raise NotFoundError("there is no such dead letter")
        return RedriveResult(redriven=1, more=False)

    return RedriveResult.model_validate(routes.once(f"crm-redrive:{outbox_id}", work))


def _redrive(tenant_id: str, ids: list[str]) -> int:
    """How many of them were dead, and are tried again."""
    # The admin wants it tried now, also if the CRM is left alone.
    breaker.reset(tenant_id)
    count = sum(outbox.redrive(tenant_id, one, now()) for one in ids)
    if count:
        audit.note(tenant_id, routes.caller.name, "crm.redriven", config.TARGET)
    return count


def _shown(tenant_id: str, found: CrmConfig | None) -> CrmSettings:
    if found is None:
        return CrmSettings(kind="builtin", url=None, secret_overlap_until=None, health=None)
    return CrmSettings(
        kind="webhook",
        url=found.url,
        secret_overlap_until=_moment(found.overlap_until),
        health=_health(breaker.health(tenant_id)),
    )


def _health(found: breaker.Health) -> CrmHealth:
    paused = found.paused_until is not None and found.paused_until > now()
    return CrmHealth(
        state="paused" if paused else "failing" if found.failures else "ok",
        failures=found.failures,
        paused_until=found.paused_until if paused else None,
        last_status=found.fault.status if found.fault else None,
        reason=found.fault.reason if found.fault else None,
        failed_at=datetime.fromisoformat(found.failed_at) if found.failed_at else None,
    )


def _moment(epoch: int | None) -> datetime | None:
    """A time that is still to come; None for one that is over."""
    moment = datetime.fromtimestamp(epoch, UTC) if epoch is not None else None
    return moment if moment is not None and moment > now() else None
