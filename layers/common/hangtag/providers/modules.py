"""Wraps providers that are still modules of functions in the class `Provider`. Temporary."""

from dataclasses import asdict
from datetime import timedelta
from types import ModuleType
from typing import Any

from hangtag.providers.base import Provider

__all__ = ["MODULES", "wrapped"]

_ITOOLABS = (
    "megafon", "kcell", "moldcell", "beeline", "gravitel", "birlink", "vectortel", "transtelecom", "freedom", "sarkor",
    "viva", "domru",
)  # fmt: skip
# The module's name, and the keys of its presets. Delete an entry when the module becomes a package.
MODULES: dict[str, tuple[str, ...]] = {
    "telephony_api": (),
    "zadarma": ("novofon",),
    "mango": (),
    "binotel": (),
    "ringostat": (),
    "sipgate": (),
    "twilio": (),
    "telnyx": (),
    "vonage": (),
    "plivo": (),
    "ringcentral": (),
    "freepbx": (),
    "generic": (),
    "itoolabs": _ITOOLABS,
}
_METHODS = {
    "handshake": "handshake",
    "verify": "verify",
    "parse": "parse",
    "originate": "originate",
    "recording": "recording",
    "history": "history",
    "extensions": "extensions",
    "ping": "ping",
    "set_up": "setup",
    "look_after": "renew_subscription",
}
_ATTRIBUTES = {
    "HOSTS": "hosts",
    "MEDIA_HOSTS": "media_hosts",
    "LIMITS": "limits",
    "ORIGINATES_WITH": "originate_credentials",
}


def wrapped(module: ModuleType, key: str) -> Provider:
    """Return a provider whose methods are the module's functions."""
    body: dict[str, Any] = {"key": key, "aliases": MODULES[key]}
    for name, method in _METHODS.items():
        if hasattr(module, name):
            body[method] = staticmethod(getattr(module, name))
    for name, attribute in _ATTRIBUTES.items():
        if hasattr(module, name):
            body[attribute] = getattr(module, name)
    if hasattr(module, "RECORDING_AFTER"):
        body["recording_delay"] = timedelta(seconds=module.RECORDING_AFTER)
    if hasattr(module, "PICK_UP"):
        from hangtag.domain.calls.event import PickUp

        body["pick_up"] = PickUp(module.PICK_UP)
    if hasattr(module, "pending"):
        body["next_step"] = staticmethod(lambda request: _step(module.pending(request)))
        body["connect"] = staticmethod(
            lambda account, step, client: module.connect(account, module.Pending(**step), client)
        )
    provider: Provider = type(key.title(), (Provider,), body)()
    return provider


def _step(pending: Any) -> Any:
    return asdict(pending) if pending is not None else None
