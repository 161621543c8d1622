"""Tags: what a call leaves on a contact or task. Pure: no AWS, no HTTP."""

from hangtag.tags.attach import Attachment, AttachRule, attach
from hangtag.tags.schema import Field, Person, Setting, Tag, build_tag

__all__ = ["AttachRule", "Attachment", "Field", "Person", "Setting", "Tag", "attach", "build_tag"]
