"""What the webhook's process loads: the logger and a DynamoDB client, and none of the heavy packages."""

import json
import os
import subprocess
import sys

from process import ENVIRONMENT, ROOT

FORBIDDEN = (
    "boto3",
    "pydantic",
    "pynamodb",
    "requests",
    "phonenumbers",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.parser",
    "aws_xray_sdk",
    "hangtag.flow.emit",
    "hangtag.flow.lookup",
    "hangtag.providers.catalog",
)
PROBE = """
import json, sys
import app
from hangtag.store import client
client.dynamodb()
from hangtag import providers
providers.load("telephony_api")
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by_the_webhook() -> set[str]:
    """The modules of a fresh process that is ready to take its first delivery."""
    path = os.pathsep.join([str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_webhook_loads_none_of_the_heavy_packages() -> None:
    loaded = loaded_by_the_webhook()
    assert "aws_lambda_powertools.logging.logger" in loaded
    assert [name for name in FORBIDDEN if name in loaded] == []
