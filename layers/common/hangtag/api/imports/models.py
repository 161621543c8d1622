"""Request and response models of contact imports."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.enums import ImportState
from hangtag.api.kernel.models import Instant, Page, RequestModel, ResponseModel, Text

__all__ = ["CreateImportRequest", "CreatedImport", "Import", "ImportPage", "ImportRowError"]

_NAME = "Name of the import, 1 to 200 characters. Null if none was given."


class CreateImportRequest(RequestModel):
    """Body of `createImport`."""

    name: Annotated[Text | None, Field(description=_NAME, examples=["Customers, December"])] = None


class ImportRowError(ResponseModel):
    """Rejected row of the CSV file."""

    row: Annotated[int, Field(description="Position of the row, counted from 1 after the header.", examples=[17])]
    reason: Annotated[
        str,
        Field(
            description="Cause of the rejection. It contains no number.",
            examples=["The row has neither a name nor a number."],
        ),
    ]


class Import(ResponseModel):
    """Contact import and its progress."""

    id: Annotated[str, Field(description="Id of the import.", examples=["62cdb7020ff920e5aa642c3d4066950d"])]
    name: Annotated[str | None, Field(description=_NAME, examples=["Customers, December"])]
    state: Annotated[ImportState, Field(description="State of the import.", examples=["running"])]
    created_at: Annotated[
        Instant, Field(description="Time of the import's creation.", examples=["2026-11-30T20:41:53.855Z"])
    ]
    rows: Annotated[int, Field(description="Number of processed rows.", examples=[500])]
    created: Annotated[int, Field(description="Number of rows that created a contact.", examples=[480])]
    matched: Annotated[
        int,
        Field(
            description="Number of rows whose external id or first number belongs to a contact. They change nothing.",
            examples=[18],
        ),
    ]
    rejected: Annotated[int, Field(description="Number of rejected rows.", examples=[2])]
    errors: Annotated[list[ImportRowError], Field(description="The first 20 rejected rows.")]
    reason: Annotated[
        str | None,
        Field(
            description="Cause of the failure. Null unless `state` is `failed`.",
            examples=["The file is not encoded in UTF-8."],
        ),
    ]


class ImportPage(Page[Import]):
    """Page of imports, in the order of their ids. An import is listed for 90 days."""


class CreatedImport(Import):
    """New import with its upload URL."""

    upload_url: Annotated[
        str,
        Field(
            description="URL for the CSV file, valid for one hour. Send the file with PUT, then start the import.",
            examples=["https://files.example.com/imports/9f86d081884c7d65/62cdb702.csv?signature=…"],
        ),
    ]
