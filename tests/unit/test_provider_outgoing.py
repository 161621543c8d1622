"""The contract of a provider's requests to its PBX, against the fake of the PBX's API.

Every kind of response is covered here. The provider's own tests check that the fake rejects what the PBX rejects.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from fake_clients import NoLimits, NoTokens
from hangtag.errors import BadInputError, HangtagError, TooManyError, UnreachableError
from hangtag.limits import Limit
from hangtag.outbound import RateLimitedClient, check_host
from hangtag.providers import CAPABILITIES, all_keys, load
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PlacedCall
from hangtag.services.integrations.client import hosts
from local.simulator.pbx import load as load_pbx
from local.simulator.rest import Fault, Response, Rest, Server, serving
from local.simulator.rest import load as load_rest
from local.simulator.story import load_stories
from provider_stories import INFOS, NOON, selected_keys

pytestmark = pytest.mark.usefixtures("_loopback")

CLICK = Click(extension="101", number="+79101234567", reference="r-1", line="+74951230001")
HOOK = "https://hooks.example.com/hooks/x/" + "T" * 40
_KEY = "whsec_" + "a" * 43 + "="
MADE = {"planfix_token": "p" * 32, "crm_token": "c" * 32, "signing_key": _KEY, "verification_token": _KEY}
each_capability = pytest.mark.parametrize(
    ("provider", "capability"),
    [(key, capability) for key in selected_keys() for capability in load(key).capabilities()],
    ids=[f"{key}-{capability}" for key in selected_keys() for capability in load(key).capabilities()],
)


@pytest.fixture
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow services on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


class Line:
    """An account at a fake, and a client that reaches it."""

    def __init__(self, provider: str, api: Rest, server: Server, seconds: float = 8.0) -> None:
        self.limiter = NoLimits()
        self.provider = provider
        self.account = Account(
            provider=provider,
            # Including the generated keys.
            credentials={**{name: MADE[name] for name in INFOS[provider].made_keys}, **api.credentials(server.url)},
            settings=api.settings(server.url),
            country="RU",
            time_zone="Europe/Moscow",
            webhook_url=HOOK,
        )
        self.client = RateLimitedClient(
            limiter=self.limiter,
            tokens=NoTokens(),
            limits=load(provider).limits,
            hosts=hosts(provider),
            seconds=seconds,
        )

    def ask(self, capability: str) -> Any:
        """Call the method of a capability."""
        function: Callable[..., Any] = getattr(load(self.provider), capability)
        account, client = self.account, self.client
        if capability == "originate":
            return function(account, CLICK, client)
        if capability == "recording":
            return function(account, reference(self.provider), client)
        if capability == "history":
            return list(function(account, NOON - timedelta(hours=2), NOON, client))
        if capability == "setup":
            return function(account, MADE, client)
        return function(account, client)


def reference(provider: str) -> str:
    """Return the recording in an event of this provider, or an address if only its history has recordings."""
    named = [one.recording for story in load_stories(provider) for one in story.expect if one.recording]
    return named[0].format(call="A1", call2="B2") if named else "https://pbx.example.com/records/A1.mp3"


@contextmanager
def running(provider: str, credentials: Mapping[str, str] | None = None) -> Iterator[tuple[Rest, Server]]:
    """Serve the provider's fake, optionally with another account's credentials."""
    api = load_rest(provider)({**load_pbx(provider).CREDENTIALS, **(credentials or {})})
    with serving(api) as server:
        yield api, server


def outcome(line: Line, capability: str) -> Any:
    """Return the result or the error."""
    try:
        return line.ask(capability)
    except HangtagError as error:
        return error


def is_declared_failure(result: Any, *kinds: type[HangtagError]) -> bool:
    """Return whether the result is an error of these classes, or a failed check."""
    return isinstance(result, kinds) or (isinstance(result, Check) and not result.ok)


@each_capability
def test_capability_works_against_the_fake_api(provider: str, capability: str) -> None:
    kinds: Mapping[str, type[Any]] = {"originate": PlacedCall, "recording": Media, "history": list, "extensions": tuple}
    with running(provider) as (api, server):
        line = Line(provider, api, server)
        result = line.ask(capability)
        assert type(result) is kinds.get(capability, Check)
        if isinstance(result, Check):
            assert result.ok, result
            assert result.what in ("pbx", "setup", "subscription")
        if capability == "extensions":
            assert all(isinstance(one, KnownExtension) and one.extension for one in result)
        # Some PBXs need no request for a recording, because events contain its address.
        assert server.requests or capability == "recording"


@pytest.mark.parametrize("provider", selected_keys())
def test_form_accepts_the_credentials_of_the_fake(provider: str) -> None:
    info = INFOS[provider]
    with running(provider) as (api, server):
        info.credentials.model_validate(dict(api.credentials(server.url)))
        info.settings.model_validate(dict(api.settings(server.url)))
    simulated = load_pbx(provider)
    for typed in (simulated.CREDENTIALS, simulated.OTHER_CREDENTIALS):
        info.credentials.model_validate(dict(typed))
    info.settings.model_validate(dict(simulated.SETTINGS))
    names = set(info.verified_with)
    assert names <= set(info.credentials.model_fields) | set(info.made_keys)
    signs = simulated.SIGNATURE_HEADER or simulated.SECRET_FIELD
    assert bool(set(info.verified_with) | set(info.made_secrets)) == bool(signs), (
        "a signed webhook needs verified_with or made_secrets, an unsigned one neither"
    )


@each_capability
def test_429_blocks_requests_for_the_retry_after_time(provider: str, capability: str) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Response(429, "", {"retry-after": "17"}))] * 5
        line = Line(provider, api, server)
        result = outcome(line, capability)
        if not server.requests:
            return
        assert isinstance(result, TooManyError)
        assert len(server.requests) == 1
        assert set(line.limiter.held.values()) == {17.0}


@each_capability
@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error_is_a_declared_failure(provider: str, capability: str, status: int) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Response(status, "<html>oh no</html>"))] * 20
        line = Line(provider, api, server)
        result = outcome(line, capability)
        if server.requests:
            assert is_declared_failure(result, UnreachableError, BadInputError), result


@each_capability
@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"", b"[]", b"{}", b"null", b'{"status":"success"}', b"\xff\xfe", b"[" * 100_000]
)
def test_junk_response_raises_only_declared_errors(provider: str, capability: str, body: bytes) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Response(200, body))] * 20
        line = Line(provider, api, server)
        result = outcome(line, capability)
        # For some PBXs an empty success is valid.
        allowed = (UnreachableError, BadInputError, PlacedCall, Check, Media, list, tuple)
        assert isinstance(result, allowed), result


@each_capability
def test_timeout_is_a_declared_failure_in_time(provider: str, capability: str) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault()] * 20
        line = Line(provider, api, server, seconds=0.3)
        result = outcome(line, capability)
        if server.requests:
            assert is_declared_failure(result, UnreachableError), result


@each_capability
def test_wrong_credentials_never_appear_in_the_error(provider: str, capability: str) -> None:
    with running(provider) as (api, server):
        line = Line(provider, api, server)
        others = {
            name: value if "url" in name or "id" in name.split("_") or "sid" in name else _other(value)
            for name, value in line.account.credentials.items()
        }
        line.account = Account(
            provider=provider,
            credentials=others,
            settings=line.account.settings,
            country="RU",
            webhook_url=HOOK,
        )
        result = outcome(line, capability)
        if not server.requests:
            return
        assert is_declared_failure(result, BadInputError), result
        words = result.detail if isinstance(result, Check) else result.message
        assert not [value for value in others.values() if len(value) > 8 and "url" not in value and value in words]
        assert CLICK.number.strip("+") not in words


def _other(value: str) -> str:
    """Return another secret of equal format: its first character differs."""
    return ("b" if value[0] == "a" else "a") + value[1:] if not value.startswith("whsec_") else value[:-2] + "b="


@each_capability
def test_redirect_does_not_carry_credentials(provider: str, capability: str) -> None:
    with running(provider) as (api, server), running(provider) as (_, elsewhere):
        server.faults += [Fault(Response(302, "", {"location": f"{elsewhere.url}/x"}))] * 20
        outcome(Line(provider, api, server), capability)
        assert not [request for request in elsewhere.requests if _has_credentials(request.headers)]


def _has_credentials(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in ("authorization", "x-api-key", "auth-key"))


@pytest.mark.parametrize("provider", selected_keys())
def test_credentials_are_sent_to_the_pbxs_hosts_only(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTBOUND_LOOPBACK")
    domains = hosts(provider)
    if not domains:
        entered = [name for name in INFOS[provider].credentials.model_fields if "url" in name]
        assert entered or not load(provider).capabilities(), (
            f"{provider} sends credentials to any host: set `hosts` in its class to the domains of its API, or add a "
            "credential for the address, such as pbx_url"
        )
        return
    check_host(f"https://api.{domains[0]}/v1", domains)
    for url in (
        f"https://{domains[0]}.evil.example/",
        f"https://evil{domains[0]}/",
        f"https://evil.example/?{domains[0]}",
        "https://127.0.0.1/",
        "https://",
    ):
        with pytest.raises(BadInputError):
            check_host(url, domains)


@pytest.mark.parametrize("provider", all_keys())
def test_capabilities_with_limits_are_valid(provider: str) -> None:
    assert set(load(provider).capabilities()) <= set(CAPABILITIES)
    limits: Mapping[str, Limit] = load(provider).limits
    assert all(limit.count >= 1 and limit.seconds > 0 for limit in limits.values())
