"""Tenants, tokens and the audit list as the API takes and gives them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hangtag.api.kernel.models import UNSENT, Id, Page, RequestModel, ResponseModel, Text
from hangtag.store.office.tokens import TOKEN_LIVES

__all__ = [
    "AuditEntry",
    "CreateTenantRequest",
    "CreateTokenRequest",
    "CreatedOwnerToken",
    "CreatedTenant",
    "CreatedToken",
    "CurrentUser",
    "TenantOut",
    "TokenOut",
    "UpdateTenantRequest",
]

Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
TimeZone = Annotated[str, StringConstraints(max_length=64)]


class CreateTenantRequest(RequestModel):
    """A tenant to be."""

    name: Text
    country: Country = "RU"
    time_zone: TimeZone = "Europe/Moscow"


class UpdateTenantRequest(RequestModel):
    """What changes of a tenant; what is not sent stays."""

    name: Text = UNSENT
    country: Country = UNSENT
    time_zone: TimeZone = UNSENT


class TenantOut(ResponseModel):
    """A tenant."""

    id: str
    name: str
    country: str
    time_zone: str
    created_at: datetime


class TenantPage(Page[TenantOut]):
    """A page of the list."""


class CreatedTenant(TenantOut):
    """A tenant just made, with its owner's token, shown once."""

    owner_token: str


class CurrentUser(ResponseModel):
    """Who asks. The operator has no tenant; `employee_id` is null for who is no employee."""

    role: Literal["employee", "admin", "owner", "operator"]
    tenant: TenantOut | None
    employee_id: str | None


class CreateTokenRequest(RequestModel):
    """Whose token, and for how long; what it may do comes from the employee."""

    employee_id: Id
    expires_in_days: Annotated[int, Field(ge=1, le=TOKEN_LIVES.days)] = TOKEN_LIVES.days


class TokenOut(ResponseModel):
    """A token, without itself. The owner's has no employee and does not expire."""

    id: str
    employee_id: str | None
    created_at: datetime
    expires_at: datetime | None


class TokenPage(Page[TokenOut]):
    """A page of the list."""


class CreatedToken(ResponseModel):
    """A token, shown once."""

    id: str
    token: str
    expires_at: datetime


class CreatedOwnerToken(ResponseModel):
    """The owner's new token, shown once."""

    id: str
    owner_token: str


class AuditEntry(ResponseModel):
    """One change: who made it, when, and of what. `changed` names fields, never their values."""

    id: str
    at: datetime
    who: str
    action: str
    target: str
    changed: list[str]


class AuditEntryPage(Page[AuditEntry]):
    """A page of the list."""
