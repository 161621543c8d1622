"""Import budget of the webhook: the logger and a DynamoDB client, without heavy packages."""

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
    # Only for signatures that need it, and for queued requests.
    "cryptography",
    "hangtag.services.webhooks.fallback",
    "hangtag.services.integrations.client",
    "hangtag.outbound",
    "hangtag.limits",
    "hangtag.providers.forms",
    "hangtag.providers.rest",
    "hangtag.secrets",
    "hangtag.services.tags.emit",
    "hangtag.services.webhooks.caller_lookup",
    "hangtag.services.webhooks.summary",
    "hangtag.providers.catalog",
)
PROBE = """
import importlib, json, sys
import app
from hangtag.store.db import client
client.dynamodb()
from hangtag import providers
for provider in {chosen}:
    key = providers.load(provider).key
    importlib.import_module(f"hangtag.providers.{key}.webhook")
print(json.dumps(sorted(sys.modules)))
"""
# The number before the modules were grouped in packages, and one more.
MAX_MODULES = 22
MODULES = [f"hangtag.providers.{key}" for key in provider_keys()]


def loaded_by_the_webhook(*chosen: str) -> set[str]:
    """Return the modules of a new process that is ready for its first request of these providers."""
    path = os.pathsep.join([str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    process = subprocess.run(
        [sys.executable, "-c", PROBE.replace("{chosen}", repr(chosen))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(process.stdout.splitlines()[-1]))


def test_webhook_loads_no_heavy_package_for_any_provider() -> None:
    loaded = loaded_by_the_webhook(*all_keys())
    assert "aws_lambda_powertools.logging.logger" in loaded
    assert set(MODULES) <= loaded
    assert [name for name in FORBIDDEN if name in loaded] == []


def test_webhook_loads_the_modules_of_its_own_provider_only() -> None:
    loaded = loaded_by_the_webhook("telephony_api")
    assert [name for name in MODULES if name in loaded] == ["hangtag.providers.telephony_api"]


def test_webhook_loads_few_modules_of_the_product() -> None:
    loaded = loaded_by_the_webhook("zadarma")
    assert len([name for name in loaded if name.partition(".")[0] == "hangtag"]) <= MAX_MODULES
