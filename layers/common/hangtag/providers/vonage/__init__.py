"""Vonage's Voice API: calls as legs, reported by signed webhooks and by a list of calls. Clicks dial with an NCCO."""

from hangtag.providers.voice_api import VoiceApiProvider

__all__ = ["Vonage"]


class Vonage(VoiceApiProvider):
    """Vonage's Voice API. Its recordings are in no list."""

    key = "vonage"
    hosts = ("nexmo.com", "vonage.com")
    media_hosts = hosts
    # A new account places three calls a second.
    rate_limits = {"calls": (3, 1)}
    originate_credentials = ("application_id", "private_key")
