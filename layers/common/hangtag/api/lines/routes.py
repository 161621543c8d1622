"""Lines: the tenant's own numbers."""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Limit
from hangtag.api.kernel.paging import children
from hangtag.api.kernel.service import Routes
from hangtag.api.lines import models as api
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.store.office import lines, tenants

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/lines",
    operation_id="listLines",
    tags=["Lines"],
    summary="List lines",
    description="The tenant's lines.",
)
def list_lines(limit: Limit | None = None, cursor: str | None = None) -> api.LinePage:
    """The tenant's lines."""
    tenant_id = routes.tenant_id
    return children(
        "lines",
        api.LinePage,
        limit,
        cursor,
        lambda count, after: lines.list_lines(tenant_id, count, after),
    )


@routes.put(
    "/v1/lines/<number>",
    operation_id="setLine",
    tags=["Lines"],
    summary="Name a line",
    description="Name a line. Its number may be in any format, or as the PBX writes it.",
)
def set_line(number: str, line: api.SetLineRequest) -> api.Line:
    """Name a line. Its number may be in any format, or as the PBX writes it."""
    put = lines.put_line(routes.tenant_id, lines.Line(_kept(number), line.name, line.color))
    return api.Line.model_validate(put.to_json())


@routes.delete(
    "/v1/lines/<number>",
    operation_id="deleteLine",
    tags=["Lines"],
    summary="Remove a line's name",
    description="Forget a line's name; its number is as any other then.",
    status_code=204,
)
def delete_line(number: str) -> Response[str]:
    """Forget a line's name; its number is as any other then."""
    lines.delete_line(routes.tenant_id, _kept(number))
    return Response(status_code=204, body="")


def _kept(number: str) -> str:
    """A number as lines are kept: in E.164 where it can be read. Raises BadInputError."""
    typed = unquote(number).strip()
    if not 0 < len(typed) <= 64 or not typed.isprintable():
        raise BadInputError(
            "the number is not valid", (FieldError("number", FieldErrorCode.INVALID_PHONE, "1 to 64 characters"),)
        )
    read = normalise(typed, tenants.get_tenant(routes.tenant_id).country)
    return read.e164 if read else typed
