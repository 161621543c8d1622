"""Helpers of the sipgate tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hangtag.providers import load
from hangtag.providers.base import Account
from local.simulator.providers.sipgate import pbx as simulated
from local.simulator.providers.sipgate.api import Api
from local.simulator.rest import Server, serving

SIPGATE = load("sipgate")
HOOK = "https://hooks.example.com/hooks/sipgate/" + "T" * 40


@contextmanager
def fake_sipgate(**more: Any) -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(
                provider="sipgate",
                credentials=api.credentials(server.url),
                settings={**api.settings(server.url), **more},
                webhook_url=HOOK,
            ),
        )
