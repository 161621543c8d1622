"""Generated pages of the PBXs: the matrix, one page per provider, and the check for drift."""

import re
from pathlib import Path

import pytest

from hangtag.providers import all_keys, load, provider_keys
from hangtag.providers.catalog import catalog
from tools.providers import DOCS, drift, main, pages

PAGES = pages()


def test_committed_pages_match_the_code() -> None:
    assert drift(PAGES, DOCS) == []


def test_every_provider_has_one_page() -> None:
    assert set(PAGES) == {"providers.md", *(f"providers/{key}.md" for key in provider_keys())}


def test_matrix_links_to_existing_pages() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGES["providers.md"])
    assert set(links) == set(PAGES) - {"providers.md"}
    assert len(links) == len(set(links))


def test_matrix_lists_every_key() -> None:
    rows = [line for line in PAGES["providers.md"].splitlines() if line.startswith("| [")]
    keys = re.findall(r"`(\w+)`", " ".join(row.split("|")[2] for row in rows))
    assert sorted(keys) == sorted(all_keys())


def test_matrix_shows_the_capabilities_of_the_class() -> None:
    rows = {
        line.split("](providers/")[1].split(".md")[0]: line
        for line in PAGES["providers.md"].splitlines()
        if "](" in line
    }
    for key, row in rows.items():
        shown = [cell.strip() == "yes" for cell in row.split("|")[3:-1]]
        columns = ("originate", "recording", "history", "extensions", "ping", "setup")
        assert shown == [load(key).supports(name) for name in columns]


@pytest.mark.parametrize("key", provider_keys())
def test_page_starts_with_the_tasks_of_the_reader(key: str) -> None:
    text = PAGES[f"providers/{key}.md"]
    title, _, begin = text.splitlines()[:3]
    assert title.startswith("# ")
    assert begin == "With this PBX you can:"


@pytest.mark.parametrize("key", provider_keys())
def test_page_contains_every_fact_of_the_form(key: str) -> None:
    text = PAGES[f"providers/{key}.md"]
    for info in (info for info in catalog() if load(info.key).key == key):
        assert f"`{info.key}`" in text
        assert info.name in text
    info = next(info for info in catalog() if info.key == key)
    for name in (*info.credentials.model_fields, *info.settings.model_fields):
        assert f".{name}`" in text
    for fact in (*info.instructions("WEBHOOK_URL"), info.signature, *info.missing_stories, *info.missing_fields):
        assert fact in text
    for heading in ("What you enter", "Set-up", "How webhook requests are verified", "Sources"):
        assert f"\n## {heading}\n" in text


def test_check_fails_for_each_kind_of_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "providers" / "mango.md").write_text("# Another page\n", encoding="utf-8")
    (tmp_path / "providers" / "zadarma.md").unlink()
    (tmp_path / "providers" / "unknown.md").write_text("# A removed PBX\n", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    printed = capsys.readouterr().out
    for name in ("mango", "zadarma", "unknown"):
        assert f"docs/providers/{name}.md does not match the code. Run make docs." in printed
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
