"""Setting up an integration: what each provider needs, and what its admin is told."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from hangtag import outbound, runtime
from hangtag.api.integrations.models import (
    CreatedIntegration,
    CreateIntegrationRequest,
    DiagnosticCheck,
    ProviderField,
    ProviderOut,
    RotatedWebhookEndpoint,
    RotateWebhookEndpointRequest,
    UpdateIntegrationRequest,
)
from hangtag.api.kernel.models import MAX_SETTINGS_BYTES
from hangtag.api.kernel.problem import validation_fields
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.outbound import check_host
from hangtag.providers import capabilities
from hangtag.providers.catalog import ProviderInfo, catalog
from hangtag.providers.forms.base import ApiSettings
from hangtag.services.integrations.client import hosts, open_pbx, said, webhook_url
from hangtag.store.integrations import integrations
from hangtag.store.integrations.endpoint_items import Made, Needs
from hangtag.store.integrations.integrations import Integration

__all__ = ["change", "connect", "credentials_of", "info_of", "providers", "rotate"]

# A request may take 30 seconds in all.
SET_UP_SECONDS = 15.0


def providers() -> list[ProviderOut]:
    """All providers, as the admin chooses among them."""
    return [_provider(info) for info in catalog()]


def _provider(info: ProviderInfo) -> ProviderOut:
    return ProviderOut(
        key=info.key,
        name=info.name,
        credentials=_fields(info.credentials),
        settings=_fields(info.settings),
        secrets=[*info.made_secrets, *info.made_keys],
        capabilities=["events", *capabilities(info.key)],
    )


def _fields(model: type[BaseModel]) -> list[ProviderField]:
    """What a model takes, so that a form can be drawn from it."""
    return [
        ProviderField(
            name=name,
            required=field.is_required(),
            secret="SecretStr" in str(field.annotation),
            type=_type(field.annotation),
            description=field.description or "",
        )
        for name, field in model.model_fields.items()
    ]


def _type(annotation: Any) -> Literal["string", "boolean", "integer"]:
    """What a field is to a form; an optional one is what it is when it is there."""
    kinds = {annotation, *get_args(annotation)}
    if bool in kinds:
        return "boolean"
    return "integer" if int in kinds else "string"


def info_of(provider: str) -> ProviderInfo:
    """What is known of a provider. Raises BadInputError if there is no such provider."""
    info = next((info for info in catalog() if info.key == provider), None)
    if info is None:
        known = ", ".join(info.key for info in catalog())
        raise BadInputError(
            "there is no such provider", (FieldError("provider", FieldErrorCode.UNKNOWN_PROVIDER, f"one of {known}"),)
        )
    return info


def connect(tenant_id: str, who: str, wanted: CreateIntegrationRequest) -> CreatedIntegration:
    """Make an integration. Raises BadInputError naming what the provider refuses."""
    info = info_of(wanted.provider)
    new = integrations.create_integration(
        tenant_id,
        info.key,
        wanted.name,
        credentials_of(info, wanted.credentials),
        settings_of(info, wanted.settings),
        _needs(info),
        runtime.settings().token_keys,
        who,
    )
    url = webhook_url(info.key, new.made.token)
    return CreatedIntegration(
        id=new.integration.id,
        provider=info.key,
        name=wanted.name,
        webhook_url=url,
        secrets=new.made.shown,
        instructions=list(info.instructions(url)),
        set_up=_set_up(tenant_id, new.integration, new.made, url),
        created_at=datetime.fromisoformat(new.integration.created_at),
    )


def change(tenant_id: str, integration_id: str, who: str, wanted: UpdateIntegrationRequest) -> Integration:
    """Change an integration. Raises NotFoundError, and BadInputError naming what the provider refuses."""
    info = info_of(integrations.get_integration(tenant_id, integration_id).provider)
    sent = wanted.changes()
    typed: Mapping[str, Any] | None = sent.get("credentials")

    def merge(before: Mapping[str, str]) -> Mapping[str, str]:
        merged = {**before, **(typed or {})}
        return credentials_of(info, {name: value for name, value in merged.items() if value is not None})

    return integrations.update_integration(
        tenant_id,
        integration_id,
        who,
        _needs(info),
        name=sent.get("name"),
        settings=settings_of(info, sent["settings"]) if "settings" in sent else None,
        merge=merge if typed is not None else None,
        overlap=timedelta(hours=wanted.overlap_hours),
    )


def rotate(
    tenant_id: str, integration_id: str, who: str, wanted: RotateWebhookEndpointRequest
) -> RotatedWebhookEndpoint:
    """A new webhook's address, and new secrets if they are wanted. Raises NotFoundError."""
    info = info_of(integrations.get_integration(tenant_id, integration_id).provider)
    new = integrations.rotate_integration(
        tenant_id,
        integration_id,
        who,
        timedelta(hours=wanted.overlap_hours),
        _needs(info),
        runtime.settings().token_keys,
        fresh=wanted.secrets,
    )
    url = webhook_url(info.key, new.made.token)
    return RotatedWebhookEndpoint(
        id=integration_id,
        webhook_url=url,
        secrets=new.made.shown,
        instructions=list(info.instructions(url)),
        set_up=_set_up(tenant_id, new.integration, new.made, url),
        previous_until=new.old_until,
    )


def _needs(info: ProviderInfo) -> Needs:
    return Needs(
        verified_with=info.verified_with,
        made_secrets=info.made_secrets,
        made_keys=info.made_keys,
        callbacks=info.callbacks,
    )


def _set_up(tenant_id: str, integration: Integration, made: Made, url: str) -> DiagnosticCheck | None:
    """What the PBX said when it was told its webhook's address; None if it can't be told that.

    A secret that stayed, and is kept as a hash only, can't be told again; a key can.
    """
    info = info_of(integration.provider)
    if "set_up" not in capabilities(info.key) or not made.shown.keys() >= set(info.made_secrets):
        return None
    pbx = open_pbx(tenant_id, integration, seconds=SET_UP_SECONDS)
    kept = {name: pbx.account.credentials[name] for name in info.made_keys if name in pbx.account.credentials}
    finding = said(lambda: pbx.set_up(url, {**kept, **made.shown}), "set_up")
    return DiagnosticCheck.model_validate(finding, from_attributes=True)


def settings_of(info: ProviderInfo, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What the admin set, checked by the provider's model. Raises BadInputError."""
    if len(json.dumps(typed)) > MAX_SETTINGS_BYTES:
        raise BadInputError(
            "the settings are too long",
            (FieldError("settings", FieldErrorCode.TOO_LONG, f"{MAX_SETTINGS_BYTES} bytes"),),
        )
    read = _checked(info.settings, typed, "settings")
    if isinstance(read, ApiSettings) and read.api_url is not None:
        _check_api_url(info, read.api_url)
    return read.model_dump(mode="json", exclude_none=True)


def _check_api_url(info: ProviderInfo, url: str) -> None:
    """Whether the PBX's credentials may be sent there. Raises BadInputError."""
    try:
        outbound.check(url)
        check_host(url, hosts(info.key))
    except BadInputError as error:
        raise BadInputError(
            error.message, (FieldError("settings.api_url", FieldErrorCode.INVALID_URL, error.message),)
        ) from None


def credentials_of(info: ProviderInfo, typed: Mapping[str, Any]) -> dict[str, str]:
    """What the admin typed, checked by the provider's model. Raises BadInputError, which repeats no value."""
    read = _checked(info.credentials, typed, "credentials")
    values = {name: getattr(read, name) for name in type(read).model_fields}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }


ModelT = TypeVar("ModelT", bound=BaseModel)


def _checked(model: type[ModelT], typed: Mapping[str, Any], what: str) -> ModelT:
    try:
        return model.model_validate(typed)
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False, include_context=False)
        fields = tuple(
            FieldError(f"{what}.{fault.field}", fault.code, fault.reason, fault.params)
            for fault in validation_fields([dict(one) for one in told])
        )
        raise BadInputError(f"the provider does not take these {what}", fields) from None
