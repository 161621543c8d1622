"""The contract of a provider, over the registry: what goes out, against a local fake of the PBX's own API.

That a fake refuses what the real PBX would is each provider's own test; here it is what becomes of every answer.
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
from hangtag.providers import CAPABILITIES, all_keys, load, provider_keys
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PlacedCall
from hangtag.services.integrations.client import hosts
from local.simulator.pbx import load as load_pbx
from local.simulator.rest import Fault, Reply, Rest, Server, serving
from local.simulator.rest import load as load_rest
from local.simulator.story import load_stories
from provider_stories import INFOS, NOON

pytestmark = pytest.mark.usefixtures("_loopback")

CLICK = Click(extension="101", number="+79101234567", reference="r-1", line="+74951230001")
HOOK = "https://hooks.example.com/hooks/x/" + "T" * 40
_KEY = "whsec_" + "a" * 43 + "="
MADE = {"planfix_token": "p" * 32, "crm_token": "c" * 32, "signing_key": _KEY, "verification_token": _KEY}
each_ability = pytest.mark.parametrize(
    ("provider", "ability"),
    [(key, ability) for key in provider_keys() for ability in load(key).capabilities()],
    ids=[f"{key}-{ability}" for key in provider_keys() for ability in load(key).capabilities()],
)


@pytest.fixture
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services may be on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


class Line:
    """An account at a fake, and a door that leads to it."""

    def __init__(self, provider: str, api: Rest, server: Server, seconds: float = 8.0) -> None:
        self.limiter = NoLimits()
        self.provider = provider
        self.account = Account(
            provider=provider,
            # As the PBX is asked: with the keys that were made for it.
            credentials={**{name: MADE[name] for name in INFOS[provider].made_keys}, **api.credentials(server.url)},
            settings=api.settings(server.url),
            country="RU",
            time_zone="Europe/Moscow",
            webhook_url=HOOK,
        )
        self.door = RateLimitedClient(
            limiter=self.limiter,
            tokens=NoTokens(),
            limits=load(provider).limits,
            hosts=hosts(provider),
            seconds=seconds,
        )

    def ask(self, ability: str) -> Any:
        """Do what the provider can."""
        function: Callable[..., Any] = getattr(load(self.provider), ability)
        account, door = self.account, self.door
        if ability == "originate":
            return function(account, CLICK, door)
        if ability == "recording":
            return function(account, reference(self.provider), door)
        if ability == "history":
            return list(function(account, NOON - timedelta(hours=2), NOON, door))
        if ability == "setup":
            return function(account, MADE, door)
        return function(account, door)


def reference(provider: str) -> str:
    """What an event of this provider names as its recording; where only its history names any, an address."""
    named = [one.recording for story in load_stories(provider) for one in story.expect if one.recording]
    return named[0].format(call="A1", call2="B2") if named else "https://pbx.example.com/records/A1.mp3"


@contextmanager
def running(provider: str, credentials: Mapping[str, str] | None = None) -> Iterator[tuple[Rest, Server]]:
    """The provider's fake; with credentials of another account, if they are given."""
    api = load_rest(provider)({**load_pbx(provider).CREDENTIALS, **(credentials or {})})
    with serving(api) as server:
        yield api, server


def outcome(line: Line, ability: str) -> Any:
    """What came of it: the result, or the error."""
    try:
        return line.ask(ability)
    except HangtagError as error:
        return error


def is_told(result: Any, *kinds: type[HangtagError]) -> bool:
    """Whether it went wrong in a way that is declared: an error of these kinds, or a finding that is not ok."""
    return isinstance(result, kinds) or (isinstance(result, Check) and not result.ok)


@each_ability
def test_what_a_provider_says_it_can_do_works_against_its_api(provider: str, ability: str) -> None:
    kinds: Mapping[str, type[Any]] = {"originate": PlacedCall, "recording": Media, "history": list, "extensions": tuple}
    with running(provider) as (api, server):
        line = Line(provider, api, server)
        result = line.ask(ability)
        assert type(result) is kinds.get(ability, Check)
        if isinstance(result, Check):
            assert result.ok, result
            assert result.what in ("pbx", "set_up", "look_after")
        if ability == "extensions":
            assert all(isinstance(one, KnownExtension) and one.extension for one in result)
        # Recordings of some PBXs are at an address that is known already.
        assert server.asked or ability == "recording"


@pytest.mark.parametrize("provider", provider_keys())
def test_what_the_fake_wants_is_what_the_form_takes(provider: str) -> None:
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
    assert bool(set(info.verified_with) | set(info.made_secrets)) == bool(signs), "what verifies its deliveries"


@each_ability
def test_a_pbx_that_asks_to_slow_down_is_left_alone_for_as_long_as_it_says(provider: str, ability: str) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Reply(429, "", {"retry-after": "17"}))] * 5
        line = Line(provider, api, server)
        result = outcome(line, ability)
        if not server.asked:
            return
        assert isinstance(result, TooManyError)
        assert len(server.asked) == 1
        assert set(line.limiter.held.values()) == {17.0}


@each_ability
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_pbx_that_fails_is_told_as_such(provider: str, ability: str, status: int) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Reply(status, "<html>oh no</html>"))] * 20
        line = Line(provider, api, server)
        result = outcome(line, ability)
        if server.asked:
            assert is_told(result, UnreachableError, BadInputError), result


@each_ability
@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"", b"[]", b"{}", b"null", b'{"status":"success"}', b"\xff\xfe", b"[" * 100_000]
)
def test_an_answer_that_is_none_breaks_nothing(provider: str, ability: str, body: bytes) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault(Reply(200, body))] * 20
        line = Line(provider, api, server)
        result = outcome(line, ability)
        # Where an empty success is all that the PBX ever says, it is one; nothing else than what is declared is raised.
        allowed = (UnreachableError, BadInputError, PlacedCall, Check, Media, list, tuple)
        assert isinstance(result, allowed), result


@each_ability
def test_a_pbx_that_does_not_answer_is_given_up_in_time(provider: str, ability: str) -> None:
    with running(provider) as (api, server):
        server.faults += [Fault()] * 20
        line = Line(provider, api, server, seconds=0.3)
        result = outcome(line, ability)
        if server.asked:
            assert is_told(result, UnreachableError), result


@each_ability
def test_other_credentials_are_refused_and_nothing_of_them_is_told(provider: str, ability: str) -> None:
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
        result = outcome(line, ability)
        if not server.asked:
            return
        assert is_told(result, BadInputError), result
        words = result.detail if isinstance(result, Check) else result.message
        assert not [value for value in others.values() if len(value) > 8 and "url" not in value and value in words]
        assert CLICK.number.strip("+") not in words


def _other(value: str) -> str:
    """Another secret of the same form: its first digit or letter is another."""
    return ("b" if value[0] == "a" else "a") + value[1:] if not value.startswith("whsec_") else value[:-2] + "b="


@each_ability
def test_a_redirect_takes_no_credentials_elsewhere(provider: str, ability: str) -> None:
    with running(provider) as (api, server), running(provider) as (_, elsewhere):
        server.faults += [Fault(Reply(302, "", {"location": f"{elsewhere.url}/x"}))] * 20
        outcome(Line(provider, api, server), ability)
        assert not [asked for asked in elsewhere.asked if _has_credentials(asked.headers)]


def _has_credentials(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in ("authorization", "x-api-key", "auth-key"))


@pytest.mark.parametrize("provider", provider_keys())
def test_credentials_go_to_the_pbxs_own_hosts_only(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTBOUND_LOOPBACK")
    known = hosts(provider)
    if not known:
        assert any("url" in name for name in INFOS[provider].credentials.model_fields)
        return
    check_host(f"https://api.{known[0]}/v1", known)
    for url in (
        f"https://{known[0]}.evil.example/",
        f"https://evil{known[0]}/",
        f"https://evil.example/?{known[0]}",
        "https://127.0.0.1/",
        "https://",
    ):
        with pytest.raises(BadInputError):
            check_host(url, known)


@pytest.mark.parametrize("provider", all_keys())
def test_abilities_and_limits_are_known_ones(provider: str) -> None:
    assert set(load(provider).capabilities()) <= set(CAPABILITIES)
    limits: Mapping[str, Limit] = load(provider).limits
    assert all(limit.count >= 1 and limit.seconds > 0 for limit in limits.values())
