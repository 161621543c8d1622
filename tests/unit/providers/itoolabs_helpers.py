"""Helpers of the ITooLabs tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from hangtag.providers import load
from hangtag.providers.base import (
    Account,
)
from local.simulator.providers.itoolabs.api import Api
from local.simulator.rest import Server, serving

ITOOLABS = load("itoolabs")


@contextmanager
def fake_vats(path: str = "", **credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """Run a fake VATS and yield an account at it; `path` follows its address."""
    api = Api({})
    with serving(api) as server:
        typed = {**api.credentials(server.url + path), **credentials}
        yield Account(provider="kcell", credentials=typed), api, server


LEGACY = "/sys/crm_api.wcgp"
