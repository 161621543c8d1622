"""The errors that a caller of the API may see, and the one table that gives each its HTTP status.

    HangtagError
    ├── BadInputError            what was sent can't be understood or is not allowed
    ├── UnauthorizedError        no token, or none that is valid
    ├── ForbiddenError           the token's role does not reach this far
    ├── NotFoundError            nothing there, for this tenant
    ├── MethodNotAllowedError    the address exists, the method there does not
    ├── ConflictError            it would break a rule that holds between things (a number has one contact)
    │   └── NoPhoneError         nothing here can ring the employee's phone; the number is to be dialled by hand
    ├── TooLargeError            the body is over the limit
    ├── UnsupportedMediaError    the body is no JSON
    ├── UnprocessableError       well formed, but contradicts what was sent before under the same key
    │   └── NotCalledError       the tenant's rules do not let this number be called by a click
    ├── TooManyError             slow down
    ├── UnreachableError         a service outside did not answer, or not as it should
    └── UnavailableError         the table or another service of AWS refuses; trying again may help

A message is written for the caller: it names fields and things, and never repeats a secret. Standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "STATUS",
    "BadInputError",
    "ConflictError",
    "FieldError",
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


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `field` is its path, such as `phones.0`."""

    field: str
    reason: str


class HangtagError(Exception):
    """Base of all. `fields` says which fields are to blame, if any are; `tel` is a link to dial instead."""

    tel: str | None = None

    def __init__(self, message: str = "", fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class BadInputError(HangtagError):
    """What was sent can't be understood or is not allowed."""


class UnauthorizedError(HangtagError):
    """No token, or none that is valid: unknown, expired, of an erased tenant."""


class ForbiddenError(HangtagError):
    """The token is valid, its role does not reach this far."""


class NotFoundError(HangtagError):
    """Nothing there for this tenant; another tenant's things are not there either."""


class MethodNotAllowedError(HangtagError):
    """The address exists, the method there does not."""


class ConflictError(HangtagError):
    """A rule between things would break, or somebody changed the same thing at the same moment."""


class NoPhoneError(ConflictError):
    """Nothing here can ring the employee's phone. `tel` is the link that calls the number from another."""

    def __init__(self, message: str, tel: str) -> None:
        super().__init__(message)
        self.tel = tel


class TooLargeError(HangtagError):
    """The body is over the limit."""


class UnsupportedMediaError(HangtagError):
    """The body is declared as something else than JSON."""


class UnprocessableError(HangtagError):
    """An Idempotency-Key came again with another request."""


class NotCalledError(UnprocessableError):
    """The tenant's rules, or common sense, do not let this number be called by a click."""

    def __init__(self, message: str, tel: str | None = None) -> None:
        super().__init__(message, (FieldError("to", message),))
        self.tel = tel


class TooManyError(HangtagError):
    """The caller should slow down."""


class UnreachableError(HangtagError):
    """A service outside, such as a PBX or a CRM, did not answer, or not as it should."""


class UnavailableError(HangtagError):
    """The table or another service of AWS refuses for now."""


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
    """HTTP status and title of an error; a subclass without its own row has its parent's."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return STATUS[HangtagError]
