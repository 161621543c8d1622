"""Whose eyes a report is for."""

from hangtag.domain.reports.report import Viewer
from hangtag.errors import NotFoundError
from hangtag.store.office import tasks

__all__ = ["viewer_of"]


def viewer_of(tenant_id: str, employee_id: str | None, *, is_admin: bool) -> Viewer:
    """Who asks, as reports know them; what tasks they are on is looked up once for each."""
    known: dict[str, bool] = {}

    def is_on_task(task_id: str) -> bool:
        if task_id not in known:
            try:
                known[task_id] = employee_id in tasks.get_task(tenant_id, task_id).people
            except NotFoundError:
                known[task_id] = False
        return known[task_id]

    return Viewer(is_admin, employee_id, is_on_task)
