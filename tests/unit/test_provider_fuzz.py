"""Coverage-guided fuzzing of every provider, for a short while; `make fuzz` does it for longer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hangtag.providers import provider_keys
from process import ROOT

# libFuzzer is there for this platform; elsewhere Hypothesis has tried the same (test_provider_contract.py).
needs_atheris = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris for this platform")


@needs_atheris
@pytest.mark.slow
@pytest.mark.parametrize("provider", provider_keys())
def test_no_bytes_make_a_provider_raise_what_it_does_not_declare(provider: str, tmp_path: Path) -> None:
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
