"""Request and response models of tenants and of the current user."""

from typing import Annotated

from pydantic import Field, StringConstraints

from hangtag.api.kernel.enums import Role
from hangtag.api.kernel.models import UNSENT, Instant, Page, RequestModel, ResponseModel, Text

__all__ = [
    "CreateTenantRequest",
    "CreatedOwnerToken",
    "CreatedTenant",
    "CurrentUser",
    "Tenant",
    "TenantPage",
    "UpdateTenantRequest",
]

_NAME = "Name of the tenant, 1 to 200 characters."
_COUNTRY = "ISO 3166 two-letter code. Numbers without a country code are read as numbers of this country."
_TIME_ZONE = "IANA name. Reports, working hours and times without an offset use it."

TenantName = Annotated[Text, Field(description=_NAME, examples=["Acme GmbH"])]
Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$"), Field(description=_COUNTRY, examples=["DE"])]
TimeZone = Annotated[str, StringConstraints(max_length=64), Field(description=_TIME_ZONE, examples=["Europe/Berlin"])]


class CreateTenantRequest(RequestModel):
    """Body of `createTenant`."""

    name: TenantName
    country: Country = "RU"
    time_zone: TimeZone = "Europe/Moscow"


class UpdateTenantRequest(RequestModel):
    """Body of `updateTenant`. Omitted properties keep their values."""

    name: TenantName = UNSENT
    country: Country = UNSENT
    time_zone: TimeZone = UNSENT


class Tenant(ResponseModel):
    """One organisation on this installation."""

    id: Annotated[str, Field(description="Id of the tenant.", examples=["9f86d081884c7d65"])]
    name: Annotated[str, Field(description=_NAME, examples=["Acme GmbH"])]
    country: Annotated[str, Field(description=_COUNTRY, examples=["DE"])]
    time_zone: Annotated[str, Field(description=_TIME_ZONE, examples=["Europe/Berlin"])]
    created_at: Annotated[
        Instant, Field(description="Time of the tenant's creation.", examples=["2026-11-30T20:41:53.855Z"])
    ]


class TenantPage(Page[Tenant]):
    """Page of tenants, newest first."""


class CreatedTenant(Tenant):
    """New tenant with its owner token, which is shown only once."""

    owner_token: Annotated[
        str,
        Field(description="Bearer token of the owner. It does not expire.", examples=["hta_Zm9vYmFyYmF6cXV4"]),
    ]


class CreatedOwnerToken(ResponseModel):
    """New owner token, which is shown only once."""

    id: Annotated[str, Field(description="Id of the token.", examples=["b5bb9d8014a0f9b1d61e21e796d78dcc"])]
    owner_token: Annotated[
        str,
        Field(description="Bearer token of the owner. It does not expire.", examples=["hta_Zm9vYmFyYmF6cXV4"]),
    ]


class CurrentUser(ResponseModel):
    """Identity and role behind the request's token."""

    role: Annotated[Role, Field(description="Role of the token at this moment.", examples=["admin"])]
    tenant: Annotated[Tenant | None, Field(description="The token's tenant. Null for the operator.")]
    employee_id: Annotated[
        str | None,
        Field(
            description="Id of the token's employee. Null for the owner token, the operator and users without one.",
            examples=["7d65a08f5a2e0b7a"],
        ),
    ]
