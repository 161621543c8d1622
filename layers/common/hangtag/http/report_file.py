"""A report as a file in the bucket, to which a short-lived link leads."""

from aws_lambda_powertools.event_handler import Response

from hangtag.flow import report_file
from hangtag.flow.report_rows import Asked
from hangtag.http.report_shapes import ReportOut

__all__ = ["answer", "is_wanted"]


def is_wanted(accept: str) -> bool:
    """Whether an Accept header asks for CSV rather than JSON."""
    said = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "text/csv" in said


def answer(table: str, wanted: Asked) -> Response[ReportOut]:
    """303 to the file."""
    return Response(status_code=303, headers={"location": report_file.write(table, wanted)})
