"""The one logger. Structured JSON; events, bodies and whole numbers never go into it.

Lies on the webhook's path: it loads the logger of Powertools and nothing else.
"""

from aws_lambda_powertools.logging import Logger

__all__ = ["logger", "mask_number"]

# Service and level come from POWERTOOLS_SERVICE_NAME and LOG_LEVEL.
logger = Logger()

_SHOWN_HEAD = 5
_SHOWN_TAIL = 4


def mask_number(number: str) -> str:
    """A phone number fit for a log: "+74951234567" becomes "+7495***4567", a short one "***"."""
    if len(number) < _SHOWN_HEAD + _SHOWN_TAIL + 2:
        return "***"
    return f"{number[:_SHOWN_HEAD]}***{number[-_SHOWN_TAIL:]}"
