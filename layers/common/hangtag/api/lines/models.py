"""Request and response models of lines."""

from typing import Annotated

from pydantic import StringConstraints

from hangtag.api.kernel.models import Page, RequestModel, ResponseModel, Text

__all__ = ["Line", "LinePage", "SetLineRequest"]


class SetLineRequest(RequestModel):
    """How a line is called."""

    name: Text
    color: Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")] | None = None


class Line(ResponseModel):
    """A line."""

    number: str
    name: str
    color: str | None


class LinePage(Page[Line]):
    """A page of lines."""
