"""What a FreePBX may have beside it to take commands: the telephony API's, at one address."""

from local.simulator.providers.telephony_api.api import Api

__all__ = ["Api"]
