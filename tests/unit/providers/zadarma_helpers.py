"""Helpers of the Zadarma tests: the provider, and an account at the fake API."""

from collections.abc import Iterator
from contextlib import contextmanager

from hangtag.providers import load
from hangtag.providers.base import Account
from local.simulator.providers.zadarma import pbx
from local.simulator.providers.zadarma.api import Api
from local.simulator.rest import Server, serving

ZADARMA = load("zadarma")


@contextmanager
def fake_zadarma(**credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """Serve Zadarma's API; yield an account there. `credentials` replace the account's own."""
    api = Api(pbx.CREDENTIALS)
    with serving(api) as server:
        entered = {**api.credentials(server.url), **credentials}
        yield Account(provider="zadarma", credentials=entered, settings=api.settings(server.url)), api, server
