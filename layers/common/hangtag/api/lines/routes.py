"""Routes of lines, the tenant's own external numbers."""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children
from hangtag.api.kernel.service import Routes
from hangtag.api.lines.models import Line, LinePage, SetLineRequest
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.store.office import lines, tenants

__all__ = ["routes"]

routes = Routes(Role.ADMIN)
MAX_LENGTH = 64


@routes.get(
    "/v1/lines",
    operation_id="listLines",
    tags=["Lines"],
    summary="List lines",
    description="List the tenant's named lines in the order of their numbers.",
)
def list_lines(limit: Limit | None = None, cursor: Cursor | None = None) -> LinePage:
    """List the tenant's lines."""
    tenant_id = routes.tenant_id
    return children("lines", LinePage, limit, cursor, lambda count, after: lines.list_lines(tenant_id, count, after))


@routes.put(
    "/v1/lines/<number>",
    operation_id="setLine",
    tags=["Lines"],
    summary="Name a line",
    description=(
        "Set the name and colour of one of the tenant's own numbers, in any format. Calls with a named line's number"
        " are never matched to a contact."
    ),
    example={"name": "Sales", "color": "#2f855a"},
)
def set_line(number: str, line: SetLineRequest) -> Line:
    """Set the name and colour of a line. Raises BadInputError for an invalid number."""
    text = _text(number)
    read = normalise(text, tenants.get_tenant(routes.tenant_id).country)
    if read is None:
        raise _invalid("Enter a phone number, for example +4930901820.")
    stored = lines.put_line(routes.tenant_id, lines.Line(read.e164, line.name, line.color))
    return Line.model_validate(stored.to_json())


@routes.delete(
    "/v1/lines/<number>",
    operation_id="deleteLine",
    tags=["Lines"],
    summary="Remove a line's name",
    description="Remove a line. Its number is then treated as an ordinary external number.",
    status_code=204,
)
def delete_line(number: str) -> Response[str]:
    """Remove a line."""
    text = _text(number)
    read = normalise(text, tenants.get_tenant(routes.tenant_id).country)
    # A line stored before numbers were checked has the PBX's notation as its key.
    lines.delete_line(routes.tenant_id, read.e164 if read else text)
    return Response(status_code=204, body="")


def _text(number: str) -> str:
    """Return the number of the path as it was entered. Raises BadInputError."""
    text = unquote(number).strip()
    if not 0 < len(text) <= MAX_LENGTH or not text.isprintable():
        raise _invalid(f"Enter 1 to {MAX_LENGTH} characters.")
    return text


def _invalid(reason: str) -> BadInputError:
    field = FieldError("number", FieldErrorCode.INVALID_PHONE, reason)
    return BadInputError("The phone number is not valid.", (field,))
