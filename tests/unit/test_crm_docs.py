"""The code example in docs/crm.md works as described."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hangtag.crm.config import make_secret
from hangtag.crm.webhook import sign

PAGE = Path(__file__).parents[2] / "docs" / "crm.md"
Receive = Callable[[sqlite3.Connection, str, dict[str, str], bytes], int]


@pytest.fixture(scope="module")
def receive() -> Receive:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102
    function: Receive = names["receive"]
    return function


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for table in re.findall(r"`(CREATE TABLE .*?)`", PAGE.read_text()):
            connection.execute(table)
        yield connection


def message(revision: int, message_id: str, name: str) -> bytes:
    body = {"type": "tag.written", "id": message_id, "revision": revision, "data": {"tag": {"id": "t", "name": name}}}
    return json.dumps(body).encode()


def test_example_stores_only_the_newest_revision_of_a_message(receive: Receive, database: sqlite3.Connection) -> None:
    secret = make_secret()
    for revision, message_id, name in ((1, "a", "first"), (1, "a", "again"), (3, "c", "third"), (2, "b", "second")):
        body = message(revision, message_id, name)
        headers = sign([make_secret(), secret], message_id, datetime.now(UTC), body)
        assert receive(database, secret, headers, body) == 200
    rows = database.execute("SELECT id, revision, tag FROM tags").fetchall()
    assert [(key, revision, json.loads(tag)["name"]) for key, revision, tag in rows] == [("t", 3, "third")]
    body = b'{"type": "tag.written", "id": "d", "revision": 4, "data": {"tag": null, "removed": "t"}}'
    assert receive(database, secret, sign([secret], "d", datetime.now(UTC), body), body) == 200
    assert database.execute("SELECT revision, tag FROM tags").fetchall() == [(4, "null")]


def test_example_rejects_forged_changed_or_old_messages(receive: Receive, database: sqlite3.Connection) -> None:
    secret, now, body = make_secret(), datetime.now(UTC), message(1, "a", "Ivan")
    assert receive(database, make_secret(), sign([secret], "a", now, body), body) == 401
    assert receive(database, secret, sign([secret], "a", now, body), body + b" ") == 401
    assert receive(database, secret, sign([secret], "a", now - timedelta(minutes=6), body), body) == 401
    assert database.execute("SELECT count(*) FROM seen").fetchone() == (0,)
