"""What the webhook's process loads: the logger and a DynamoDB client, and none of the heavy packages."""

import json
import os
import subprocess
import sys

from hangtag.providers import all_keys, provider_keys
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
    # Only for those who sign with it, and for what is parked.
    "cryptography",
    "hangtag.services.webhooks.fallback",
    "hangtag.services.integrations.client",
    "hangtag.outbound",
    "hangtag.providers.forms",
    "hangtag.secrets",
    "hangtag.services.tags.emit",
    "hangtag.services.webhooks.caller_lookup",
    "hangtag.providers.catalog",
)
PROBE = """
import json, sys
import app
from hangtag.store.db import client
client.dynamodb()
from hangtag import providers
for provider in {chosen}:
    providers.load(provider)
print(json.dumps(sorted(sys.modules)))
"""
MODULES = [f"hangtag.providers.{key}" for key in provider_keys()]


def loaded_by_the_webhook(*chosen: str) -> set[str]:
    """The modules of a fresh process that is ready to take its first delivery, of these providers."""
    path = os.pathsep.join([str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.replace("{chosen}", repr(chosen))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_webhook_loads_none_of_the_heavy_packages_whatever_the_provider() -> None:
    loaded = loaded_by_the_webhook(*all_keys())
    assert "aws_lambda_powertools.logging.logger" in loaded
    assert set(MODULES) <= loaded
    assert [name for name in FORBIDDEN if name in loaded] == []


def test_one_provider_costs_the_others_nothing() -> None:
    loaded = loaded_by_the_webhook("telephony_api")
    assert [name for name in MODULES if name in loaded] == ["hangtag.providers.telephony_api"]
