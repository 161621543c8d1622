"""Sets up integrations: lists providers, checks credentials and settings, and connects and rotates webhooks."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from hangtag import outbound, runtime
from hangtag.api.integrations.models import (
    CreatedIntegration,
    CreateIntegrationRequest,
    Provider,
    ProviderField,
    ProviderFieldType,
    RotatedWebhookEndpoint,
    RotateWebhookEndpointRequest,
    UpdateIntegrationRequest,
)
from hangtag.api.kernel.enums import Capability
from hangtag.api.kernel.models import MAX_SETTINGS_BYTES
from hangtag.api.kernel.problem import validation_fields
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.outbound import UrlError, check_host
from hangtag.providers import load
from hangtag.providers.base import Check
from hangtag.providers.catalog import ProviderInfo, catalog
from hangtag.providers.forms import ApiSettings
from hangtag.services.integrations.client import hosts, open_pbx, run_check, webhook_url
from hangtag.store.integrations import integrations
from hangtag.store.integrations.endpoint_items import Needs, NewSecrets
from hangtag.store.integrations.integrations import Integration

__all__ = ["change", "connect", "credentials_of", "info_of", "providers", "rotate"]

# A request has 30 seconds in total.
SETUP_SECONDS = 15.0
# Names of abilities that have another name in the API.


def providers() -> list[Provider]:
    """Return all providers in the order of the catalog."""
    return [_provider(info) for info in catalog()]


def _provider(info: ProviderInfo) -> Provider:
    return Provider.model_validate(
        {
            "key": info.key,
            "name": info.name,
            "credentials": _fields(info.credentials),
            "settings": _fields(info.settings),
            "generated_secrets": [*info.made_secrets, *info.made_keys],
            "capabilities": [Capability(one) for one in load(info.key).capabilities()],
        }
    )


def _fields(model: type[BaseModel]) -> list[ProviderField]:
    """Return the fields of a provider's form."""
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


def _type(annotation: Any) -> ProviderFieldType:
    """Return the type of a form's field; an optional field has the type of its value."""
    kinds = {annotation, *get_args(annotation)}
    if bool in kinds:
        return ProviderFieldType.BOOLEAN
    return ProviderFieldType.INTEGER if int in kinds else ProviderFieldType.STRING


def info_of(provider: str) -> ProviderInfo:
    """Return the description of a provider. Raises BadInputError for an unknown key."""
    info = next((info for info in catalog() if info.key == provider), None)
    if info is None:
        keys = [info.key for info in catalog()]
        reason = f"Unknown provider. Use one of {', '.join(keys)}."
        field = FieldError("provider", FieldErrorCode.UNKNOWN_PROVIDER, reason, {"allowed": keys})
        raise BadInputError("The provider is unknown.", (field,))
    return info


def connect(tenant_id: str, who: str, request: CreateIntegrationRequest) -> CreatedIntegration:
    """Create an integration and set up the PBX if it supports that.

    Raises BadInputError for invalid credentials and settings.
    """
    info = info_of(request.provider)
    new = integrations.create_integration(
        tenant_id,
        info.key,
        request.name,
        credentials_of(info, request.credentials),
        settings_of(info, request.settings),
        _needs(info),
        runtime.settings().token_keys,
        who,
    )
    url = webhook_url(info.key, new.secrets.token)
    return CreatedIntegration.model_validate(
        {
            "id": new.integration.id,
            "provider": info.key,
            "name": request.name,
            "webhook_url": url,
            "secrets": new.secrets.shown,
            "instructions": list(info.instructions(url)),
            "setup": _setup(tenant_id, new.integration, new.secrets, url),
            "created_at": new.integration.created_at,
        }
    )


def change(tenant_id: str, integration_id: str, who: str, request: UpdateIntegrationRequest) -> Integration:
    """Change an integration. Raises NotFoundError, and BadInputError for invalid credentials and settings."""
    info = info_of(integrations.get_integration(tenant_id, integration_id).provider)
    changes = request.changes()
    entered: Mapping[str, Any] | None = changes.get("credentials")

    def merge(before: Mapping[str, str]) -> Mapping[str, str]:
        merged = {**before, **(entered or {})}
        return credentials_of(info, {name: value for name, value in merged.items() if value is not None})

    return integrations.update_integration(
        tenant_id,
        integration_id,
        who,
        _needs(info),
        name=changes.get("name"),
        settings=settings_of(info, changes["settings"]) if "settings" in changes else None,
        merge=merge if entered is not None else None,
        overlap=timedelta(hours=request.overlap_hours),
    )


def rotate(
    tenant_id: str, integration_id: str, who: str, request: RotateWebhookEndpointRequest
) -> RotatedWebhookEndpoint:
    """Replace the webhook URL, and the secrets if requested. Raises NotFoundError."""
    info = info_of(integrations.get_integration(tenant_id, integration_id).provider)
    new = integrations.rotate_integration(
        tenant_id,
        integration_id,
        who,
        timedelta(hours=request.overlap_hours),
        _needs(info),
        runtime.settings().token_keys,
        fresh=request.secrets,
    )
    url = webhook_url(info.key, new.secrets.token)
    return RotatedWebhookEndpoint.model_validate(
        {
            "id": integration_id,
            "webhook_url": url,
            "secrets": new.secrets.shown,
            "instructions": list(info.instructions(url)),
            "setup": _setup(tenant_id, new.integration, new.secrets, url),
            "previous_url_until": new.old_until,
        }
    )


def _needs(info: ProviderInfo) -> Needs:
    return Needs(
        verified_with=info.verified_with,
        made_secrets=info.made_secrets,
        made_keys=info.made_keys,
        callbacks=info.callbacks,
    )


def _setup(tenant_id: str, integration: Integration, new_secrets: NewSecrets, url: str) -> dict[str, Any] | None:
    """Send the webhook URL and secrets to the PBX and return the result; None if the PBX is set up by hand.

    A secret that stays is stored only as a hash, so it cannot be sent again; a key can.
    """
    info = info_of(integration.provider)
    if not load(info.key).supports("setup") or not new_secrets.shown.keys() >= set(info.made_secrets):
        return None
    pbx = open_pbx(tenant_id, integration, seconds=SETUP_SECONDS)
    stored = {name: pbx.account.credentials[name] for name in info.made_keys if name in pbx.account.credentials}
    check: Check = run_check(lambda: pbx.setup(url, {**stored, **new_secrets.shown}), "setup")
    return {"check": "setup", "ok": check.ok, "detail": check.detail}


def settings_of(info: ProviderInfo, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the provider's model accepts. Raises BadInputError."""
    if len(json.dumps(request)) > MAX_SETTINGS_BYTES:
        reason = f"Use at most {MAX_SETTINGS_BYTES} bytes of JSON."
        field = FieldError("settings", FieldErrorCode.TOO_LONG, reason, {"max_length": MAX_SETTINGS_BYTES})
        raise BadInputError("The settings are too long.", (field,))
    settings = _validated(info.settings, request, "settings")
    if isinstance(settings, ApiSettings) and settings.api_url is not None:
        _check_url("settings.api_url", settings.api_url, hosts(info.key))
    return settings.model_dump(mode="json", exclude_none=True)


def _check_url(field: str, url: str, allowed: tuple[str, ...]) -> None:
    """Check that the PBX's credentials can be sent to the URL. Raises BadInputError.

    `allowed` are the provider's domains; empty for a provider whose PBXs are at the tenants' own addresses.
    """
    try:
        outbound.check(url)
    except UrlError as error:
        raise BadInputError("The URL is not allowed.", (FieldError(field, error.field_code, error.sentence),)) from None
    try:
        check_host(url, allowed)
    except BadInputError as error:
        reason = "Enter a URL at one of the provider's own domains."
        raise BadInputError(
            "The URL is not allowed.", (FieldError(field, FieldErrorCode.INVALID_URL, reason),)
        ) from error


def credentials_of(info: ProviderInfo, request: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials that the provider's model accepts. Raises BadInputError, which contains no value."""
    credentials = _validated(info.credentials, request, "credentials")
    values = {name: getattr(credentials, name) for name in type(credentials).model_fields}
    texts = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
    if texts.get("pbx_url"):
        _check_url("credentials.pbx_url", texts["pbx_url"], ())
    return texts


ModelT = TypeVar("ModelT", bound=BaseModel)


def _validated(model: type[ModelT], request: Mapping[str, Any], name: str) -> ModelT:
    try:
        return model.model_validate(request)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        fields = tuple(
            FieldError(f"{name}.{field.field}", field.code, field.reason, field.params)
            for field in validation_fields([dict(one) for one in errors])
        )
        raise BadInputError(f"The provider does not accept these {name}.", fields) from None
