"""The domain: call events, their fold into one call, and which tag the call deserves. Pure: no AWS, no HTTP."""

from hangtag.calls.classify import SkipReason, TagType, Verdict, classify
from hangtag.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.calls.fold import Call, Leg, Recording, fold

__all__ = [
    "Call",
    "CallEvent",
    "Direction",
    "Kind",
    "Leg",
    "Outcome",
    "Recording",
    "SkipReason",
    "TagType",
    "Verdict",
    "classify",
    "fold",
]
