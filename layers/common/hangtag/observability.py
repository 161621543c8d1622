"""Structured JSON logger of all functions. Events, bodies and whole phone numbers are never logged.

On the webhook's path: loads only the logger of Powertools.
"""

from aws_lambda_powertools.logging import Logger

__all__ = ["logger", "mask_number"]

# Service and level come from POWERTOOLS_SERVICE_NAME and LOG_LEVEL.
logger = Logger()

_SHOWN_HEAD = 5
_SHOWN_TAIL = 4


def mask_number(number: str) -> str:
    """Mask a phone number for a log: "+74951234567" becomes "+7495***4567", a short number "***"."""
    if len(number) < _SHOWN_HEAD + _SHOWN_TAIL + 2:
        return "***"
    return f"{number[:_SHOWN_HEAD]}***{number[-_SHOWN_TAIL:]}"
