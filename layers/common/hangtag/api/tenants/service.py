"""Making and changing tenants, checking where they are; and who is asking."""

from functools import lru_cache
from zoneinfo import available_timezones

from hangtag import runtime
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.tenants.models import CreatedTenant, CreateTenantRequest, CurrentUser, TenantOut, UpdateTenantRequest
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.store.office import tenants

__all__ = ["change", "describe", "found"]


def found(wanted: CreateTenantRequest) -> CreatedTenant:
    """Make a tenant. Raises BadInputError for a country or time zone that there is not."""
    _check(wanted.country, wanted.time_zone)
    tenant, token = tenants.create_tenant(wanted.name, wanted.country, wanted.time_zone, runtime.settings().token_keys)
    return CreatedTenant(**tenant.to_json(), owner_token=token)


def change(tenant_id: str, wanted: UpdateTenantRequest) -> TenantOut:
    """Change a tenant. Raises as `found` does, and NotFoundError."""
    changes = wanted.changes()
    _check(changes.get("country"), changes.get("time_zone"))
    return TenantOut.model_validate(tenants.update_tenant(tenant_id, changes).to_json())


def describe(caller: Caller) -> CurrentUser:
    """Who is asking. Raises NotFoundError if the tenant is just gone."""
    if caller.role is Role.OPERATOR:
        return CurrentUser(role="operator", tenant=None, employee_id=None)
    tenant = tenants.get_tenant(caller.tenant_id).to_json()
    role = caller.role.name.lower()
    return CurrentUser.model_validate({"role": role, "tenant": tenant, "employee_id": caller.employee_id})


def _check(country: str | None, time_zone: str | None) -> None:
    """Whether they exist, where they are not None. Raises BadInputError."""
    faults = []
    if country is not None and country not in _countries():
        faults.append(FieldError("country", FieldErrorCode.INVALID_COUNTRY, "it is no country's two-letter code"))
    if time_zone is not None and time_zone not in _time_zones():
        faults.append(FieldError("time_zone", FieldErrorCode.INVALID_TIME_ZONE, "it is no time zone's name"))
    if faults:
        raise BadInputError("there is no such place", tuple(faults))


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
