"""Request and response models of employee tokens."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.models import EmployeeId, Instant, Page, RequestModel, ResponseModel
from hangtag.store.office.tokens import TOKEN_LIVES

__all__ = ["CreateTokenRequest", "CreatedToken", "Token", "TokenPage"]

_ID = "Id of the token."
_ID_EXAMPLE = "b5bb9d8014a0f9b1d61e21e796d78dcc"


class CreateTokenRequest(RequestModel):
    """Body of `createToken`. The token's role is always the employee's current role."""

    employee_id: Annotated[
        EmployeeId, Field(description="Id of the employee who receives the token.", examples=["7d65a08f5a2e0b7a"])
    ]
    expires_in_days: Annotated[
        int,
        Field(ge=1, le=TOKEN_LIVES.days, description="Lifetime of the token in days.", examples=[90]),
    ] = TOKEN_LIVES.days


class Token(ResponseModel):
    """Metadata of a token. The token itself is never shown again."""

    id: Annotated[str, Field(description=_ID, examples=[_ID_EXAMPLE])]
    employee_id: Annotated[
        str | None,
        Field(description="Id of the token's employee. Null for the owner token.", examples=["7d65a08f5a2e0b7a"]),
    ]
    created_at: Annotated[
        Instant, Field(description="Time of the token's creation.", examples=["2026-11-30T20:41:53.855Z"])
    ]
    expires_at: Annotated[
        Instant | None,
        Field(
            description="End of the token's lifetime. Null for the owner token, which does not expire.",
            examples=["2027-02-28T20:41:53.855Z"],
        ),
    ]


class TokenPage(Page[Token]):
    """Page of tokens that have not expired."""


class CreatedToken(ResponseModel):
    """New token, which is shown only once."""

    id: Annotated[str, Field(description=_ID, examples=[_ID_EXAMPLE])]
    token: Annotated[str, Field(description="Bearer token of the employee.", examples=["hta_Zm9vYmFyYmF6cXV4"])]
    expires_at: Annotated[
        Instant, Field(description="End of the token's lifetime.", examples=["2027-02-28T20:41:53.855Z"])
    ]
