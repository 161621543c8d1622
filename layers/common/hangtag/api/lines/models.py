"""Request and response models of lines."""

from typing import Annotated

from pydantic import Field, StringConstraints

from hangtag.api.kernel.models import Page, RequestModel, ResponseModel, Text

__all__ = ["Line", "LinePage", "SetLineRequest"]

_NAME = "Name of the line, 1 to 200 characters."
_COLOR = "Colour of the line's badge, `#rrggbb`. Null for the default colour."


class SetLineRequest(RequestModel):
    """Body of `setLine`. It replaces name and colour."""

    name: Annotated[Text, Field(description=_NAME, examples=["Sales"])]
    color: Annotated[
        Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")] | None,
        Field(description=_COLOR, examples=["#2f855a"]),
    ] = None


class Line(ResponseModel):
    """One of the tenant's own external numbers."""

    number: Annotated[
        str,
        Field(
            description="The number in E.164. Lines named before numbers were checked keep the PBX's notation.",
            examples=["+4930901820"],
        ),
    ]
    name: Annotated[str, Field(description=_NAME, examples=["Sales"])]
    color: Annotated[str | None, Field(description=_COLOR, examples=["#2f855a"])]


class LinePage(Page[Line]):
    """Page of lines, in the order of their numbers."""
