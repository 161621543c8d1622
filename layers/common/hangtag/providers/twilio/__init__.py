"""Twilio: calls as legs, reported by signed callbacks and by a list of calls. Clicks dial with inline TwiML."""

from hangtag.limits import Limit
from hangtag.providers.voice_api import VoiceApiProvider

__all__ = ["Twilio"]


class Twilio(VoiceApiProvider):
    """Twilio's programmable voice."""

    key = "twilio"
    hosts = ("twilio.com",)
    media_hosts = hosts
    # A new account places one call a second.
    limits = {"calls": Limit(1, 1)}
