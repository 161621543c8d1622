"""The former names of `fake_clients`. Temporary."""

from fake_clients import NoLimits, NoTokens
from fake_clients import PlainClient as PlainDoor

__all__ = ["NoLimits", "NoTokens", "PlainDoor"]
