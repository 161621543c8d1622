"""A report as a file in the bucket, to which a short-lived link leads."""

from datetime import timedelta

from aws_lambda_powertools.event_handler import Response

from hangtag.flow import report_file
from hangtag.flow.report_rows import Asked
from hangtag.http.report_shapes import FileOut, ReportOut
from hangtag.store.clock import iso, now

__all__ = ["answer", "is_wanted"]


def is_wanted(accept: str) -> bool:
    """Whether an Accept header asks for CSV rather than JSON."""
    said = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "text/csv" in said


def answer(table: str, wanted: Asked) -> Response[ReportOut | FileOut]:
    """303 to the file; whoever does not follow has the address in JSON."""
    expires = now() + timedelta(seconds=report_file.LINK_SECONDS)
    url = report_file.write(table, wanted)
    said = FileOut.model_validate(
        {
            "report": wanted.kind.value,
            "from": wanted.period.first.isoformat(),
            "to": wanted.period.last.isoformat(),
            "url": url,
            "expires_at": iso(expires),
        }
    )
    return Response(status_code=303, content_type="application/json", body=said, headers={"location": url})
