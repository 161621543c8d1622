"""Checking the telephony rules and the tag definitions, and trying them on a call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hangtag.domain.calls.classify import TagType, classify
from hangtag.domain.tags import DefinedField, DefinitionError, LogicError, Why
from hangtag.domain.tags.conditions import facts_of, fits, read_logic
from hangtag.domain.tags.definition import define, standard
from hangtag.errors import BadInputError, ConflictError, FieldError, FieldErrorCode, NotFoundError, UnprocessableError
from hangtag.services.tags.placement import choose
from hangtag.services.tags.snapshot import PartySnapshot, attach_rule, resolve
from hangtag.settings import TagPlacementSettings, TaskTemplate, TelephonySettings
from hangtag.store.calls import items as calls
from hangtag.store.office import employees, groups, tasks
from hangtag.store.office.settings import Definitions

__all__ = ["check", "definitions_of", "preview"]


def check(tenant_id: str, wanted: TelephonySettings) -> None:
    """Raises BadInputError for what can't be understood or names nobody, UnprocessableError for what contradicts."""
    _check_logic(wanted.attach)
    _check_people(tenant_id, wanted)
    _check_fields(wanted.attach.task)
    _check_template(wanted.attach)


def _check_logic(rule: TagPlacementSettings) -> None:
    try:
        read_logic(rule.logic, len(rule.conditions))
    except LogicError as error:
        field = FieldError("attach.logic", FieldErrorCode.SYNTAX_ERROR, str(error))
        raise BadInputError("the logic line can't be understood", (field,)) from None


def _check_people(tenant_id: str, wanted: TelephonySettings) -> None:
    template, notices = wanted.attach.task, wanted.notifications.missed_calls
    named = {
        "attach.task.assignee_id": [template.assignee_id] if template.assignee_id else [],
        "attach.task.member_ids": template.member_ids,
        "notifications.missed_calls.employee_ids": notices.employee_ids,
    }
    faults = [
        FieldError(field, FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee")
        for field, ids in named.items()
        if not all(employees.exists(tenant_id, one) for one in ids)
    ]
    supervisor = wanted.contacts.template.supervisor_id
    if supervisor is not None and not groups.is_supervisor(tenant_id, supervisor):
        faults.append(
            FieldError(
                "contacts.template.supervisor_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee or group"
            )
        )
    if faults:
        raise BadInputError("the rules name somebody who is not there", tuple(faults))


def _check_fields(template: TaskTemplate) -> None:
    """The free fields of tasks that a rule makes are as those that an employee makes."""
    faults = tasks.check_fields(template.fields)
    if faults:
        named = tuple(
            FieldError(f"attach.task.{fault.field}", fault.code, fault.reason, fault.params) for fault in faults
        )
        raise BadInputError("a field of the task's template does not fit", named)


def _check_template(rule: TagPlacementSettings) -> None:
    """A task made by a rule has to be one that the rule would find."""
    makes_tasks = rule.to == "new_task" or (rule.to == "last_task_matching" and rule.if_none == "create_task")
    template, found = rule.task, attach_rule(rule)
    facts = facts_of(template.title, "open", template.assignee_id, template.fields)
    if makes_tasks and not fits(facts, found.conditions, found.logic):
        field = FieldError(
            "attach.task", FieldErrorCode.CONDITIONS_REQUIRED, "a task made from it does not meet the conditions"
        )
        raise UnprocessableError("the template does not satisfy its own rule", (field,))


def definitions_of(fields: Mapping[TagType, Sequence[DefinedField]]) -> Definitions:
    """The definitions of both tags; one that is left out becomes the standard one.

    Raises UnprocessableError naming the position that does not fit.
    """
    return {kind: _define(kind, fields[kind]) if kind in fields else standard(kind) for kind in TagType}


def _define(kind: TagType, fields: Sequence[DefinedField]) -> Any:
    try:
        return define(kind, fields)
    except DefinitionError as error:
        field = FieldError(f"{kind}.{error.position}", FieldErrorCode.NOT_ALLOWED_VALUE, error.reason)
        raise UnprocessableError(f"the definition of {kind} does not fit: {error}", (field,)) from None


def preview(tenant_id: str, key: calls.CallKey) -> dict[str, Any]:
    """Where a call would go by the rules of now, and why; nothing is written.

    Raises NotFoundError, and ConflictError for a call that goes on.
    """
    item = calls.read(key)
    if item is None:
        raise NotFoundError("there is no such call")
    call = item.fold()
    if not call.closed:
        raise ConflictError("the call goes on")
    resolution = resolve(tenant_id, item.integration_id, call, None)
    verdict = classify(call, mapped=resolution.mapped, external_is_employee=resolution.external_is_employee)
    if verdict.tag is None:
        return _answer(skip_reason=verdict.skip)
    attachment = choose(item, verdict, resolution)
    return _answer(
        type=verdict.tag,
        contact_id=attachment.contact_id,
        new_contact=_makes_contact(resolution, call.answered_by is not None),
        task_id=attachment.task_id,
        new_task=attachment.new_task,
        hidden=attachment.hidden,
        why=attachment.why,
        reason=_WORDS[attachment.why],
    )


def _answer(**known: Any) -> dict[str, Any]:
    names: Iterable[str] = ("type", "skip_reason", "contact_id", "task_id", "why", "reason")
    return {**dict.fromkeys(names), "new_contact": False, "new_task": False, "hidden": False, **known}


def _makes_contact(resolution: PartySnapshot, answered: bool) -> bool:
    create = resolution.unknown.create
    return resolution.fillable and (create == "always" or (create == "answered_only" and answered))


_WORDS = {
    Why.MISSED_CALL: "A Missed Call always stands on the contact.",
    Why.FROM_TASK: "The call was made from this task.",
    Why.CONTACT: "The rule is to attach Calls to the contact.",
    Why.NO_CONTACT: "There is no contact, so that no task of one can be looked for.",
    Why.LAST_ACTIVE_TASK: "It is the contact's open task that was created last.",
    Why.NO_ACTIVE_TASK: "The contact has no open task.",
    Why.MATCHING_TASK: "It is the contact's last task that meets the conditions.",
    Why.NO_MATCHING_TASK: "No task of the contact meets the conditions.",
    Why.NEW_TASK: "The rule is to make a task for each Call.",
}
