"""Routes of the telephony settings and the tag definitions."""

from hangtag.api.calls.service import call_key
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.service import Routes
from hangtag.api.settings import service
from hangtag.api.settings.inputs import TelephonySettingsInput
from hangtag.api.settings.models import PlacementPreview, PreviewSettingsRequest, TelephonySettings
from hangtag.api.settings.tag_definitions import SetTagDefinitionsRequest, TagDefinitions, TagFieldDefinition
from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags import DefinedField
from hangtag.domain.tags.definition import fields_of
from hangtag.errors import ErrorCode, NotFoundError
from hangtag.store.db import audit
from hangtag.store.office import settings

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/settings/telephony",
    operation_id="getTelephonySettings",
    tags=["Settings"],
    summary="Get telephony settings",
    description="Return the telephony settings. Settings that were never replaced have their defaults.",
)
def get_telephony_settings() -> TelephonySettings:
    """Return the telephony settings."""
    return TelephonySettings.of(settings.load_settings(routes.tenant_id))


@routes.put(
    "/v1/settings/telephony",
    operation_id="replaceTelephonySettings",
    tags=["Settings"],
    summary="Replace telephony settings",
    description=(
        "Replace all telephony settings; omitted properties get their defaults. A change takes effect within a minute."
        " Tags that are already written do not change."
    ),
    errors=[ErrorCode.TEMPLATE_VIOLATES_RULE],
    example={"attach": {"to": "last_active_task"}, "recordings": {"mode": "copy", "retention_days": 180}},
)
def replace_telephony_settings(request: TelephonySettingsInput) -> TelephonySettings:
    """Replace the telephony settings."""
    after = request.to_settings()
    service.check(routes.tenant_id, after)
    before = settings.load_settings(routes.tenant_id).model_dump()
    settings.save_settings(routes.tenant_id, after)
    changed = [name for name, value in after.model_dump().items() if value != before[name]]
    audit.record(routes.tenant_id, routes.caller.name, "settings.changed", "telephony", changed)
    return TelephonySettings.of(after)


@routes.post(
    "/v1/settings/telephony/preview",
    operation_id="previewTelephonySettings",
    tags=["Settings"],
    summary="Preview where a call is tagged",
    description=(
        "Return the placement of a closed call's tag by the current settings, and the reason. Nothing is written."
    ),
    errors=[ErrorCode.NOT_FOUND, ErrorCode.CALL_STILL_OPEN],
    example={"call_id": "5f4dcc3b5aa765d6.5f4dcc3b5aa765d61d8327deb882cf99.0000"},
)
def preview_telephony_settings(request: PreviewSettingsRequest) -> PlacementPreview:
    """Return the placement of a call's tag by the current settings."""
    key = call_key(routes.tenant_id, request.call_id)
    if key is None:
        raise NotFoundError("No such call.")
    return PlacementPreview.model_validate(service.preview(routes.tenant_id, key))


@routes.get(
    "/v1/settings/tags",
    operation_id="getTagDefinitions",
    tags=["Settings"],
    summary="Get tag definitions",
    description="Return the names and types of the fields of both tags.",
)
def get_tag_definitions() -> TagDefinitions:
    """Return the definitions of both tags."""
    return _response(settings.load_definitions(routes.tenant_id))


@routes.put(
    "/v1/settings/tags",
    operation_id="setTagDefinitions",
    tags=["Settings"],
    summary="Set tag definitions",
    description=(
        "Rename the fields of both tags and add string fields, which are filled from the PBX's data fields of exactly"
        " that name. Order and types of the fixed fields cannot change. Tags that are already written do not change."
    ),
    errors=[ErrorCode.TAG_DEFINITION_INVALID],
    example={"missed_call": None},
)
def set_tag_definitions(request: SetTagDefinitionsRequest) -> TagDefinitions:
    """Set the definitions of both tags."""
    requested = {TagType.CALL: request.call, TagType.MISSED_CALL: request.missed_call}
    fields = {
        kind: [DefinedField(field.name, field.type.value) for field in defined]
        for kind, defined in requested.items()
        if defined is not None
    }
    definitions = service.definitions_of(fields)
    settings.save_definitions(routes.tenant_id, definitions)
    audit.record(routes.tenant_id, routes.caller.name, "settings.changed", "tags", sorted(fields))
    return _response(definitions)


def _response(definitions: settings.Definitions) -> TagDefinitions:
    def fields(kind: TagType) -> list[TagFieldDefinition]:
        return [
            TagFieldDefinition.model_validate({"name": field.name, "type": field.type})
            for field in fields_of(kind, definitions[kind])
        ]

    return TagDefinitions(call=fields(TagType.CALL), missed_call=fields(TagType.MISSED_CALL))
