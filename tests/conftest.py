"""Settings, plugins and the environment of all tests."""

import os
import signal

import pytest
from hypothesis import settings

from hangtag import runtime

# The logs of every stack that the run starts must hold no secret and no whole phone number.
# `pytester` runs a test file of its own, to see that it fails.
pytest_plugins = ["log_guard", "pytester"]

# No deadline: the time of an example varies on a busy machine. CI repeats its examples; other runs try new ones.
settings.register_profile("hangtag", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("hangtag")

# A background process of a shell ignores Ctrl-C, and its children inherit that; tests send Ctrl-C to children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests never reach an AWS account that the developer is signed in to.
for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
    del os.environ[name]
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)

# Tests set a function's variables one by one; a deployed function binds its settings once.
runtime.settings = lambda: runtime.Settings.read(os.environ)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines that tests recorded (`record_property("printed", …)`), also after a parallel run."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            line = dict(getattr(report, "user_properties", ())).get("printed")
            if line and getattr(report, "when", "") == "call":
                terminalreporter.write_line(str(line))
