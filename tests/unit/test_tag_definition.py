"""A tenant's own names for the fields of its tags."""

import pytest

from calls_helpers import event
from hangtag.domain.calls.classify import TagType, classify
from hangtag.domain.calls.event import Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.domain.tags import Attachment, DefinedField, DefinitionError, Setting, build_tag
from hangtag.domain.tags.definition import define, fields_of, standard

CALL = [
    ("Datum", "date"),
    ("Zeit", "time_period"),
    ("Art", "list"),
    ("Dauer", "number"),
    ("Mitarbeiter", "employee"),
    ("Kontakt", "contact"),
    ("Leitung", "string"),
    ("Nummer", "string"),
    ("Name der Leitung", "string"),
]


def fields(*names: tuple[str, str]) -> list[DefinedField]:
    return [DefinedField(name, kind) for name, kind in names]


def test_a_definition_renames_fields_or_adds_string_fields() -> None:
    own = define(TagType.CALL, fields(*CALL, ("utm_source", "string"), ("campaign", "string")))
    end = event(Kind.ENDED, 9, outcome=Outcome.SUCCESS, talk_seconds=5, data={"utm_source": "site", "Campaign": "x"})
    call = fold([event(Kind.RINGING, 0), end])
    verdict = classify(call, mapped={"101"}, external_is_employee=False)
    tag = build_tag(call, verdict, Setting(definition=own), Attachment("c1", None, False))
    assert [field.name for field in tag.fields] == [
        "Datum",
        "Zeit",
        "Art",
        "Dauer",
        "Mitarbeiter",
        "Kontakt",
        "Leitung",
        "Nummer",
        "Name der Leitung",
        "utm_source",
        "campaign",
    ]
    # By exact name: the PBX sent Campaign, which is not campaign.
    assert [field.value for field in tag.fields[9:]] == ["site", ""]


@pytest.mark.parametrize(
    ("names", "position", "reason"),
    [
        ([], 1, "The field for Date (date) is missing."),
        (CALL[:8], 9, "The field for External line name (string) is missing."),
        ([CALL[1], CALL[0], *CALL[2:]], 1, "The type must be date, not time_period."),
        ([*CALL[:3], ("Dauer", "string"), *CALL[4:]], 4, "The type must be number, not string."),
        ([*CALL, ("Extra", "number")], 10, "An additional field must be of type string, not number."),
        ([*CALL, ("Art", "string")], 10, "The name is used twice in this definition."),
        ([*CALL, (" ", "string")], 10, "The name is empty."),
        (
            [*CALL, *((f"f{number}", "string") for number in range(31))],
            40,
            "A definition can have at most 30 additional fields.",
        ),
    ],
)
def test_an_invalid_definition_names_the_position_of_its_fault(
    names: list[tuple[str, str]], position: int, reason: str
) -> None:
    with pytest.raises(DefinitionError) as error:
        define(TagType.CALL, fields(*names))
    assert (error.value.position, error.value.reason) == (position, reason)


@pytest.mark.parametrize("kind", TagType)
def test_the_standard_definition_is_a_valid_definition(kind: TagType) -> None:
    shown = fields_of(kind, standard(kind))
    assert fields_of(kind, define(kind, shown)) == shown
