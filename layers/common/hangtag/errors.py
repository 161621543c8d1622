"""Errors shown to callers of the API, and the table that maps each class to its HTTP status.

    HangtagError
    ├── BadInputError            the request cannot be understood or is not allowed
    ├── UnauthorizedError        missing or invalid token
    ├── ForbiddenError           the token's role does not allow the operation
    ├── NotFoundError            the tenant has no such resource
    ├── MethodNotAllowedError    the path exists and does not support the method
    ├── ConflictError            a rule between resources would break (an extension has one employee)
    │   └── NoPhoneError         Hangtag cannot ring the employee's phone; the number has to be dialled by hand
    ├── TooLargeError            the body is over the limit
    ├── UnsupportedMediaError    the body is not JSON
    ├── UnprocessableError       well formed, but contradicts the request sent under the same key
    │   └── NotCalledError       the tenant's rules do not allow click-to-call to this number
    ├── TooManyError             rate limit
    ├── UnreachableError         an outside service did not respond, or not as expected
    └── UnavailableError         the table or another AWS service is unavailable; a retry may succeed

Every error has an `ErrorCode`, every entry of `fields` a `FieldErrorCode`: codes are stable, messages are not. A
message is written for the caller: it names fields and resources, and never repeats a secret. Standard library only.
"""

# ruff: noqa: S105 (the codes about tokens are not passwords)
import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "CODE_STATUS",
    "NO_PARAMS",
    "STATUS",
    "BadInputError",
    "ConflictError",
    "ErrorCode",
    "FieldError",
    "FieldErrorCode",
    "ForbiddenError",
    "HangtagError",
    "MethodNotAllowedError",
    "NoPhoneError",
    "NotCalledError",
    "NotFoundError",
    "TooLargeError",
    "TooManyError",
    "UnauthorizedError",
    "UnavailableError",
    "UnprocessableError",
    "UnreachableError",
    "UnsupportedMediaError",
    "status_of",
]

NO_PARAMS: Mapping[str, object] = MappingProxyType({})


class ErrorCode(StrEnum):
    """Stable reason of an error response."""

    INVALID_JSON = "invalid_json"
    INVALID_BODY = "invalid_body"
    INVALID_ENCODING = "invalid_encoding"
    BODY_TOO_DEEP = "body_too_deep"
    DUPLICATE_FIELD = "duplicate_field"
    VALIDATION_FAILED = "validation_failed"
    UNKNOWN_PARAMETER = "unknown_parameter"
    RANGE_INVALID = "range_invalid"
    CURSOR_INVALID = "cursor_invalid"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    AUTHENTICATION_REQUIRED = "authentication_required"
    TOKEN_INVALID = "token_invalid"
    TOKEN_EXPIRED = "token_expired"
    SIGN_IN_AGAIN = "sign_in_again"
    ROLE_NOT_ALLOWED = "role_not_allowed"
    EMPLOYEE_TOKEN_REQUIRED = "employee_token_required"
    CROSS_SITE_REQUEST = "cross_site_request"
    WRONG_ORIGIN = "wrong_origin"
    NO_EMPLOYEE = "no_employee"
    NOT_FOUND = "not_found"
    ROUTE_NOT_FOUND = "route_not_found"
    RECORDING_EXPIRED = "recording_expired"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    EXTENSION_TAKEN = "extension_taken"
    PHONE_TAKEN = "phone_taken"
    NUMBER_LIMIT_REACHED = "number_limit_reached"
    OWN_LINE_NUMBER = "own_line_number"
    LAST_OWNER = "last_owner"
    ALREADY_CLAIMED = "already_claimed"
    RESOURCE_IN_USE = "resource_in_use"
    OPERATION_RUNNING = "operation_running"
    CALL_STILL_OPEN = "call_still_open"
    ALREADY_ARCHIVED = "already_archived"
    NOT_ARCHIVED = "not_archived"
    NO_EXTENSION = "no_extension"
    PHONE_BUSY = "phone_busy"
    ORIGINATE_UNSUPPORTED = "originate_unsupported"
    HISTORY_UNSUPPORTED = "history_unsupported"
    EXTENSIONS_UNSUPPORTED = "extensions_unsupported"
    CONTACT_REQUIRED = "contact_required"
    RECORDING_PENDING = "recording_pending"
    EDIT_CONFLICT = "edit_conflict"
    BODY_TOO_LARGE = "body_too_large"
    CREDENTIALS_TOO_LARGE = "credentials_too_large"
    MEDIA_TYPE_UNSUPPORTED = "media_type_unsupported"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    EMERGENCY_NUMBER = "emergency_number"
    PREMIUM_NUMBER = "premium_number"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    TEMPLATE_VIOLATES_RULE = "template_violates_rule"
    TAG_DEFINITION_INVALID = "tag_definition_invalid"
    IF_MATCH_REQUIRED = "if_match_required"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    PBX_UNREACHABLE = "pbx_unreachable"
    PBX_REJECTED = "pbx_rejected"
    PBX_INVALID_RESPONSE = "pbx_invalid_response"
    CRM_UNREACHABLE = "crm_unreachable"
    ISSUER_UNREACHABLE = "issuer_unreachable"
    UNAVAILABLE = "unavailable"


class FieldErrorCode(StrEnum):
    """Stable reason of one entry of `errors[]`."""

    REQUIRED = "required"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_TYPE = "invalid_type"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    NOT_ALLOWED_VALUE = "not_allowed_value"
    INVALID_FORMAT = "invalid_format"
    INVALID_PHONE = "invalid_phone"
    INVALID_EMAIL = "invalid_email"
    INVALID_URL = "invalid_url"
    HTTPS_REQUIRED = "https_required"
    PRIVATE_ADDRESS = "private_address"
    INVALID_TIME = "invalid_time"
    INVALID_TIME_ZONE = "invalid_time_zone"
    INVALID_COUNTRY = "invalid_country"
    HOURS_ORDER = "hours_order"
    UNKNOWN_EMPLOYEE = "unknown_employee"
    UNKNOWN_GROUP = "unknown_group"
    UNKNOWN_CONTACT = "unknown_contact"
    UNKNOWN_TASK = "unknown_task"
    UNKNOWN_LINE = "unknown_line"
    UNKNOWN_INTEGRATION = "unknown_integration"
    UNKNOWN_PROVIDER = "unknown_provider"
    SELF_REFERENCE = "self_reference"
    DUPLICATE_VALUE = "duplicate_value"
    OWN_LINE_NUMBER = "own_line_number"
    SYNTAX_ERROR = "syntax_error"
    CONDITIONS_REQUIRED = "conditions_required"


CODE_STATUS: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.INVALID_JSON: 400,
        ErrorCode.INVALID_BODY: 400,
        ErrorCode.INVALID_ENCODING: 400,
        ErrorCode.BODY_TOO_DEEP: 400,
        ErrorCode.DUPLICATE_FIELD: 400,
        ErrorCode.VALIDATION_FAILED: 400,
        ErrorCode.UNKNOWN_PARAMETER: 400,
        ErrorCode.RANGE_INVALID: 400,
        ErrorCode.CURSOR_INVALID: 400,
        ErrorCode.IDEMPOTENCY_KEY_INVALID: 400,
        ErrorCode.AUTHENTICATION_REQUIRED: 401,
        ErrorCode.TOKEN_INVALID: 401,
        ErrorCode.TOKEN_EXPIRED: 401,
        ErrorCode.SIGN_IN_AGAIN: 401,
        ErrorCode.ROLE_NOT_ALLOWED: 403,
        ErrorCode.EMPLOYEE_TOKEN_REQUIRED: 403,
        ErrorCode.CROSS_SITE_REQUEST: 403,
        ErrorCode.WRONG_ORIGIN: 403,
        ErrorCode.NO_EMPLOYEE: 403,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.ROUTE_NOT_FOUND: 404,
        ErrorCode.RECORDING_EXPIRED: 404,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.EXTENSION_TAKEN: 409,
        ErrorCode.PHONE_TAKEN: 409,
        ErrorCode.NUMBER_LIMIT_REACHED: 409,
        ErrorCode.OWN_LINE_NUMBER: 409,
        ErrorCode.LAST_OWNER: 409,
        ErrorCode.ALREADY_CLAIMED: 409,
        ErrorCode.RESOURCE_IN_USE: 409,
        ErrorCode.OPERATION_RUNNING: 409,
        ErrorCode.CALL_STILL_OPEN: 409,
        ErrorCode.ALREADY_ARCHIVED: 409,
        ErrorCode.NOT_ARCHIVED: 409,
        ErrorCode.NO_EXTENSION: 409,
        ErrorCode.PHONE_BUSY: 409,
        ErrorCode.ORIGINATE_UNSUPPORTED: 409,
        ErrorCode.HISTORY_UNSUPPORTED: 409,
        ErrorCode.EXTENSIONS_UNSUPPORTED: 409,
        ErrorCode.CONTACT_REQUIRED: 409,
        ErrorCode.RECORDING_PENDING: 409,
        ErrorCode.EDIT_CONFLICT: 412,
        ErrorCode.BODY_TOO_LARGE: 413,
        ErrorCode.CREDENTIALS_TOO_LARGE: 413,
        ErrorCode.MEDIA_TYPE_UNSUPPORTED: 415,
        ErrorCode.IDEMPOTENCY_KEY_REUSED: 422,
        ErrorCode.EMERGENCY_NUMBER: 422,
        ErrorCode.PREMIUM_NUMBER: 422,
        ErrorCode.COUNTRY_NOT_ALLOWED: 422,
        ErrorCode.TEMPLATE_VIOLATES_RULE: 422,
        ErrorCode.TAG_DEFINITION_INVALID: 422,
        ErrorCode.IF_MATCH_REQUIRED: 428,
        ErrorCode.RATE_LIMITED: 429,
        ErrorCode.INTERNAL_ERROR: 500,
        ErrorCode.PBX_UNREACHABLE: 502,
        ErrorCode.PBX_REJECTED: 502,
        ErrorCode.PBX_INVALID_RESPONSE: 502,
        ErrorCode.CRM_UNREACHABLE: 502,
        ErrorCode.ISSUER_UNREACHABLE: 502,
        ErrorCode.UNAVAILABLE: 503,
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field. `field` is its path, such as `phones.0`; positions count from 0."""

    field: str
    code: FieldErrorCode
    reason: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


class HangtagError(Exception):
    """Base of all errors.

    `fields` lists the invalid fields, `params` the values behind the code (for translations), `tel` is a link that
    dials the number from another phone.
    """

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    tel: str | None = None

    def __init__(
        self,
        message: str = "",
        fields: tuple[FieldError, ...] = (),
        *,
        code: ErrorCode | None = None,
        params: Mapping[str, object] = NO_PARAMS,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        self.params = params
        if code is not None:
            self.code = code


class BadInputError(HangtagError):
    """The request cannot be understood or is not allowed."""

    code = ErrorCode.VALIDATION_FAILED


class UnauthorizedError(HangtagError):
    """Missing or invalid token: unknown, expired, or of an erased tenant."""

    code = ErrorCode.TOKEN_INVALID


class ForbiddenError(HangtagError):
    """The token is valid; its role does not allow the operation."""

    code = ErrorCode.ROLE_NOT_ALLOWED


class NotFoundError(HangtagError):
    """The tenant has no such resource; resources of other tenants are not found either."""

    code = ErrorCode.NOT_FOUND


class MethodNotAllowedError(HangtagError):
    """The path exists and does not support the method."""

    code = ErrorCode.METHOD_NOT_ALLOWED


class ConflictError(HangtagError):
    """A rule between resources would break, or another request changed the same resource at the same time."""

    code = ErrorCode.OPERATION_RUNNING


class NoPhoneError(ConflictError):
    """Hangtag cannot ring the employee's phone. `tel` is the link that dials the number from another phone."""

    code = ErrorCode.NO_EXTENSION

    def __init__(self, message: str, tel: str, *, code: ErrorCode | None = None) -> None:
        super().__init__(message, code=code)
        self.tel = tel


class TooLargeError(HangtagError):
    """The body is over the limit."""

    code = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaError(HangtagError):
    """The body's media type is not JSON."""

    code = ErrorCode.MEDIA_TYPE_UNSUPPORTED


class UnprocessableError(HangtagError):
    """The Idempotency-Key was used for another request, or settings contradict themselves."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


class NotCalledError(UnprocessableError):
    """The tenant's rules do not allow click-to-call to this number."""

    code = ErrorCode.COUNTRY_NOT_ALLOWED

    def __init__(self, message: str, tel: str | None = None, *, code: ErrorCode | None = None) -> None:
        super().__init__(message, (FieldError("to", FieldErrorCode.NOT_ALLOWED_VALUE, message),), code=code)
        self.tel = tel


class TooManyError(HangtagError):
    """Rate limit; the caller should slow down."""

    code = ErrorCode.RATE_LIMITED


class UnreachableError(HangtagError):
    """An outside service, such as a PBX or a CRM, did not respond, or not as expected."""

    code = ErrorCode.PBX_UNREACHABLE


class UnavailableError(HangtagError):
    """The table or another AWS service is unavailable."""

    code = ErrorCode.UNAVAILABLE


STATUS: Mapping[type[HangtagError], tuple[int, str]] = MappingProxyType(
    {
        HangtagError: (500, "Internal Server Error"),
        BadInputError: (400, "Bad Request"),
        UnauthorizedError: (401, "Unauthorized"),
        ForbiddenError: (403, "Forbidden"),
        NotFoundError: (404, "Not Found"),
        MethodNotAllowedError: (405, "Method Not Allowed"),
        ConflictError: (409, "Conflict"),
        NoPhoneError: (409, "Conflict"),
        TooLargeError: (413, "Content Too Large"),
        UnsupportedMediaError: (415, "Unsupported Media Type"),
        UnprocessableError: (422, "Unprocessable Content"),
        NotCalledError: (422, "Unprocessable Content"),
        TooManyError: (429, "Too Many Requests"),
        UnreachableError: (502, "Bad Gateway"),
        UnavailableError: (503, "Service Unavailable"),
    }
)


def status_of(error: HangtagError) -> tuple[int, str]:
    """Return the HTTP status and title of an error; a subclass without its own row has its parent's."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return STATUS[HangtagError]
