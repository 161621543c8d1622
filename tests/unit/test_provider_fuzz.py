"""Coverage-guided fuzzing of every provider for a short time; `make fuzz` runs longer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hangtag.providers import provider_keys
from process import ROOT

# atheris is not available on every platform; test_provider_contract.py covers the same with Hypothesis.
needs_atheris = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris for this platform")


@needs_atheris
@pytest.mark.slow
@pytest.mark.parametrize("provider", provider_keys())
def test_fuzzed_bytes_raise_only_declared_errors(provider: str, tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "tests" / "fuzz" / "fuzz_provider.py"), provider, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers' / 'common'}:{ROOT}"}
    done = subprocess.run(
        [*program, "-runs=40000", "-max_len=2000", "-timeout=10", f"-artifact_prefix={tmp_path}/"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 40000 runs" in done.stderr
