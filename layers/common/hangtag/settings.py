"""The tenant's telephony rules, as the API takes and shows them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AttachSettings", "ContactSettings", "TelephonySettings"]

DEFAULT_SETTLE_SECONDS = 10
# The delay of a message in a queue ends there.
MAX_SETTLE_SECONDS = 900


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AttachSettings(_Rules):
    """Where a Call goes. Hidden ones are for administrators and the task's members only."""

    to: Literal["contact"] = "contact"
    hidden: bool = False


class ContactSettings(_Rules):
    """When the number of an unknown caller becomes a contact."""

    create_unknown: Literal["always", "answered_only", "never"] = "always"


class TelephonySettings(_Rules):
    """All of them. `settle_seconds`: how long after the end of a leg a call is looked at again."""

    settle_seconds: int = Field(default=DEFAULT_SETTLE_SECONDS, ge=1, le=MAX_SETTLE_SECONDS)
    attach: AttachSettings = AttachSettings()
    contacts: ContactSettings = ContactSettings()
