"""Tags: the entries that a call leaves on a contact or task. Pure: no AWS, no HTTP."""

from hangtag.domain.tags.attach import Attachment, AttachRule, TaskFacts, Why, attach
from hangtag.domain.tags.conditions import Condition, LogicError
from hangtag.domain.tags.definition import DefinedField, Definition, DefinitionError
from hangtag.domain.tags.schema import Field, Person, Setting, Tag, build_tag

__all__ = [
    "AttachRule",
    "Attachment",
    "Condition",
    "DefinedField",
    "Definition",
    "DefinitionError",
    "Field",
    "LogicError",
    "Person",
    "Setting",
    "Tag",
    "TaskFacts",
    "Why",
    "attach",
    "build_tag",
]
