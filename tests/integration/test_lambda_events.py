"""Sample Lambda event of each function, invoked on the stack."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack

PORT = 4616
EVENTS = Path(__file__).parents[2] / "events" / "lambda"
# Part of each function's response that shows that it handled its event.
RESPONSES: dict[str, dict[str, Any]] = {
    "webhook": {"statusCode": 404},
    "tracker": {"swept": 0},
    "tags": {"done": "gone"},
    "admin": {"statusCode": 401},
    "desk": {"statusCode": 401},
    "originate": {"statusCode": 401},
    "live": {"statusCode": 401},
    "recordings": {"looked_at": 0, "expired": 0},
    "reports": {"hours": 0},
    "jobs": {"batchItemFailures": []},
}

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_every_lambda_function_has_a_sample_event() -> None:
    functions = {path.parent.name for path in EVENTS.parents[1].glob("functions/*/app.py")}
    assert {path.stem for path in EVENTS.glob("*.json")} == functions == set(RESPONSES)


@pytest.mark.parametrize("function", sorted(RESPONSES))
def test_lambda_function_handles_its_sample_event(stack: Stack, function: str) -> None:
    event = json.loads((EVENTS / f"{function}.json").read_text())
    response = stack.invoke(f"{function.title()}Function", event)
    assert {name: response[name] for name in RESPONSES[function]} == RESPONSES[function]
