"""Making tenants, and checking where they are."""

import os
from functools import lru_cache
from zoneinfo import available_timezones

from hangtag.errors import BadInputError, FieldError
from hangtag.http.shapes import NewTenantOut, TenantIn
from hangtag.store import tenants

__all__ = ["found"]


def found(wanted: TenantIn) -> NewTenantOut:
    """Make a tenant. Raises BadInputError for a country or time zone that there is not."""
    faults = []
    if wanted.country not in _countries():
        faults.append(FieldError("country", "it is no country's two-letter code"))
    if wanted.time_zone not in _time_zones():
        faults.append(FieldError("time_zone", "it is no time zone's name"))
    if faults:
        raise BadInputError("there is no such place", tuple(faults))
    tenant, token = tenants.create_tenant(wanted.name, wanted.country, wanted.time_zone, os.environ["TOKEN_KEY"])
    return NewTenantOut(**tenant.to_json(), owner_token=token)


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
