"""Requests of one function's API: read, authenticate, check the role, route, respond."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NotRequired, TypedDict, TypeVar, Unpack

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
    FieldError,
    FieldErrorCode,
    HangtagError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
)
from hangtag.runtime import logger

__all__ = ["Api", "Routes"]

_WITH_BODY = ("POST", "PUT", "PATCH")
_MAX_NAME = 100
# AWS error codes that a retry can resolve.
_TEMPORARY = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottledException",
        "ThrottlingException",
        # The store handles failed conditions; the remaining cancellations are throttling.
        "TransactionCanceledException",
        "TransactionInProgressException",
        "KMSInternalException",
        "DependencyTimeoutException",
    }
)


HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


class OperationOptions(TypedDict):
    """Description of an operation, stated at its route.

    `errors` are the codes that do not follow from the operation's shape: 401 and 403 follow from the role, 404 from a
    path parameter, 413 and 415 from a body; 400, 429, 500 and 503 are always possible. `example` is a request body.
    """

    operation_id: str
    tags: Sequence[str]
    summary: str
    description: str
    errors: NotRequired[Collection[ErrorCode]]
    example: NotRequired[Any]
    status_code: NotRequired[int]
    responses: NotRequired[dict[int, Any]]
    deprecated: NotRequired[bool]


class Routes(APIGatewayHttpRouter):
    """Routes of one feature that require one role. A feature with two roles has two instances.

    `role` is None for routes without authentication.
    """

    def __init__(self, role: Role | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.role = role
        self.operations: dict[tuple[str, str], Operation] = {}

    def get(  # type: ignore[override]
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a GET operation. See `OperationOptions`."""
        return self._add("GET", path, options)

    def post(  # type: ignore[override]
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a POST operation. See `OperationOptions`."""
        return self._add("POST", path, options)

    def put(  # type: ignore[override]
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a PUT operation. See `OperationOptions`."""
        return self._add("PUT", path, options)

    def patch(  # type: ignore[override]
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a PATCH operation. See `OperationOptions`."""
        return self._add("PATCH", path, options)

    def delete(  # type: ignore[override]
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[HandlerT], HandlerT]:
        """Add a DELETE operation. See `OperationOptions`."""
        return self._add("DELETE", path, options)

    def _add(self, method: str, path: str, options: OperationOptions) -> Callable[[HandlerT], HandlerT]:
        (tag,) = options["tags"]
        operation = Operation(
            options["operation_id"],
            tag,
            options["summary"],
            options["description"],
            self.role,
            frozenset(options.get("errors", ())),
            options.get("example"),
        )
        self.operations[method, path] = operation
        add: Callable[[HandlerT], HandlerT] = self.route(
            path,
            method,
            summary=operation.summary,
            description=operation.full_description,
            responses=options.get("responses"),
            tags=[operation.tag],
            operation_id=operation.operation_id,
            openapi_extensions={"x-required-role": operation.required_role},
            deprecated=options.get("deprecated", False),
            status_code=options.get("status_code", 200),
        )
        return add

    @property
    def caller(self) -> Caller:
        """The caller of the current request."""
        caller: Caller = self.context["caller"]
        return caller

    @property
    def tenant_id(self) -> str:
        """The caller's tenant."""
        return self.caller.tenant_id

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header of the current request, or None. Raises BadInputError if it is not valid."""
        key: str | None = self.context["idempotency_key"]
        if key is not None:
            check_key(key)
        return key

    def idempotent(self, what: str, work: Callable[[], BaseModel], *, sealed: bool = False) -> dict[str, Any]:
        """Run a POST once per Idempotency-Key of the tenant; `sealed` stores a secret response encrypted.

        `what` is the name of the operation: one key can be used for several operations.
        """
        key: str | None = self.context["idempotency_key"]

        def run() -> dict[str, Any]:
            return dict(work().model_dump(mode="json"))

        if key is None:
            return run()
        return IdempotencyRecord(self.tenant_id, what, key, self.context["payload"], sealed=sealed).run(run)


class Api(APIGatewayHttpResolver):
    """The routes of one function, feature by feature."""

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
        """Handle one request of the HTTP API (payload 2.0). Never raises."""
        method = event["requestContext"]["http"]["method"].upper()
        path = event.get("rawPath", "")
        try:
            response = self._respond(method, path, event, context)
        except Exception as error:
            response = self._failure(error, method, path, event["requestContext"].get("requestId"))
        response["headers"]["cache-control"] = "no-store"
        logger.info(
            "api.request_handled",
            extra={"method": method, "route": self._shape(path), "status": response["statusCode"]},
        )
        return response

    def _respond(self, method: str, path: str, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        headers = {name.lower(): str(value) for name, value in event.get("headers", {}).items()}
        operation, route = self._find(method, path)
        caller = authenticate(headers) if operation is None or operation.role is not None else None
        if operation is None or route is None:
            raise _not_allowed(self._methods(path))
        if caller is not None and operation.role is not None:
            require(caller, operation.role)
        _check_parameters(event.get("queryStringParameters") or {}, route)
        payload = read_object(event, headers, may_be_empty=method == "POST") if method in _WITH_BODY else {}
        plain = {
            **event,
            # Parsed once, strictly; the routes use the checked payload.
            "body": json.dumps(payload) if method in _WITH_BODY else None,
            "isBase64Encoded": False,
            "headers": {**headers, "content-type": "application/json"},
        }
        self.context.update(caller=caller, payload=payload, idempotency_key=headers.get("idempotency-key"))
        response: dict[str, Any] = self.resolve(plain, context)
        return response

    def _find(self, method: str, path: str) -> tuple[Operation | None, Route | None]:
        """Return the operation; None for a method that the path does not support. Raises NotFoundError."""
        matching = self._matching(path)
        route = next((route for route in matching if route.method == method), None)
        if route is not None:
            return self.operations[route.method, str(route.path)], route
        methods = self._methods(path)
        if not methods:
            raise NotFoundError("Unknown path. See GET /v1/openapi.json.", code=ErrorCode.ROUTE_NOT_FOUND)
        if method in methods:
            # The path has characters that no id contains.
            raise NotFoundError("No such resource.")
        return None, None

    def _methods(self, path: str) -> list[str]:
        """Return the methods of a path: those of this function, and those that other functions serve."""
        from hangtag.api.kernel.document import methods_of

        return sorted({*(route.method for route in self._matching(path)), *methods_of(path)})

    def _shape(self, path: str) -> str:
        """Return a path with parameters in place of ids, for the log."""
        return next((str(route.path) for route in self._matching(path)), "unknown")

    def _matching(self, path: str) -> list[Route]:
        return [route for route in self.all_routes() if route.rule.match(path)]

    def all_routes(self) -> list[Route]:
        """Return every route, for the OpenAPI document."""
        return [*self._static_routes, *self._dynamic_routes]

    def _failure(self, error: Exception, method: str, path: str, request_id: str | None) -> dict[str, Any]:
        failure = _as_hangtag_error(error)
        headers = {"allow": ", ".join(self._methods(path))} if isinstance(failure, MethodNotAllowedError) else None
        if type(failure) is HangtagError:
            logger.exception("api.request_failed", extra={"method": method, "route": self._shape(path)})
        return problem(failure, headers, request_id=request_id)


def _not_allowed(methods: Sequence[str]) -> MethodNotAllowedError:
    return MethodNotAllowedError(f"This path supports {', '.join(methods)}.", params={"allow": list(methods)})


def _check_parameters(query: Mapping[str, Any], route: Route) -> None:
    """Raise BadInputError for query parameters that the route does not define."""
    defined = {str(field.alias) for field in route.dependant.query_params}
    unknown = sorted(set(query) - defined)
    if unknown:
        sentence = "Unknown query parameter. Remove it or correct its name."
        fields = tuple(FieldError(name[:_MAX_NAME], FieldErrorCode.UNKNOWN_FIELD, sentence) for name in unknown)
        raise BadInputError(
            "The request has unknown query parameters.",
            fields,
            code=ErrorCode.UNKNOWN_PARAMETER,
            params={"allowed": sorted(defined)},
        )


def _reraise(error: Exception) -> Any:
    raise error


def _as_hangtag_error(error: Exception) -> HangtagError:
    """Map any error to one of Hangtag's; a plain HangtagError, a 500, for an error that the caller did not cause."""
    if isinstance(error, HangtagError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return BadInputError("The request is not valid.", validation_fields(list(error.errors())))
    if isinstance(error, NoRouteError):
        return NotFoundError("Unknown path. See GET /v1/openapi.json.", code=ErrorCode.ROUTE_NOT_FOUND)
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if _is_temporary(cause):
        return UnavailableError("Temporarily unavailable. Try again in a moment.")
    return HangtagError()


def _is_temporary(error: BaseException | None) -> bool:
    """Return True if AWS rejected a request temporarily or could not be reached."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _TEMPORARY
    return isinstance(error, BotoCoreError)
