"""Phone numbers on the cards of employees and contacts."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise


@dataclass(frozen=True, slots=True)
class Phone:
    """A number on a card: as entered, in E.164, and the digits to dial after the answer.

    `type` is the tenant's word for the kind of number, such as Mobile; display formats belong to types.
    """

    raw: str
    e164: str
    extension: str | None
    type: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return the number as stored and shown."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Phone":
        """Return the number of a stored body, the inverse of `to_json`."""
        return cls(body["raw"], body["e164"], body["extension"], body.get("type"))


# A number as entered, and its type.
EnteredPhone = tuple[str, str | None]


def read_phones(entries: Iterable[EnteredPhone], country: str) -> tuple[Phone, ...]:
    """Parse entered numbers; duplicates are dropped.

    Raises BadInputError naming the invalid ones, by position and without their digits.
    """
    parsed: dict[tuple[str, str | None], Phone] = {}
    unreadable = []
    for place, (raw, kind) in enumerate(entries):
        number = normalise(raw, country)
        if number is None:
            unreadable.append(FieldError(f"phones.{place}", FieldErrorCode.INVALID_PHONE, "Enter a phone number."))
        else:
            phone = Phone(raw, number.e164, number.extension, kind)
            parsed.setdefault((phone.e164, phone.extension), phone)
    if unreadable:
        raise BadInputError("A phone number is not valid.", tuple(unreadable))
    return tuple(parsed.values())


def numbers(phones: Iterable[Phone]) -> frozenset[str]:
    """Return the distinct numbers in E.164."""
    return frozenset(phone.e164 for phone in phones)
