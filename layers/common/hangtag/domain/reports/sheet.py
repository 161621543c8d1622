"""Reports as files for a spreadsheet: CSV in UTF-8 with a mark at its beginning, by which spreadsheets know it."""

import csv
import io
from collections.abc import Iterable, Iterator

Cell = str | int | float | None
BOM = "\ufeff"
# What a spreadsheet would take for the beginning of a formula.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def safe(cell: Cell) -> str:
    """A cell that no spreadsheet takes for a formula. Numbers are ours, and stay as they are."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_DANGEROUS) else cell
    return str(cell)


def lines(head: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Iterator[bytes]:
    """The file, line by line; none is held."""
    yield BOM.encode() + _line(head)
    for row in rows:
        yield _line(safe(cell) for cell in row)


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(list(cells))
    return text.getvalue().encode("utf-8", "replace")
