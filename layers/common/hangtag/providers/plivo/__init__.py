"""Plivo: calls as legs, reported by signed callbacks and by a list of calls. Hangtag's XML answers and dials."""

from hangtag.providers.base import Account, KnownExtension, PbxClient
from hangtag.providers.voice_api import VoiceApiProvider

__all__ = ["Plivo"]


class Plivo(VoiceApiProvider):
    """Plivo's Voice API."""

    key = "plivo"
    hosts = ("plivo.com",)
    media_hosts = hosts
    # Limits of a new account (plivo.com/docs/voice/concepts/account-limits).
    rate_limits = {"": (300, 5), "calls": (2, 1)}

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the endpoints, by the user names of their SIP addresses."""
        return self.module("api").extensions(account, client)
