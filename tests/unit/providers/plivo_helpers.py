"""Helpers and examples shared by the tests of Plivo."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

from hangtag.providers import load as load_provider
from hangtag.providers.base import (
    Account,
    WebhookRequest,
)
from local.simulator.providers.plivo import pbx as simulated
from local.simulator.providers.plivo.api import Api
from local.simulator.rest import Server, serving
from provider_stories import NOON

NONCE = "05429567804466091622"
plivo = load_provider("plivo")
HOOK = "https://hooks.example.com/hooks/plivo/" + "T" * 40
STARTED = {"CallUUID": "c1", "Event": "StartApp", "Direction": "inbound", "From": "79101234567", "To": "74951230001"}


def webhook_request(
    url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, method: str = "POST"
) -> WebhookRequest:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(fields) if method == "GET" else "") if part)
    return WebhookRequest(
        method=method,
        path="/hooks/plivo/***",
        query=query,
        headers={"content-type": "application/x-www-form-urlencoded", **(headers or {})},
        body=urlencode(fields).encode() if method == "POST" else b"",
        arrived_at=NOON,
        url=f"{url.partition('?')[0]}?{query}" if query else url,
    )


@contextmanager
def fake_account() -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(
                provider="plivo",
                credentials=api.credentials(server.url),
                settings=api.settings(server.url),
                webhook_url=HOOK,
            ),
        )
