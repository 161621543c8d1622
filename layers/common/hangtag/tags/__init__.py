"""Tags: what a call leaves on a contact or task. Pure: no AWS, no HTTP."""

from hangtag.tags.attach import Attachment, AttachRule, TaskFacts, Why, attach
from hangtag.tags.conditions import Condition, LogicError
from hangtag.tags.definition import DefinedField, Definition, DefinitionError
from hangtag.tags.schema import Field, Person, Setting, Tag, build_tag

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
