"""The way of a request through an API: read, authenticate, check the role, route, answer."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ValidationError
from pynamodb.exceptions import PynamoDBException

from hangtag.api.kernel.body import read_object
from hangtag.api.kernel.caller import Caller, Role, authenticate, require
from hangtag.api.kernel.idempotency import IdempotencyRecord, check_key
from hangtag.api.kernel.operations import Operation
from hangtag.api.kernel.problem import problem, validation_fields
from hangtag.errors import (
    BadInputError,
    ErrorCode,
    HangtagError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
)
from hangtag.observability import logger

__all__ = ["Api", "Routes"]

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


HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


class Routes(APIGatewayHttpRouter):
    """The routes of one feature that require the same role. A feature with two roles has two of these.

    `role` is None for routes without authentication.
    """

    def __init__(self, role: Role | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.role = role
        self.operations: dict[tuple[str, str], Operation] = {}

    def get(  # type: ignore[override]
        self,
        path: str,
        *,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode] = (),
        status_code: int = 200,
        responses: dict[int, Any] | None = None,
        deprecated: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a GET operation.

        `errors` are the codes that do not follow from the operation's shape: 401 and 403 follow from the role, 404
        from a path parameter, 413 and 415 from a body; 400, 429, 500 and 503 are always possible.
        """
        operation = self._operation(operation_id, tags, summary, description, errors, None)
        return self._add("GET", path, operation, status_code, responses, deprecated=deprecated)

    def post(  # type: ignore[override]
        self,
        path: str,
        *,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode] = (),
        example: Any = None,
        status_code: int = 200,
        responses: dict[int, Any] | None = None,
        deprecated: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a POST operation; `example` is a request body. See `get` for `errors`."""
        operation = self._operation(operation_id, tags, summary, description, errors, example)
        return self._add("POST", path, operation, status_code, responses, deprecated=deprecated)

    def put(  # type: ignore[override]
        self,
        path: str,
        *,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode] = (),
        example: Any = None,
        status_code: int = 200,
        responses: dict[int, Any] | None = None,
        deprecated: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a PUT operation; `example` is a request body. See `get` for `errors`."""
        operation = self._operation(operation_id, tags, summary, description, errors, example)
        return self._add("PUT", path, operation, status_code, responses, deprecated=deprecated)

    def patch(  # type: ignore[override]
        self,
        path: str,
        *,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode] = (),
        example: Any = None,
        status_code: int = 200,
        responses: dict[int, Any] | None = None,
        deprecated: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a PATCH operation; `example` is a request body. See `get` for `errors`."""
        operation = self._operation(operation_id, tags, summary, description, errors, example)
        return self._add("PATCH", path, operation, status_code, responses, deprecated=deprecated)

    def delete(  # type: ignore[override]
        self,
        path: str,
        *,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode] = (),
        example: Any = None,
        status_code: int = 200,
        responses: dict[int, Any] | None = None,
        deprecated: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a DELETE operation; `example` is a request body. See `get` for `errors`."""
        operation = self._operation(operation_id, tags, summary, description, errors, example)
        return self._add("DELETE", path, operation, status_code, responses, deprecated=deprecated)

    def _operation(
        self,
        operation_id: str,
        tags: Sequence[str],
        summary: str,
        description: str,
        errors: Collection[ErrorCode],
        example: Any,
    ) -> Operation:
        (tag,) = tags
        return Operation(operation_id, tag, summary, description, self.role, frozenset(errors), example)

    def _add(
        self,
        method: str,
        path: str,
        operation: Operation,
        status_code: int,
        responses: dict[int, Any] | None,
        *,
        deprecated: bool,
    ) -> Callable[[HandlerT], HandlerT]:
        self.operations[method, path] = operation
        add: Callable[[HandlerT], HandlerT] = self.route(
            path,
            method,
            summary=operation.summary,
            description=operation.full_description,
            responses=responses,
            tags=[operation.tag],
            operation_id=operation.operation_id,
            openapi_extensions={"x-required-role": operation.required_role},
            deprecated=deprecated,
            status_code=status_code,
        )
        return add

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
        """What the caller sent to have a POST carried out once, if anything. Raises BadInputError."""
        key: str | None = self.context["idempotency_key"]
        if key is not None:
            check_key(key)
        return key

    def once(self, what: str, work: Callable[[], BaseModel], *, sealed: bool = False) -> dict[str, Any]:
        """Carry out a POST, once for each Idempotency-Key of the caller's; `sealed` keeps a secret answer encrypted.

        `what` names the deed: the same key may stand for different deeds.
        """
        key: str | None = self.context["idempotency_key"]

        def run() -> dict[str, Any]:
            return dict(work().model_dump(mode="json"))

        if key is None:
            return run()
        return IdempotencyRecord(self.tenant_id, what, key, self.context["payload"], sealed=sealed).run(run)


class Api(APIGatewayHttpResolver):
    """The routes of one function, feature by feature. There is no route without a role."""

    def __init__(self, *features: Routes) -> None:
        super().__init__(
            enable_validation=True,
            response_validation_error_http_code=500,
            serializer=partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
        )
        self.operations: dict[tuple[str, str], Operation] = {}
        self.exception_handler(RequestValidationError)(_reraise)
        self.exception_handler(ResponseValidationError)(_reraise)
        self.exception_handler(NoRouteError)(_reraise)
        for routes in features:
            self.include_router(routes)
            self.operations.update(routes.operations)

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
        self._admit(caller, method, path)
        payload = read_object(event, headers, may_be_empty=method == "POST") if method in _WITH_BODY else {}
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

    def _admit(self, caller: Caller, method: str, path: str) -> None:
        """Raises NotFoundError, MethodNotAllowedError or ForbiddenError unless the caller may use this route."""
        found = self._matching(path)
        if not found:
            raise NotFoundError("there is nothing at this address")
        route = next((route for route in found if route.method == method), None)
        if route is None:
            raise MethodNotAllowedError("this address takes " + ", ".join(self._methods(path)))
        role = self.operations[route.method, str(route.path)].role
        if role is not None:
            require(caller, role)

    def _methods(self, path: str) -> list[str]:
        """The methods that an address takes."""
        return sorted({route.method for route in self._matching(path)})

    def _shape(self, path: str) -> str:
        """An address without the ids in it, for the log."""
        return next((str(route.path) for route in self._matching(path)), "unknown")

    def _matching(self, path: str) -> list[Route]:
        return [route for route in self.all_routes() if route.rule.match(path)]

    def all_routes(self) -> list[Route]:
        """Every route, for those who describe the API."""
        return [*self._static_routes, *self._dynamic_routes]

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
