"""Checks the telephony settings and the tag definitions, and previews the placement of a call's tag."""

from collections.abc import Mapping, Sequence
from typing import Any

from hangtag.domain.calls.classify import TagType, classify
from hangtag.domain.tags import DefinedField, DefinitionError, LogicError, Why
from hangtag.domain.tags.conditions import facts_of, fits, read_logic
from hangtag.domain.tags.definition import define, standard
from hangtag.domain.tags.plan import TagFacts, choose
from hangtag.errors import (
    BadInputError,
    ConflictError,
    ErrorCode,
    FieldError,
    FieldErrorCode,
    NotFoundError,
    UnprocessableError,
)
from hangtag.services.tags.placement import with_placement
from hangtag.services.tags.snapshot import PartySnapshot, attach_rule, resolve
from hangtag.settings import DisplayFormat, TagPlacementSettings, TaskTemplate, TelephonySettings
from hangtag.store.calls import items as calls
from hangtag.store.office import employees, groups, tasks
from hangtag.store.office.settings import Definitions

__all__ = ["check", "definitions_of", "preview"]


def check(tenant_id: str, settings: TelephonySettings) -> None:
    """Raise BadInputError for invalid conditions and unknown ids, UnprocessableError for a contradictory template."""
    _check_conditions(settings.attach)
    _check_people(tenant_id, settings)
    _check_fields(settings.attach.task)
    _check_masks(settings.masks)
    _check_template(settings.attach)


def _check_conditions(rule: TagPlacementSettings) -> None:
    if rule.to == "last_task_matching" and not rule.conditions:
        reason = "Add at least one condition. Without conditions every task matches."
        field = FieldError("attach.conditions", FieldErrorCode.CONDITIONS_REQUIRED, reason)
        raise BadInputError("The placement last_task_matching needs conditions.", (field,))
    try:
        read_logic(rule.logic, len(rule.conditions))
    except LogicError as error:
        reason = f"Column {error.column}: {error.reason}"
        # The position counts from 0, the column that people read from 1.
        field = FieldError("attach.logic", FieldErrorCode.SYNTAX_ERROR, reason, {"position": error.column - 1})
        raise BadInputError("The logic line is not valid.", (field,)) from None


def _check_people(tenant_id: str, settings: TelephonySettings) -> None:
    template, notices = settings.attach.task, settings.notifications.missed_calls
    employee_ids = {
        **({"attach.task.assignee_id": template.assignee_id} if template.assignee_id else {}),
        **{f"attach.task.member_ids.{place}": one for place, one in enumerate(template.member_ids)},
        **{f"notifications.missed_calls.employee_ids.{place}": one for place, one in enumerate(notices.employee_ids)},
    }
    exists = {one: employees.exists(tenant_id, one) for one in set(employee_ids.values())}
    invalid = [
        FieldError(field, FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
        for field, employee_id in employee_ids.items()
        if not exists[employee_id]
    ]
    supervisor = settings.contacts.template.supervisor_id
    if supervisor is not None and not groups.is_supervisor(tenant_id, supervisor):
        field, reason = "contacts.template.supervisor_id", "Unknown employee or group."
        invalid.append(FieldError(field, FieldErrorCode.UNKNOWN_EMPLOYEE, reason))
    if invalid:
        raise BadInputError("The settings contain an unknown employee or group.", tuple(invalid))


def _check_fields(template: TaskTemplate) -> None:
    """Check the template's fields like those of a task."""
    invalid = tasks.check_fields(template.fields)
    if invalid:
        fields = tuple(
            FieldError(f"attach.task.{field.field}", field.code, field.reason, field.params) for field in invalid
        )
        raise BadInputError("A field of the task's template is not valid.", fields)


def _check_masks(masks: Sequence[DisplayFormat]) -> None:
    """Check that each type of number has one display format; types are compared without regard to case."""
    types = [one.type.casefold() for one in masks]
    invalid = tuple(
        FieldError(f"masks.{position}.type", FieldErrorCode.DUPLICATE_VALUE, "This type already has a display format.")
        for position, kind in enumerate(types)
        if kind in types[:position]
    )
    if invalid:
        raise BadInputError("A type of number can have one display format only.", invalid)


def _check_template(rule: TagPlacementSettings) -> None:
    """Check that a task made from the template meets the conditions, so that later calls find it."""
    creates_tasks = rule.to == "new_task" or (rule.to == "last_task_matching" and rule.if_none == "create_task")
    template, conditions = rule.task, attach_rule(rule)
    facts = facts_of(template.title, "open", template.assignee_id, template.fields)
    if creates_tasks and not fits(facts, conditions.conditions, conditions.logic):
        reason = "A task made from this template does not meet the conditions. Change the template or the conditions."
        field = FieldError("attach.task", FieldErrorCode.NOT_ALLOWED_VALUE, reason)
        raise UnprocessableError(
            "The task's template does not meet the conditions.", (field,), code=ErrorCode.TEMPLATE_VIOLATES_RULE
        )


def definitions_of(fields: Mapping[TagType, Sequence[DefinedField]]) -> Definitions:
    """Return the definitions of both tags; an omitted one is the standard definition.

    Raises UnprocessableError with the position of the invalid field, counted from 0.
    """
    return {kind: _define(kind, fields[kind]) if kind in fields else standard(kind) for kind in TagType}


def _define(kind: TagType, fields: Sequence[DefinedField]) -> Any:
    try:
        return define(kind, fields)
    except DefinitionError as error:
        # The domain counts from 1.
        field = FieldError(f"{kind}.{error.position - 1}", FieldErrorCode.NOT_ALLOWED_VALUE, error.reason)
        message = f"The definition of {kind} is not valid."
        raise UnprocessableError(message, (field,), code=ErrorCode.TAG_DEFINITION_INVALID) from None


def preview(tenant_id: str, key: calls.CallKey) -> dict[str, Any]:
    """Return the placement of a call's tag by the current settings, as JSON of `PlacementPreview`.

    Raises NotFoundError, and ConflictError for a call in progress.
    """
    item = calls.read(key)
    if item is None:
        raise NotFoundError("No such call.")
    call = item.fold()
    if not call.closed:
        raise ConflictError("The call is in progress. Try again when it has ended.", code=ErrorCode.CALL_STILL_OPEN)
    snapshot = resolve(tenant_id, item.integration_id, call, None)
    verdict = classify(call, mapped=snapshot.mapped, external_is_employee=snapshot.external_is_employee)
    if verdict.tag is None:
        return _preview(skip_reason=verdict.skip)
    facts = TagFacts(verdict=verdict, parties=snapshot, rule=attach_rule(snapshot.attach))
    attachment = choose(with_placement(item, facts))
    return _preview(
        type=verdict.tag,
        contact_id=attachment.contact_id,
        new_contact=_creates_contact(snapshot, answered=call.answered_by is not None),
        task_id=attachment.task_id,
        new_task=attachment.new_task,
        hidden=attachment.hidden,
        reason_code=attachment.why.value,
        reason=_REASONS[attachment.why],
    )


def _preview(**values: Any) -> dict[str, Any]:
    names = ("type", "skip_reason", "contact_id", "task_id", "reason_code", "reason")
    return {**dict.fromkeys(names), "new_contact": False, "new_task": False, "hidden": False, **values}


def _creates_contact(snapshot: PartySnapshot, *, answered: bool) -> bool:
    create = snapshot.unknown.create
    return snapshot.fillable and (create == "always" or (create == "answered_only" and answered))


_REASONS = {
    Why.MISSED_CALL: "Tags of missed calls are always placed on the contact.",
    Why.FROM_TASK: "The call was started from this task or assigned to it.",
    Why.CONTACT: "Calls are placed on the contact.",
    Why.NO_CONTACT: "The call has no contact, so it has no tasks either.",
    Why.LAST_ACTIVE_TASK: "This is the contact's latest open task.",
    Why.NO_ACTIVE_TASK: "The contact has no open task.",
    Why.MATCHING_TASK: "This is the contact's latest task that meets the conditions.",
    Why.NO_MATCHING_TASK: "No task of the contact meets the conditions.",
    Why.NEW_TASK: "Each call gets a new task.",
}
