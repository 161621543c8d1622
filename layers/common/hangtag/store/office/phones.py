"""What employees and contacts have in common: numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise


@dataclass(frozen=True, slots=True)
class Phone:
    """A number on somebody's card: as it was typed, in E.164, and what to dial after the answer.

    `type` is the tenant's word for what it is, such as Mobile; masks belong to types.
    """

    raw: str
    e164: str
    extension: str | None
    type: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """As it is kept and shown."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Phone":
        """The inverse of `to_json`."""
        return cls(said["raw"], said["e164"], said["extension"], said.get("type"))


# What was typed: a number, and its type.
Typed = tuple[str, str | None]


def read_phones(typed: Iterable[Typed], country: str) -> tuple[Phone, ...]:
    """Numbers as an admin typed them; doubles are dropped.

    Raises BadInputError naming those that can't be read, by their place and not by their digits.
    """
    read: dict[tuple[str, str | None], Phone] = {}
    unreadable = []
    for place, (raw, kind) in enumerate(typed):
        number = normalise(raw, country)
        if number is None:
            unreadable.append(FieldError(f"phones.{place}", FieldErrorCode.INVALID_PHONE, "Enter a phone number."))
        else:
            phone = Phone(raw, number.e164, number.extension, kind)
            read.setdefault((phone.e164, phone.extension), phone)
    if unreadable:
        raise BadInputError("A phone number is not valid.", tuple(unreadable))
    return tuple(read.values())


def numbers(phones: Iterable[Phone]) -> frozenset[str]:
    """The numbers in E.164, each once."""
    return frozenset(phone.e164 for phone in phones)
