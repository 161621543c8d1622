"""Response models of exports."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.enums import JobState
from hangtag.api.kernel.models import ResponseModel

__all__ = ["Export", "StartedExport"]


class StartedExport(ResponseModel):
    """Export that runs in the background."""

    id: Annotated[str, Field(description="Id of the export.", examples=["62cdb7020ff920e5aa642c3d4066950d"])]
    state: Annotated[JobState, Field(description="State of the export.", examples=["running"])]


class Export(StartedExport):
    """Export and its progress."""

    rows: Annotated[int, Field(description="Number of rows written so far.", examples=[1250])]
    url: Annotated[
        str | None,
        Field(
            description="Download URL, valid for 15 minutes and new in each response. Null unless `state` is `done`.",
            examples=["https://files.example.com/exports/9f86d081884c7d65/62cdb702.jsonl?signature=…"],
        ),
    ]
