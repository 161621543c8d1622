"""Generated pages of the REST API reference."""

from pathlib import Path

import pytest

from tools.api_pages import FOLDER, pages
from tools.openapi import document

ROOT = Path(__file__).parents[2]
PAGES = pages()
FEATURES = sorted(set(PAGES) - {"README.md"})


def test_pages_are_current() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.md")} == PAGES


def test_every_operation_is_on_exactly_one_page() -> None:
    everything = "\n".join(PAGES[name] for name in FEATURES)
    ids = [operation["operationId"] for methods in document()["paths"].values() for operation in methods.values()]
    expected = dict.fromkeys(ids, 1) | {"getOpenApiDocument": 0}
    assert {one: everything.count(f"operation `{one}`") for one in ids} == expected


@pytest.mark.parametrize("page", FEATURES)
def test_page_starts_with_what_the_reader_can_do(page: str) -> None:
    assert PAGES[page].splitlines()[3].startswith("With these operations you can: ")


@pytest.mark.parametrize("page", FEATURES)
def test_paths_in_the_code_exist(page: str) -> None:
    places = [line.split("`")[1] for line in PAGES[page].splitlines() if line.startswith(("| `layers", "| `functions"))]
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []
