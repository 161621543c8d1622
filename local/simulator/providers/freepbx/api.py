"""REST API of a FreePBX add-on that accepts commands: the telephony API at one address."""

from local.simulator.providers.telephony_api.api import Api

__all__ = ["Api"]
