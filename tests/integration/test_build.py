"""Artifacts of `sam build` on a clean clone, without Docker and without Lambda's Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.artifacts import artifacts, faults, import_fault, platform_faults

pytestmark = [pytest.mark.build, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
_NAMES = ("Webhook", "Tracker", "Tags", "Admin", "Desk", "Jobs", "Originate", "Live", "Recordings", "Reports")
FUNCTIONS = {f"{name}Function" for name in _NAMES}
BUILD_WITHIN_SECONDS = 540


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the files that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    clone = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    return clone


def build(clone: Path, name: str, environment: dict[str, str]) -> Path:
    """Run `sam build`. Return the folder of the artifacts."""
    assert SAM.exists(), "`make test` sets up .venv-sam"
    inherited = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "HANGTAG_LAYER_TARGET"}}
    folder = clone / name
    ran = subprocess.run(
        [SAM, "build", "--build-dir", folder],
        cwd=clone,
        env={
            **inherited,
            # This interpreter and the system's tools: no other Python, and an unreachable Docker.
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "DOCKER_HOST": f"unix://{clone}/no-docker.sock",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "SAM_CLI_TELEMETRY": "0",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=BUILD_WITHIN_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def for_lambda(clone: Path) -> Path:
    return build(clone, "for-lambda", {})


@pytest.fixture(scope="module")
def for_host(clone: Path) -> Path:
    return build(clone, "for-host", {"HANGTAG_LAYER_TARGET": "host"})


def test_every_function_is_built_for_lambda_within_its_quota(for_lambda: Path) -> None:
    assert {artifact.name for artifact in artifacts(for_lambda)} == FUNCTIONS
    assert faults(for_lambda, try_import=False) == []


def test_layer_contains_the_package_and_wheels_for_lambda(for_lambda: Path) -> None:
    packages = for_lambda / "CommonLayer" / "python"
    assert (packages / "hangtag" / "py.typed").is_file()
    # The one native library that the functions need.
    assert list(packages.glob("pydantic_core/*.cpython-313-aarch64-linux-gnu.so"))


def test_artifacts_contain_neither_bytecode_nor_build_files(for_lambda: Path) -> None:
    paths = [path for artifact in artifacts(for_lambda) for path in artifact.folder.rglob("*")]
    paths += (for_lambda / "CommonLayer").rglob("*")
    assert [path for path in paths if path.suffix == ".pyc" or path.name == "Makefile"] == []


def test_each_artifact_imports_with_its_layer_only(for_host: Path) -> None:
    assert faults(for_host, try_import=True) == []


def test_artifact_without_its_layer_is_reported(for_host: Path, tmp_path: Path) -> None:
    shutil.copytree(for_host / "WebhookFunction", tmp_path / "WebhookFunction")
    shutil.copy2(for_host / "template.yaml", tmp_path)
    webhook = next(artifact for artifact in artifacts(tmp_path) if artifact.name == "WebhookFunction")
    assert "No module named 'hangtag'" in (import_fault(webhook) or "")


def test_layer_for_another_processor_is_reported(tmp_path: Path) -> None:
    wheel = tmp_path / "python" / "native-1.0.dist-info" / "WHEEL"
    wheel.parent.mkdir(parents=True)
    wheel.write_text("Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\n")
    (tmp_path / "python" / "native.so").write_bytes(b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little"))
    assert platform_faults(tmp_path) == [
        "native-1.0.dist-info is a wheel for cp311-cp311-manylinux_2_17_x86_64",
        "python/native.so is not for arm64",
    ]
