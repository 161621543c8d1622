"""Request and response models of the tag definitions."""

from typing import Annotated

from pydantic import (
    Field,
)

from hangtag.api.kernel.enums import (
    TagFieldType,
)
from hangtag.api.kernel.models import RequestModel, ResponseModel, Text
from hangtag.domain.tags.definition import MAX_EXTRA_FIELDS

__all__ = [
    "SetTagDefinitionsRequest",
    "TagDefinitions",
    "TagFieldDefinition",
    "TagFieldDefinitionInput",
]

# More than a definition can have, so that an additional field is rejected with its position.
MAX_DEFINED = 2 * MAX_EXTRA_FIELDS

_FIELD_NAME = "The tenant's name for the field, unique in its tag."
_FIELD_TYPE = "Type of the field. Fixed fields keep their types; additional fields are strings."
_CALL = "Fields of the tag of a call, in their order."
_MISSED_CALL = "Fields of the tag of a missed call, in their order."
_FIELDS_EXAMPLE = [{"name": "Date", "type": "date"}]


class TagFieldDefinitionInput(RequestModel):
    """Field of a tag definition."""

    name: Annotated[Text, Field(description=_FIELD_NAME, examples=["Date"])]
    type: Annotated[TagFieldType, Field(description=_FIELD_TYPE, examples=["date"])]


class TagFieldDefinition(ResponseModel):
    """Field of a tag definition."""

    name: Annotated[str, Field(description=_FIELD_NAME, examples=["Date"])]
    type: Annotated[TagFieldType, Field(description=_FIELD_TYPE, examples=["date"])]


class SetTagDefinitionsRequest(RequestModel):
    """Body of `setTagDefinitions`. An omitted or null definition becomes the standard one."""

    call: Annotated[
        Annotated[list[TagFieldDefinitionInput], Field(max_length=MAX_DEFINED)] | None,
        Field(
            description=f"{_CALL} The standard definition also contains all data fields of the PBX.",
            examples=[_FIELDS_EXAMPLE],
        ),
    ] = None
    missed_call: Annotated[
        Annotated[list[TagFieldDefinitionInput], Field(max_length=MAX_DEFINED)] | None,
        Field(description=_MISSED_CALL, examples=[_FIELDS_EXAMPLE]),
    ] = None


class TagDefinitions(ResponseModel):
    """Definitions of both tags."""

    call: Annotated[list[TagFieldDefinition], Field(description=_CALL, examples=[_FIELDS_EXAMPLE])]
    missed_call: Annotated[list[TagFieldDefinition], Field(description=_MISSED_CALL, examples=[_FIELDS_EXAMPLE])]
