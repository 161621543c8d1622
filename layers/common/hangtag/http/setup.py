"""Setting up an integration: what each provider needs, and what its admin is told."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr, ValidationError

from hangtag.errors import BadInputError, FieldError
from hangtag.http.problem import validation_fields
from hangtag.http.shapes import (
    MAX_SETTINGS_BYTES,
    CredentialOut,
    IntegrationIn,
    NewIntegrationOut,
    ProviderOut,
)
from hangtag.providers.catalog import ProviderInfo, catalog
from hangtag.store import integrations

__all__ = ["connect", "providers"]


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


def connect(tenant_id: str, wanted: IntegrationIn) -> NewIntegrationOut:
    """Make an integration. Raises BadInputError naming what the provider refuses."""
    info = next((info for info in catalog() if info.key == wanted.provider), None)
    if info is None:
        known = ", ".join(info.key for info in catalog())
        raise BadInputError("there is no such provider", (FieldError("provider", f"one of {known}"),))
    if len(json.dumps(wanted.settings)) > MAX_SETTINGS_BYTES:
        raise BadInputError("the settings are too long", (FieldError("settings", f"{MAX_SETTINGS_BYTES} bytes"),))
    new = integrations.create_integration(
        tenant_id,
        info.key,
        wanted.name,
        _credentials(info, wanted.credentials),
        wanted.settings,
        info.made_secrets,
        os.environ["TOKEN_KEY"],
    )
    url = os.environ["PUBLIC_URL"].rstrip("/") + info.webhook_path.format(token=new.token)
    return NewIntegrationOut(
        id=new.integration.id,
        provider=info.key,
        name=wanted.name,
        webhook_url=url,
        secrets=dict(new.secrets),
        instructions=info.instructions(url),
        created_at=datetime.fromisoformat(new.integration.created_at),
    )


def _credentials(info: ProviderInfo, typed: Mapping[str, Any]) -> dict[str, str]:
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
