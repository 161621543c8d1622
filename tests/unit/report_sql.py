"""Independent check of reports: plain SQL over the lines of an export, in DuckDB, without hours or sums."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from hangtag.domain.reports.report import Kind

_COLUMNS = {
    "kind": "VARCHAR", "id": "VARCHAR", "call_id": "VARCHAR", "integration_id": "VARCHAR", "direction": "VARCHAR",
    "line": "VARCHAR", "started_at": "TIMESTAMPTZ", "answered_at": "TIMESTAMPTZ", "talk_seconds": "BIGINT",
    "employee_id": "VARCHAR", "employee_ids": "VARCHAR[]", "contact_id": "VARCHAR", "task_id": "VARCHAR",
    "hidden": "BOOLEAN", "tag_id": "VARCHAR", "tag_type": "VARCHAR",
    "at": "TIMESTAMPTZ", "occurred_at": "TIMESTAMPTZ", "returned_at": "TIMESTAMPTZ",
}  # fmt: skip
_READ = """
CREATE TABLE lines AS SELECT * FROM read_json($file, format = 'newline_delimited', columns = {columns});
CREATE TABLE facts AS
SELECT
  c.id, c.contact_id, CASE WHEN c.line LIKE '{%' THEN json_extract_string(c.line, '$.number') ELSE c.line END AS line,
  c.integration_id, c.direction, c.employee_ids, c.hidden, c.task_id, c.started_at,
  coalesce(c.employee_id, CASE WHEN len(c.employee_ids) = 1 THEN c.employee_ids[1] END) AS employee,
  c.tag_type = 'call' AS answered,
  c.tag_type = 'missed_call' AND c.direction = 'in' AS missed,
  c.tag_type = 'missed_call' AND c.direction = 'out' AS unreached,
  CASE WHEN c.tag_type = 'call' THEN c.talk_seconds ELSE 0 END AS talk,
  CASE WHEN c.tag_type = 'call' AND c.direction = 'in'
    THEN epoch_ms(c.answered_at) - epoch_ms(c.started_at) END AS wait,
  CASE WHEN c.direction = 'in' THEN date_diff('second', coalesce(m.occurred_at, m.at), m.returned_at) END AS back,
  c.direction = 'in' AND c.contact_id IS NOT NULL AND row_number() OVER (
    PARTITION BY c.contact_id, c.direction ORDER BY c.started_at, c.tag_id) = 1 AS first
FROM lines c LEFT JOIN lines m ON m.kind = 'missed_call' AND m.call_id = c.id
WHERE c.kind = 'call' AND c.started_at IS NOT NULL AND c.tag_type IS NOT NULL;
"""
_NUMBERS = """
  count(*) AS calls,
  count(*) FILTER (direction = 'in') AS incoming,
  count(*) FILTER (direction = 'out') AS outgoing,
  count(*) FILTER (answered) AS answered,
  count(*) FILTER (missed) AS missed,
  count(*) FILTER (unreached) AS unreached,
  count(*) FILTER (first) AS first_time_callers,
  sum(talk)::BIGINT AS talk_seconds,
  count(wait) AS timed,
  coalesce(sum(wait), 0)::BIGINT AS answer_ms,
  count(back) AS returned,
  coalesce(sum(back), 0)::BIGINT AS return_seconds
"""
_KEYS = {
    Kind.BY_CONTACT: "contact_id",
    Kind.BY_EMPLOYEE: "employee",
    Kind.MISSED: "strftime(local, '%Y-%m-%d')",
    Kind.BY_LINE: "line",
    Kind.BY_HOUR: "lower(strftime(local, '%a')) || '-' || strftime(local, '%H')",
}


class SqlReports:
    """An export that is queried in SQL."""

    def __init__(self, file: Path) -> None:
        self._base = duckdb.connect()
        columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items()) + "}"
        read, make, *_ = _READ.replace("{columns}", columns).split(";\n")
        self._base.execute(read, {"file": str(file)})
        self._base.execute(make)

    def report(
        self, kind: Kind, zone: str, first: str, last: str, condition: str = "true"
    ) -> dict[str | None, dict[str, int]]:
        """Return the numbers of each group of a report, for local days, both included. `condition` is SQL on facts."""
        about = "NOT answered" if kind is Kind.MISSED else "true"
        query = f"""
            WITH there AS (SELECT *, timezone($zone, started_at) AS local FROM facts)
            SELECT {_KEYS[kind]} AS name, {_NUMBERS} FROM there
            WHERE local::DATE BETWEEN $first::DATE AND $last::DATE AND {about} AND ({condition}) GROUP BY 1
        """  # noqa: S608 - no part of it is from outside
        result = self._base.execute(query, {"zone": zone, "first": first, "last": last})
        names = [column[0] for column in result.description or ()]
        rows: list[Mapping[str, Any]] = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return {row["name"]: {name: row[name] for name in names[1:]} for row in rows}
