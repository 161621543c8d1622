"""The way of a request through an API: read, authenticate, check the role, route, answer."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from pynamodb.exceptions import PynamoDBException

from hangtag.errors import (
    BadInputError,
    HangtagError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
)
from hangtag.http.body import read_object
from hangtag.http.caller import Caller, Role, authenticate, require
from hangtag.http.problem import problem, validation_fields
from hangtag.observability import logger

__all__ = ["Api"]

_WITH_BODY = ("POST", "PUT", "PATCH")
# Refusals of AWS that pass by themselves.
_PASSING = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottledException",
        "ThrottlingException",
        # Refused conditions are told apart before; what is left of it is throttling.
        "TransactionCanceledException",
        "TransactionInProgressException",
        "KMSInternalException",
        "DependencyTimeoutException",
    }
)


class Api(APIGatewayHttpResolver):
    """The routes of one function.

    `required` tells the role that an address needs, so that a new route is closed before it is open.
    """

    def __init__(self, required: Callable[[str], Role]) -> None:
        super().__init__(
            enable_validation=True,
            response_validation_error_http_code=500,
            serializer=partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
        )
        self._required = required
        self.exception_handler(RequestValidationError)(_reraise)
        self.exception_handler(ResponseValidationError)(_reraise)
        self.exception_handler(NoRouteError)(_reraise)

    @property
    def caller(self) -> Caller:
        """Who asks, while a request is being answered."""
        caller: Caller = self.context["caller"]
        return caller

    @property
    def tenant_id(self) -> str:
        """The caller's tenant."""
        return self.caller.tenant_id

    @property
    def idempotency_key(self) -> str | None:
        """What the caller calls this request, so that it is carried out once."""
        key: str | None = self.context["idempotency_key"]
        return key

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON object that was sent, as it was sent."""
        payload: dict[str, Any] = self.context["payload"]
        return payload

    def handle(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one request of the HTTP API (payload 2.0). Never raises."""
        method = event["requestContext"]["http"]["method"].upper()
        path = event.get("rawPath", "")
        try:
            answer = self._answer(method, path, event, context)
        except Exception as error:
            answer = self._failure(error, method, path)
        answer["headers"]["cache-control"] = "no-store"
        logger.info(
            "answered",
            extra={"method": method, "route": self._shape(path), "status": answer["statusCode"]},
        )
        return answer

    def _answer(self, method: str, path: str, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        headers = {name.lower(): str(value) for name, value in event.get("headers", {}).items()}
        caller = authenticate(headers)
        require(caller, self._required(path))
        allowed = self._methods(path)
        if not allowed:
            raise NotFoundError("there is nothing at this address")
        if method not in allowed:
            raise MethodNotAllowedError("this address takes " + ", ".join(allowed))
        payload = read_object(event, headers) if method in _WITH_BODY else {}
        plain = {
            **event,
            # Read once, and strictly: what the routes see is what was checked.
            "body": json.dumps(payload) if method in _WITH_BODY else None,
            "isBase64Encoded": False,
            "headers": {**headers, "content-type": "application/json"},
        }
        self.context.update(caller=caller, payload=payload, idempotency_key=headers.get("idempotency-key"))
        answer: dict[str, Any] = self.resolve(plain, context)
        return answer

    def _methods(self, path: str) -> list[str]:
        """The methods that an address takes."""
        return sorted({route.method for route in self._matching(path)})

    def _shape(self, path: str) -> str:
        """An address without the ids in it, for the log."""
        return next((str(route.path) for route in self._matching(path)), "unknown")

    def _matching(self, path: str) -> list[Route]:
        routes = [*self._static_routes, *self._dynamic_routes]
        return [route for route in routes if route.rule.match(path)]

    def _failure(self, error: Exception, method: str, path: str) -> dict[str, Any]:
        known = _as_ours(error)
        if isinstance(known, MethodNotAllowedError):
            return problem(known, {"allow": ", ".join(self._methods(path))})
        if type(known) is HangtagError:
            logger.exception("request failed", extra={"method": method, "route": self._shape(path)})
        return problem(known)


def _reraise(error: Exception) -> Any:
    raise error


def _as_ours(error: Exception) -> HangtagError:
    """Any error as one of ours; a plain HangtagError, which is a 500, if it can be none of the caller's doing."""
    if isinstance(error, HangtagError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return BadInputError("what was sent is not valid", validation_fields(list(error.errors())))
    if isinstance(error, NoRouteError):
        return NotFoundError("there is nothing at this address")
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if _passes(cause):
        return UnavailableError("try again in a moment")
    return HangtagError()


def _passes(error: BaseException | None) -> bool:
    """Whether AWS refused for a moment, or was not reached."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _PASSING
    return isinstance(error, BotoCoreError)
