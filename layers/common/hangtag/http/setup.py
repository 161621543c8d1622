"""Setting up an integration: what each provider needs, and what its admin is told."""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr, ValidationError

from hangtag.errors import BadInputError, FieldError
from hangtag.http.integration_shapes import (
    CredentialOut,
    IntegrationChange,
    IntegrationIn,
    NewIntegrationOut,
    ProviderOut,
    RotatedOut,
    RotateIn,
)
from hangtag.http.problem import validation_fields
from hangtag.http.shapes import MAX_SETTINGS_BYTES
from hangtag.providers.catalog import ProviderInfo, catalog
from hangtag.store import integrations
from hangtag.store.integrations import Integration

__all__ = ["change", "connect", "credentials_of", "info_of", "providers", "rotate"]


def providers() -> list[ProviderOut]:
    """All providers, as the admin chooses among them."""
    return [_provider(info) for info in catalog()]


def _provider(info: ProviderInfo) -> ProviderOut:
    fields = info.credentials.model_fields
    return ProviderOut(
        key=info.key,
        name=info.name,
        credentials=[
            CredentialOut(
                name=name,
                required=field.is_required(),
                secret="SecretStr" in str(field.annotation),
                description=field.description or "",
            )
            for name, field in fields.items()
        ],
        secrets=list(info.made_secrets),
        capabilities=list(info.capabilities),
    )


def info_of(provider: str) -> ProviderInfo:
    """What is known of a provider. Raises BadInputError if there is no such provider."""
    info = next((info for info in catalog() if info.key == provider), None)
    if info is None:
        known = ", ".join(info.key for info in catalog())
        raise BadInputError("there is no such provider", (FieldError("provider", f"one of {known}"),))
    return info


def connect(tenant_id: str, who: str, wanted: IntegrationIn) -> NewIntegrationOut:
    """Make an integration. Raises BadInputError naming what the provider refuses."""
    info = info_of(wanted.provider)
    _check_settings(wanted.settings)
    new = integrations.create_integration(
        tenant_id,
        info.key,
        wanted.name,
        credentials_of(info, wanted.credentials),
        wanted.settings,
        info.made_secrets,
        os.environ["TOKEN_KEY"],
        who,
    )
    url = _webhook_url(info, new.token)
    return NewIntegrationOut(
        id=new.integration.id,
        provider=info.key,
        name=wanted.name,
        webhook_url=url,
        secrets=dict(new.secrets),
        instructions=info.instructions(url),
        created_at=datetime.fromisoformat(new.integration.created_at),
    )


def change(tenant_id: str, integration_id: str, who: str, wanted: IntegrationChange) -> Integration:
    """Change an integration. Raises NotFoundError, and BadInputError naming what the provider refuses."""
    sent = wanted.changes()
    if "settings" in sent:
        _check_settings(sent["settings"])
    typed: Mapping[str, Any] | None = sent.get("credentials")

    def merge(provider: str, before: Mapping[str, str]) -> Mapping[str, str]:
        merged = {**before, **(typed or {})}
        return credentials_of(info_of(provider), {name: value for name, value in merged.items() if value is not None})

    return integrations.update_integration(
        tenant_id,
        integration_id,
        who,
        name=sent.get("name"),
        settings=sent.get("settings"),
        merge=merge if typed is not None else None,
    )


def rotate(tenant_id: str, integration_id: str, who: str, wanted: RotateIn) -> RotatedOut:
    """A new webhook's address, and new secrets if they are wanted. Raises NotFoundError."""
    info = info_of(integrations.get_integration(tenant_id, integration_id).provider)
    new = integrations.rotate_integration(
        tenant_id,
        integration_id,
        who,
        timedelta(hours=wanted.overlap_hours),
        info.made_secrets if wanted.secrets else (),
        os.environ["TOKEN_KEY"],
    )
    url = _webhook_url(info, new.token)
    return RotatedOut(
        id=integration_id,
        webhook_url=url,
        secrets=dict(new.secrets),
        instructions=info.instructions(url),
        previous_until=new.old_until,
    )


def _webhook_url(info: ProviderInfo, token: str) -> str:
    return os.environ["PUBLIC_URL"].rstrip("/") + info.webhook_path.format(token=token)


def _check_settings(settings: Mapping[str, Any]) -> None:
    if len(json.dumps(settings)) > MAX_SETTINGS_BYTES:
        raise BadInputError("the settings are too long", (FieldError("settings", f"{MAX_SETTINGS_BYTES} bytes"),))


def credentials_of(info: ProviderInfo, typed: Mapping[str, Any]) -> dict[str, str]:
    """What the admin typed, checked by the provider's model. Raises BadInputError, which repeats no value."""
    try:
        read = info.credentials.model_validate(typed)
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False, include_context=False)
        fields = tuple(
            FieldError(f"credentials.{fault.field}", fault.reason)
            for fault in validation_fields([dict(one) for one in told])
        )
        raise BadInputError("the provider does not take these credentials", fields) from None
    values = {name: getattr(read, name) for name in type(read).model_fields}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
