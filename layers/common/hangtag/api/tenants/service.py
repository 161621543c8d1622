"""Creates and changes tenants, and describes the current user."""

from functools import lru_cache
from zoneinfo import available_timezones

from hangtag import runtime
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.tenants.models import CreatedTenant, CreateTenantRequest, CurrentUser, Tenant, UpdateTenantRequest
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.store.office import tenants

__all__ = ["change", "create", "describe"]


def create(request: CreateTenantRequest) -> CreatedTenant:
    """Create a tenant. Raises BadInputError for an unknown country or time zone."""
    _check(request.country, request.time_zone)
    tenant, token = tenants.create_tenant(
        request.name, request.country, request.time_zone, runtime.settings().token_keys
    )
    return CreatedTenant.model_validate({**tenant.to_json(), "owner_token": token})


def change(tenant_id: str, request: UpdateTenantRequest) -> Tenant:
    """Change a tenant. Raises the errors of `create`, and NotFoundError."""
    changes = request.changes()
    _check(changes.get("country"), changes.get("time_zone"))
    return Tenant.model_validate(tenants.update_tenant(tenant_id, changes).to_json())


def describe(caller: Caller) -> CurrentUser:
    """Return the caller's role, tenant and employee. Raises NotFoundError if the tenant was just erased."""
    if caller.role is Role.OPERATOR:
        return CurrentUser.model_validate({"role": "operator", "tenant": None, "employee_id": None})
    tenant = tenants.get_tenant(caller.tenant_id).to_json()
    role = caller.role.name.lower()
    return CurrentUser.model_validate({"role": role, "tenant": tenant, "employee_id": caller.employee_id})


def _check(country: str | None, time_zone: str | None) -> None:
    """Raise BadInputError for an unknown country or time zone; None is valid."""
    invalid = []
    if country is not None and country not in _countries():
        reason = "Unknown country. Use an ISO 3166 code of two letters such as DE."
        invalid.append(FieldError("country", FieldErrorCode.INVALID_COUNTRY, reason))
    if time_zone is not None and time_zone not in _time_zones():
        reason = "Unknown time zone. Use an IANA name such as Europe/Kyiv."
        invalid.append(FieldError("time_zone", FieldErrorCode.INVALID_TIME_ZONE, reason))
    if invalid:
        raise BadInputError("The country or the time zone is unknown.", tuple(invalid))


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
