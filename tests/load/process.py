"""Cost of one webhook in its process: import and own CPU, as ratios of one run."""

import hashlib
import hmac
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlencode

ROOT = Path(__file__).parents[2]
PAIRS = 15
ROUNDS = 2000

ENVIRONMENT = {
    "TABLE_NAME": "table",
    "TOKEN_KEY": "0" * 64,
    "FALLBACK_QUEUE_URL": "https://sqs.example/fallback",
    "ORIGINATE_QUEUE_URL": "https://sqs.example/originate",
    "SWEEP_AFTER_SECONDS": "300",
    "CREDENTIALS_KEY_ID": "key",
    "PUBLIC_URL": "https://api.example",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "POWERTOOLS_SERVICE_NAME": "hangtag",
    "LOG_LEVEL": "INFO",
}
BARE = """
import botocore.session
botocore.session.get_session().create_client("dynamodb")
"""
# The equivalent client of the function's own code, with all modules of a first request loaded.
WEBHOOK = """
import app
from hangtag import providers
from hangtag.store.db import client
client.dynamodb()
providers.load("telephony_api")
import hangtag.providers.telephony_api.webhook
"""
MODULES = WEBHOOK.replace("telephony_api", "zadarma") + "import sys\nprint(len(sys.modules))\n"


# Additional modules of a first request: of a PBX that signs with a secret, and of the one that signs with Ed25519.
SIGNED = WEBHOOK.replace("telephony_api", "zadarma") + 'client.make("kms")\n'
ED25519 = (
    WEBHOOK.replace("telephony_api", "telnyx")
    + """client.make("kms")
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
"""
)


def import_ratio(code: str = WEBHOOK) -> float:
    """Return the CPU of the webhook's start relative to a bare DynamoDB client's: the median of process pairs.

    CPU, not time, because time includes the disk and other work on the machine.
    """
    path = os.pathsep.join([str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}

    def start(code: str) -> float:
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    start(BARE), start(code)
    return statistics.median(start(code) / start(BARE) for _ in range(PAIRS))


def modules_imported() -> int:
    """Return the number of modules that the webhook has imported before its first request, of all packages."""
    path = os.pathsep.join([str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    output = subprocess.run([sys.executable, "-c", MODULES], env=environment, capture_output=True, check=True).stdout
    return int(output.split()[-1])


def _cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one round."""
    for _ in range(ROUNDS // 10):
        work()
    before = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - before) / ROUNDS


class _NullTable:
    """Replacement of the AWS calls without a cost, because they are not measured."""

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": self._item}

    def update_item(self, **_: Any) -> dict[str, Any]:
        return {}


# Patched only here: the next measurement uses the environment and the table of its stack.
@patch.dict(os.environ, ENVIRONMENT)
def cpu_ratio() -> float:
    """Return the handler's own CPU for one event, relative to one parse and one HMAC of the same body."""
    sys.path[:0] = [str(ROOT / "functions" / "webhook"), str(ROOT / "layers" / "common")]
    import app  # type: ignore[import-not-found]  # the webhook's, found by its folder

    from hangtag import auth
    from hangtag.store.db import client

    token = auth.make_token("hook", ENVIRONMENT["TOKEN_KEY"])
    secret = "0123456789abcdef0123456789abcdef"
    body = urlencode(
        {
            "cmd": "event", "type": "in", "event": "COMPLETED", "phone": "79101234567",
            "diversion": "74951234567", "ext": "101", "callid": "D10D0EB124F4E64AF4EA-1511",
            "duration": "124", "is_recorded": "1", "status": "Success", "planfix_token": secret,
        }
    )  # fmt: skip
    table = _NullTable(hook_item(secret))
    event = {
        "rawPath": f"/tel/api/{token}",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "requestContext": {"http": {"method": "POST"}, "timeEpoch": 1772366400000},
        "pathParameters": {"token": token},
        "isBase64Encoded": False,
        "body": body,
    }
    raw = body.encode()

    def yardstick() -> None:
        parse_qs(body, keep_blank_values=True)
        hmac.new(b"key", raw, hashlib.sha256).hexdigest()

    stderr, stdout = os.dup(2), os.dup(1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    try:
        with patch.object(client, "make", lambda *_, **__: table):
            assert app.handler(event, None)["statusCode"] == 200
            ours = _cpu(lambda: app.handler(event, None))
    finally:
        os.dup2(stdout, 1), os.dup2(stderr, 2)
    return ours / _cpu(yardstick)


def hook_item(secret: str) -> dict[str, Any]:
    """Return a webhook token's item as stored in the table."""
    return {
        "tenant_id": {"S": "t-1"},
        "integration_id": {"S": "i-1"},
        "provider": {"S": "telephony_api"},
        "country": {"S": "RU"},
        "secrets": {"M": {"planfix_token": {"S": hashlib.sha256(secret.encode()).hexdigest()}}},
    }
