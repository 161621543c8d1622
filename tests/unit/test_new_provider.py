"""`make provider KEY=acme`: the start of a new provider works at once, except for the stories to write."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from process import ROOT
from tools.new_provider import KeyRejectedError, create, files, main

IGNORED = shutil.ignore_patterns(
    ".git", ".venv*", ".aws-sam", ".local", "__pycache__", ".hypothesis", ".*_cache", "*.egg-info"
)
CONTRACT = ("tests/unit/test_provider_contract.py", "tests/unit/test_provider_outgoing.py")
UNWRITTEN = {
    "missed_incoming",
    "outgoing_answered",
    "outgoing_no_answer",
    "parallel_group_answered_by_second",
    "transfer_within_call",
    "transfer_to_linked_call",
    "recording_link_late",
}


def run(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(root / part) for part in ("layers/common", "clients/hangtag_client", "."))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with a new provider."""
    copy = tmp_path_factory.mktemp("copy") / "hangtag"
    shutil.copytree(ROOT, copy, ignore=IGNORED, symlinks=True)
    create("acme", copy)
    return copy


def test_new_provider_passes_the_contract_without_stories(root: Path) -> None:
    options = ("-p", "no:cacheprovider", "-q", "-p", "no:xdist", "-rf")
    result = run(root, "-m", "pytest", *options, *CONTRACT, environment={"HANGTAG_CONTRACT": "acme"})
    failed = set(re.findall(r"^FAILED (\S+)", result.stdout, re.MULTILINE))
    prefix = "tests/unit/test_provider_contract.py::test_required_story_exists_unless_the_pbx_cannot_report_it"
    assert failed == {f"{prefix}[acme-{name}]" for name in UNWRITTEN}, result.stdout[-3000:]
    for name in UNWRITTEN:
        assert f"write events/acme/{name}.yaml (" in result.stdout
    assert "missing_stories in layers/common/hangtag/providers/acme/form.py" in result.stdout
    assert int(re.findall(r"(\d+) passed", result.stdout)[-1]) > 50


def test_unit_tests_are_collected_with_a_new_provider(root: Path) -> None:
    result = run(root, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only", "tests/unit")
    assert result.returncode == 0, result.stdout[-3000:]
    assert "test_signature_of_the_pbx_is_valid[acme]" in result.stdout


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("zadarma", "already exists"),
        ("novofon", "already exists"),
        ("reading", "shared module"),
        ("Acme", "not a valid key"),
        ("a-b", "not a valid key"),
        ("../x", "not a valid key"),
        ("class", "not a valid key"),
        ("x" * 40, "not a valid key"),
        ("", "not a valid key"),
    ],
)
def test_unusable_key_is_rejected_with_a_reason(key: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyRejectedError, match=message):
        create(key, ROOT)
    assert main([key]) == 2
    assert message in capsys.readouterr().err


def test_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    story = tmp_path / "events/acme/answered_incoming.yaml"
    story.parent.mkdir(parents=True)
    story.write_text("mine", encoding="utf-8")
    with pytest.raises(KeyRejectedError, match="already exists"):
        create("acme", tmp_path)
    assert [path for path in files("acme") if (tmp_path / path).exists()] == ["events/acme/answered_incoming.yaml"]
    assert story.read_text(encoding="utf-8") == "mine"


def test_missing_key_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "make provider KEY=acme" in capsys.readouterr().err
