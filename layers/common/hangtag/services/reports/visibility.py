"""Visibility filter for a report's viewer."""

from hangtag.domain.reports.report import Viewer
from hangtag.errors import NotFoundError
from hangtag.store.office import tasks

__all__ = ["viewer_of"]


def viewer_of(tenant_id: str, employee_id: str | None, *, is_admin: bool) -> Viewer:
    """Return the viewer of a report. Each task's participants are read once."""
    memberships: dict[str, bool] = {}

    def is_on_task(task_id: str) -> bool:
        if task_id not in memberships:
            try:
                memberships[task_id] = employee_id in tasks.get_task(tenant_id, task_id).people
            except NotFoundError:
                memberships[task_id] = False
        return memberships[task_id]

    return Viewer(is_admin, employee_id, is_on_task)
