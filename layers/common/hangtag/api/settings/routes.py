"""The tenant's rules: where calls go, how tags are called, and a dry run."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hangtag.api.calls.service import call_key
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import RequestModel, ResponseModel, Text
from hangtag.api.kernel.service import Routes
from hangtag.api.settings import service as rules
from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags import DefinedField
from hangtag.domain.tags.definition import MAX_EXTRA_FIELDS, fields_of
from hangtag.errors import NotFoundError
from hangtag.settings import TelephonySettings
from hangtag.store.db import audit
from hangtag.store.office import settings

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

FieldType = Literal["date", "time_period", "date_time", "list", "number", "employee", "contact", "string"]
# More than any definition may have, so that it is refused with its position.
MAX_DEFINED = 2 * MAX_EXTRA_FIELDS


class TagFieldDefinition(RequestModel):
    """One field of a tag: the tenant's name for it, and its type."""

    name: Text
    type: FieldType


class TagDefinitions(RequestModel):
    """Both tags, field by field. Left out, a tag has the standard fields, and a Call all that the PBX sends."""

    call: Annotated[list[TagFieldDefinition], Field(max_length=MAX_DEFINED)] | None = None
    missed_call: Annotated[list[TagFieldDefinition], Field(max_length=MAX_DEFINED)] | None = None


class TagDefinitionsOut(ResponseModel):
    """Both tags, field by field."""

    call: list[TagFieldDefinition]
    missed_call: list[TagFieldDefinition]


class PreviewSettingsRequest(RequestModel):
    """Which call is tried."""

    call_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class PlacementPreview(ResponseModel):
    """Where the call would go, and why: `why` for programs, `reason` for people."""

    type: Literal["call", "missed_call"] | None
    skip_reason: str | None
    contact_id: str | None
    new_contact: bool
    task_id: str | None
    new_task: bool
    hidden: bool
    why: str | None
    reason: str | None


@routes.get(
    "/v1/settings/telephony",
    operation_id="getTelephonySettings",
    tags=["Settings"],
    summary="Get telephony settings",
    description="The telephony rules.",
)
def get_telephony_settings() -> TelephonySettings:
    """The telephony rules."""
    return settings.load_settings(routes.tenant_id)


@routes.put(
    "/v1/settings/telephony",
    operation_id="replaceTelephonySettings",
    tags=["Settings"],
    summary="Replace telephony settings",
    description="Replace the telephony rules; what is not sent becomes the default.",
)
def replace_telephony_settings(wanted: TelephonySettings) -> TelephonySettings:
    """Replace the telephony rules; what is not sent becomes the default."""
    rules.check(routes.tenant_id, wanted)
    before = settings.load_settings(routes.tenant_id).model_dump()
    settings.save_settings(routes.tenant_id, wanted)
    changed = [name for name, value in wanted.model_dump().items() if value != before[name]]
    audit.note(routes.tenant_id, routes.caller.name, "settings.changed", "telephony", changed)
    return wanted


@routes.post(
    "/v1/settings/telephony/preview",
    operation_id="previewTelephonySettings",
    tags=["Settings"],
    summary="Preview where a call is tagged",
    description="Where a call would go by the rules of now, and why. Nothing is written.",
)
def preview_telephony_settings(wanted: PreviewSettingsRequest) -> PlacementPreview:
    """Where a call would go by the rules of now, and why. Nothing is written."""
    key = call_key(routes.tenant_id, wanted.call_id)
    if key is None:
        raise NotFoundError("there is no such call")
    return PlacementPreview.model_validate(rules.preview(routes.tenant_id, key))


@routes.get(
    "/v1/settings/tags",
    operation_id="getTagDefinitions",
    tags=["Settings"],
    summary="Get tag definitions",
    description="How the fields of the two tags are called.",
)
def get_tag_definitions() -> TagDefinitionsOut:
    """How the fields of the two tags are called."""
    return _shown(settings.load_definitions(routes.tenant_id))


@routes.put(
    "/v1/settings/tags",
    operation_id="setTagDefinitions",
    tags=["Settings"],
    summary="Set tag definitions",
    description="Rename fields, and add string fields that are filled from the PBX's data by exact name.",
)
def set_tag_definitions(wanted: TagDefinitions) -> TagDefinitionsOut:
    """Rename fields, and add string fields that are filled from the PBX's data by exact name."""
    given = {TagType.CALL: wanted.call, TagType.MISSED_CALL: wanted.missed_call}
    fields = {
        kind: [DefinedField(field.name, field.type) for field in defined]
        for kind, defined in given.items()
        if defined is not None
    }
    definitions = rules.definitions_of(fields)
    settings.save_definitions(routes.tenant_id, definitions)
    audit.note(routes.tenant_id, routes.caller.name, "settings.changed", "tags", sorted(fields))
    return _shown(definitions)


def _shown(definitions: settings.Definitions) -> TagDefinitionsOut:
    def shapes(kind: TagType) -> list[TagFieldDefinition]:
        found = fields_of(kind, definitions[kind])
        return [TagFieldDefinition.model_validate({"name": field.name, "type": field.type}) for field in found]

    return TagDefinitionsOut(call=shapes(TagType.CALL), missed_call=shapes(TagType.MISSED_CALL))
