"""Where a tag goes. Pure."""

from dataclasses import dataclass

from hangtag.calls.classify import TagType


@dataclass(frozen=True, slots=True)
class AttachRule:
    """The tenant's rule for Calls: to the contact; `hidden` shows them to admins and a task's members only."""

    to: str = "contact"
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where one tag stands."""

    contact_id: str | None
    task_id: str | None
    hidden: bool


def attach(tag_type: TagType, rule: AttachRule, contact_id: str | None) -> Attachment:
    """A Missed Call always stands on the contact, in sight; a Call follows the tenant's rule."""
    hidden = rule.hidden and tag_type is TagType.CALL
    return Attachment(contact_id=contact_id, task_id=None, hidden=hidden)
