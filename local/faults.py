"""A door for tests that make AWS calls fail; closed unless HANGTAG_FAULT_ENDPOINT opens it.

It names a proxy that the test runs. The functions' calls go through it by themselves, since it is
their endpoint. The state machine's own calls never cross a socket here, so they ask it at
`/_fault/before` and `/_fault/after` whether to fail: 500 is yes. Failing before, the call is not
made; after, it took effect.
"""

import importlib
import json
import urllib.error
import urllib.request
from typing import Any

# A test may hold a call back for a while.
ANSWER_SECONDS = 60


def install(endpoint: str | None) -> None:
    """Put the door before the state machine's calls, if a test asked for it."""
    if not endpoint:
        return
    machines: Any = importlib.import_module("ministack.services.stepfunctions")
    call_service, call_function = machines._invoke_aws_sdk_integration, machines._call_lambda

    def service(resource: str, parameters: Any) -> Any:
        # arn:aws:states:::aws-sdk:<service>:<action>
        name, action = resource.split(":")[6:8]
        action = action.partition(".")[0]
        error = machines._ExecutionError(
            machines._prefix_sdk_error(name, "InternalServerErrorException"), "injected by a test"
        )
        asked = _Question(endpoint, f"{name}:{action}", parameters, error)
        return asked.around(lambda: call_service(resource, parameters))

    def function(reference: Any, event: Any) -> Any:
        error = machines._ExecutionError("Lambda.ServiceException", "injected by a test")
        asked = _Question(endpoint, "lambda:invoke", event, error)
        return asked.around(lambda: call_function(reference, event))

    machines._invoke_aws_sdk_integration = service
    machines._call_lambda = function


class _Question:
    """Asks a test about one call of the state machine."""

    def __init__(self, endpoint: str, operation: str, parameters: Any, error: Exception) -> None:
        self._endpoint = endpoint
        self._error = error
        body = {"caller": "states", "operation": operation, "body": json.dumps(parameters)}
        self._body = json.dumps(body).encode()

    def around(self, call: Any) -> Any:
        """Make the call. Raises instead of it, or after it, if the test wants so."""
        if self._fails("before"):
            raise self._error
        try:
            result = call()
        except Exception:
            # Told all the same, so that the test counts pairs; the call's own failure stands.
            self._fails("after")
            raise
        if self._fails("after"):
            raise self._error
        return result

    def _fails(self, moment: str) -> bool:
        request = urllib.request.Request(
            f"{self._endpoint}/_fault/{moment}",
            data=self._body,
            headers={"content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_SECONDS):
                return False
        except urllib.error.HTTPError as error:
            return error.code == 500
        except OSError:
            # The test is gone, and its proxy with it.
            return False
