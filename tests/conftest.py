"""What all tests share."""

import os
import signal

import pytest
from hypothesis import settings

from hangtag import runtime

# The logs of every stack that the run starts must hold no secret and no whole phone number.
# `pytester` runs a test file of its own, to see that it fails.
pytest_plugins = ["log_guard", "pytester"]

# How long an example takes says nothing on a busy machine. CI repeats itself; elsewhere new examples are tried.
settings.register_profile("hangtag", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("hangtag")

# What a shell starts in the background ignores Ctrl-C, and so would all that it starts; tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test may meet an account that whoever runs it is signed in to.
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
    """Print what tests have to say (`record_property("printed", …)`), also when they ran beside each other."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            said = dict(getattr(report, "user_properties", ())).get("printed")
            if said and getattr(report, "when", "") == "call":
                terminalreporter.write_line(str(said))
