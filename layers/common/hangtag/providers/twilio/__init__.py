"""Twilio: calls as legs, reported by signed callbacks and by a list of calls. Clicks dial with inline TwiML."""

from hangtag.providers.voice_api import VoiceApiProvider

__all__ = ["Twilio"]


class Twilio(VoiceApiProvider):
    """Twilio's programmable voice."""

    key = "twilio"
    hosts = ("twilio.com",)
    media_hosts = hosts
    # A new account places one call a second.
    rate_limits = {"calls": (1, 1)}
