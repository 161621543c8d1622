"""Fault injection for tests that make AWS calls fail; off unless HANGTAG_FAULT_ENDPOINT is set.

The variable contains the URL of a proxy that the test runs. The functions' calls go through it, since
it is their endpoint. The state machine's own calls do not cross a socket here; each sends a request to
`/_fault/before` and `/_fault/after` of the proxy, and status 500 makes it fail. A call that fails
before is not made; a call that fails after took effect.
"""

import importlib
import json
import urllib.error
import urllib.request
from typing import Any

# A test can delay a call for a while.
RESPONSE_SECONDS = 60


def install(endpoint: str | None) -> None:
    """Wrap the state machine's calls, if a test set the endpoint."""
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
        fault = _Fault(endpoint, f"{name}:{action}", parameters, error)
        return fault.around(lambda: call_service(resource, parameters))

    def function(reference: Any, event: Any) -> Any:
        error = machines._ExecutionError("Lambda.ServiceException", "injected by a test")
        fault = _Fault(endpoint, "lambda:invoke", event, error)
        return fault.around(lambda: call_function(reference, event))

    machines._invoke_aws_sdk_integration = service
    machines._call_lambda = function


class _Fault:
    """Fault that a test can inject into one call of the state machine."""

    def __init__(self, endpoint: str, operation: str, parameters: Any, error: Exception) -> None:
        self._endpoint = endpoint
        self._error = error
        body = {"caller": "states", "operation": operation, "body": json.dumps(parameters)}
        self._body = json.dumps(body).encode()

    def around(self, call: Any) -> Any:
        """Make the call. Raises before or after it if the test requests a fault."""
        if self._fails("before"):
            raise self._error
        try:
            result = call()
        except Exception:
            # The test counts pairs, so it needs the second request too; the call's own error is raised.
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
            with opener.open(request, timeout=RESPONSE_SECONDS):
                return False
        except urllib.error.HTTPError as error:
            return error.code == 500
        except OSError:
            # The test and its proxy have ended.
            return False
