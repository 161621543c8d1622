"""Spreadsheet files of reports: CSV in UTF-8 with a byte order mark, which spreadsheets need to detect UTF-8."""

import csv
import io
from collections.abc import Iterable, Iterator

Cell = str | int | float | None
BOM = "\ufeff"
# A cell with one of these at its beginning is a formula to a spreadsheet.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def safe(cell: Cell) -> str:
    """Escape a cell that a spreadsheet would evaluate as a formula. Numbers are the product's own and stay
    unchanged.
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_DANGEROUS) else cell
    return str(cell)


def lines(head: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Iterator[bytes]:
    """Yield the file line by line, without holding it in memory."""
    yield BOM.encode() + _line(head)
    for row in rows:
        yield _line(safe(cell) for cell in row)


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(list(cells))
    return text.getvalue().encode("utf-8", "replace")
