"""Maps stored audit entries to the API: actors and targets with their names."""

from collections.abc import Sequence

from hangtag.api.audit.models import AuditEntry, AuditTarget
from hangtag.representation import Names, actor
from hangtag.store.db.audit import Change
from hangtag.store.office import names as stored_names

__all__ = ["entries"]

# The target of this action is the receipt of the erasure.
_TYPES = {"contact.erased": "erasure", "recording.played": "call"}


def entries(tenant_id: str, changes: Sequence[Change]) -> list[AuditEntry]:
    """Return a page of entries. The employees' names cost one batch read."""
    ids = {change.who.partition(":")[2] for change in changes if change.who.startswith("employee:")}
    ids |= {change.target for change in changes if _type(change) == "employee"}
    names = stored_names.load(tenant_id, stored_names.References(employees=ids))
    return [_entry(change, names) for change in changes]


def _entry(change: Change, names: Names) -> AuditEntry:
    return AuditEntry.model_validate(
        {
            "id": change.id,
            "created_at": change.at,
            "actor": actor(change.who, names),
            "action": change.action,
            "target": _target(change, names),
            "changed_fields": list(change.changed),
        }
    )


def _target(change: Change, names: Names) -> AuditTarget:
    kind = _type(change)
    # The tenant's only outside CRM has no id.
    return AuditTarget(
        type=kind,
        id=change.target if kind != "crm" else None,
        name=names.employees.get(change.target) if kind == "employee" else None,
    )


def _type(change: Change) -> str:
    return _TYPES.get(change.action, change.action.partition(".")[0])
