"""Routes of the outside CRM: its settings, signing secret, health and dead letters."""

from datetime import UTC, datetime
from typing import Any

from hangtag.api.crm.models import (
    CreatedCrmSettings,
    CrmHealth,
    CrmSettings,
    CrmTestResult,
    DeadLetterPage,
    RedriveResult,
    RotateCrmSecretRequest,
    RotatedCrmSecret,
    SetCrmSettingsRequest,
)
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.enums import CrmHealthState, CrmKind
from hangtag.api.kernel.models import DEFAULT_LIMIT, Cursor, Limit
from hangtag.api.kernel.paging import found_id, page_of
from hangtag.api.kernel.service import Routes
from hangtag.crm import config, webhook
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode, NotFoundError
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.crm.config import CrmConfig
from hangtag.store.db import audit
from hangtag.store.db.clock import now

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

# Dead letters that one request redrives.
MAX_REDRIVEN = 200


@routes.get(
    "/v1/settings/crm",
    operation_id="getCrmSettings",
    tags=["CRM"],
    summary="Get CRM settings",
    description="Return the kind of CRM, and the URL and health of an outside CRM. The secret is not shown.",
)
def get_crm_settings() -> CrmSettings:
    """Return the settings of the CRM."""
    return _settings(routes.tenant_id, crm.read(routes.tenant_id))


@routes.put(
    "/v1/settings/crm",
    operation_id="setCrmSettings",
    tags=["CRM"],
    summary="Set CRM settings",
    description=(
        "Connect an outside CRM in addition to the built-in one, change its URL, or disconnect it with"
        ' `{"kind": "builtin"}`. The first connection creates the signing secret, which is shown only once; a new URL'
        " keeps it; disconnecting deletes it. A change takes effect within a minute."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    example={"kind": "webhook", "url": "https://crm.example.com/hangtag"},
)
def set_crm_settings(request: SetCrmSettingsRequest) -> CreatedCrmSettings:
    """Connect, change or disconnect the outside CRM."""
    tenant_id = routes.tenant_id
    if request.kind is CrmKind.WEBHOOK and request.url is None:
        field = FieldError("url", FieldErrorCode.REQUIRED, "Enter the URL of the CRM.")
        raise BadInputError("A webhook CRM needs a URL.", (field,))
    if request.kind is CrmKind.BUILTIN and request.url is not None:
        field = FieldError("url", FieldErrorCode.NOT_ALLOWED_VALUE, "Remove the URL. The built-in CRM has none.")
        raise BadInputError("The built-in CRM has no URL.", (field,))
    after, secret = None, None
    if request.url is None:
        config.disconnect(tenant_id, routes.caller.name)
    else:
        after, secret = config.connect(tenant_id, request.url, routes.caller.name)
    return CreatedCrmSettings(**dict(_settings(tenant_id, after)), secret=secret)


@routes.post(
    "/v1/settings/crm/rotate",
    operation_id="rotateCrmSecret",
    tags=["CRM"],
    summary="Rotate the CRM signing secret",
    description=(
        "Create a new signing secret, which is shown only once. Messages carry the signatures of both secrets during"
        " the overlap. Without an outside CRM the response is a 409."
    ),
    errors=[ErrorCode.OPERATION_RUNNING, ErrorCode.RESOURCE_IN_USE],
    example={"overlap_hours": 24},
)
def rotate_crm_secret(request: RotateCrmSecretRequest) -> RotatedCrmSecret:
    """Replace the signing secret."""
    tenant_id, who = routes.tenant_id, routes.caller.name

    def work() -> RotatedCrmSecret:
        after, secret = config.rotate(tenant_id, request.overlap_hours, now(), who)
        return RotatedCrmSecret(secret=secret, previous_secret_until=_future(after.overlap_until))

    return RotatedCrmSecret.model_validate(routes.idempotent("crm-rotate", work, sealed=True))


@routes.post(
    "/v1/settings/crm/test",
    operation_id="testCrm",
    tags=["CRM"],
    summary="Send a test message to the CRM",
    description=(
        "Send a signed message of type `test` to the outside CRM and return its response. A failure of the CRM is a 200"
        " with `ok: false`. Without an outside CRM the response is a 409."
    ),
    errors=[ErrorCode.RESOURCE_IN_USE],
)
def test_crm() -> CrmTestResult:
    """Send a test message."""
    tenant_id = routes.tenant_id

    def work() -> CrmTestResult:
        outcome = webhook.test(tenant_id, now())
        ok = outcome.verdict is webhook.Verdict.ACCEPTED
        return CrmTestResult(ok=ok, http_status=outcome.fault.status, message=outcome.fault.reason)

    return CrmTestResult.model_validate(routes.idempotent("crm-test", work))


@routes.get(
    "/v1/settings/crm/dead-letters",
    operation_id="listDeadLetters",
    tags=["CRM"],
    summary="List dead letters",
    description="List the messages of the last 90 days that the CRM did not accept, latest first.",
)
def list_dead_letters(limit: Limit | None = None, cursor: Cursor | None = None) -> DeadLetterPage:
    """List dead letters."""
    start = read_cursor("dead-letters", 1, cursor)
    letters, following = outbox.list_dead_letters(routes.tenant_id, limit or DEFAULT_LIMIT, start[0] if start else None)
    next_cursor = write_cursor("dead-letters", following) if following else None
    return page_of(DeadLetterPage, [_dead_letter(one) for one in letters], next_cursor)


@routes.post(
    "/v1/settings/crm/dead-letters/redrive",
    operation_id="redriveDeadLetters",
    tags=["CRM"],
    summary="Redrive up to 200 dead letters",
    description=(
        "Send the latest dead letters again, up to 200 for each request, in the background. A pause of the CRM ends."
        " Repeat the request while `has_more` is true."
    ),
)
def redrive_dead_letters() -> RedriveResult:
    """Redrive the latest dead letters."""
    tenant_id = routes.tenant_id

    def work() -> RedriveResult:
        letters, following = outbox.list_dead_letters(tenant_id, MAX_REDRIVEN, None)
        count = _redrive(tenant_id, [one["id"] for one in letters])
        return RedriveResult(redriven=count, has_more=following is not None)

    return RedriveResult.model_validate(routes.idempotent("crm-redrive", work))


@routes.post(
    "/v1/settings/crm/dead-letters/<letter_id>/redrive",
    operation_id="redriveDeadLetter",
    tags=["CRM"],
    summary="Redrive a dead letter",
    description="Send one dead letter again, in the background. A pause of the CRM ends.",
)
def redrive_dead_letter(letter_id: str) -> RedriveResult:
    """Redrive one dead letter."""
    tenant_id, outbox_id = routes.tenant_id, found_id(letter_id)

    def work() -> RedriveResult:
        if _redrive(tenant_id, [outbox_id]) == 0:
            raise NotFoundError("No such dead letter.")
        return RedriveResult(redriven=1, has_more=False)

    return RedriveResult.model_validate(routes.idempotent(f"crm-redrive:{outbox_id}", work))


def _redrive(tenant_id: str, ids: list[str]) -> int:
    """Send dead letters again and return their number."""
    # The admin expects an attempt now, even if delivery to the CRM is paused.
    breaker.reset(tenant_id)
    count = sum(outbox.redrive(tenant_id, one, now()) for one in ids)
    if count:
        audit.record(tenant_id, routes.caller.name, "crm.redriven", config.TARGET)
    return count


def _dead_letter(stored: dict[str, Any]) -> dict[str, Any]:
    """Map the stored names to those of the API."""
    return {**stored, "failed_at": stored["died_at"], "last_http_status": stored["last_status"]}


def _settings(tenant_id: str, stored: CrmConfig | None) -> CrmSettings:
    if stored is None:
        return CrmSettings(kind=CrmKind.BUILTIN, url=None, previous_secret_until=None, health=None)
    return CrmSettings(
        kind=CrmKind.WEBHOOK,
        url=stored.url,
        previous_secret_until=_future(stored.overlap_until),
        health=_health(breaker.health(tenant_id)),
    )


def _health(health: breaker.Health) -> CrmHealth:
    paused = health.paused_until is not None and health.paused_until > now()
    failing = CrmHealthState.FAILING if health.failures else CrmHealthState.OK
    return CrmHealth(
        state=CrmHealthState.PAUSED if paused else failing,
        consecutive_failures=health.failures,
        paused_until=health.paused_until if paused else None,
        last_http_status=health.fault.status if health.fault else None,
        reason=health.fault.reason if health.fault else None,
        failed_at=datetime.fromisoformat(health.failed_at) if health.failed_at else None,
    )


def _future(epoch: int | None) -> datetime | None:
    """Return a time in the future; None for one in the past."""
    moment = datetime.fromtimestamp(epoch, UTC) if epoch is not None else None
    return moment if moment is not None and moment > now() else None
