"""Integrations without AWS: responses of a PBX, the log of webhook requests, replay."""

import json
import socket
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_clients import NoLimits, NoTokens
from hangtag.api.integrations import diagnostics
from hangtag.auth import make_token, secret_hash
from hangtag.outbound import RateLimitedClient
from hangtag.providers import all_keys, load
from hangtag.providers.base import Account, ParseResult, WebhookRejectedError, WebhookRequest
from hangtag.services.integrations.client import Pbx
from hangtag.services.webhooks.replay import Replayed, replay
from hangtag.store.calls.events import Source
from hangtag.store.integrations.endpoints import WebhookEndpoint
from hangtag.store.integrations.request_log import EventResult, RequestLogEntry, mask, mask_headers
from http_fake import Response, serving
from telephony import receive

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = Source("tenant", "integration", "telephony_api")
FORM = {"content-type": "application/x-www-form-urlencoded"}
RINGING = b"cmd=event&type=in&event=INCOMING&phone=79101234567&ext=101&callid=c1"


class Recorder:
    """Table that accepts every event and records the digests."""

    def __init__(self) -> None:
        self.digests: list[str] = []

    def update_item(self, **arguments: Any) -> None:
        self.digests.append(arguments["ExpressionAttributeNames"]["#event"].removeprefix("e#"))


class NoTable:
    """Table that fails on any access."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"unexpected table access: {name}")


def replay_at(table: Recorder | NoTable, entry: RequestLogEntry) -> Replayed:
    """Replay a request log entry against this table."""
    with patch("hangtag.store.calls.events.dynamodb", lambda: table):
        return replay(SOURCE, {}, entry, timedelta(minutes=5))


def log_entry(body: str, *, truncated: bool = False) -> RequestLogEntry:
    """Return a request log entry as read from the table."""
    return RequestLogEntry(
        id="0" * 32,
        received_at="2026-03-01T12:00:00.000+00:00",
        status=400,
        reason="",
        log_reason="error",
        method="POST",
        path="/tel/api/***",
        query="",
        headers=FORM,
        body=body,
        truncated=truncated,
        events=(),
        address="",
    )


def replayed(entry: RequestLogEntry) -> Replayed:
    return replay_at(NoTable(), entry)


def posted(body: bytes) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/tel/api/***",
        query="",
        headers=FORM,
        body=body,
        arrived_at=NOON,
    )


# ------------------------------------------------------------------ checks at the PBX


@pytest.fixture
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow services on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


def check_of(url: str, credentials: Mapping[str, str] | None = None, seconds: float = 5.0) -> tuple[bool, str]:
    account = Account(provider="telephony_api", credentials={"pbx_url": url, **(credentials or {})})
    (check,) = diagnostics.check_pbx(
        Pbx(account, RateLimitedClient(limiter=NoLimits(), tokens=NoTokens(), seconds=seconds))
    )
    assert check.what == "pbx"
    return check.ok, check.detail


@pytest.mark.usefixtures("_loopback")
@pytest.mark.parametrize(
    ("status", "credentials", "ok", "words"),
    [
        (200, {"pbx_token": "k"}, True, "The PBX responds (HTTP 200)"),
        (400, {"pbx_token": "k"}, True, "The PBX responds (HTTP 400)"),
        (405, {"pbx_token": "k"}, True, "The PBX responds (HTTP 405)"),
        (401, {"pbx_token": "k"}, False, "rejected pbx_token (HTTP 401)"),
        (403, {"pbx_token": "k"}, False, "rejected pbx_token (HTTP 403)"),
        (401, {}, False, "requires its key (HTTP 401)"),
        (404, {"pbx_token": "k"}, False, "nothing at pbx_url (HTTP 404)"),
        (302, {"pbx_token": "k"}, False, "redirects (HTTP 302)"),
        (500, {"pbx_token": "k"}, False, "returned a server error (HTTP 500)"),
    ],
)
def test_response_of_the_pbx_is_described_in_words(
    status: int, credentials: dict[str, str], ok: bool, words: str
) -> None:
    with serving(lambda _: Response(status, headers={"location": "http://127.0.0.1:1/"})) as pbx:
        is_ok, detail = check_of(pbx.url + "/api", credentials)
    assert is_ok is ok
    assert words in detail
    (request,) = pbx.requests
    assert (request.method, request.path, request.form.get("token")) == ("POST", "/api", credentials.get("pbx_token"))
    # The command has no effect at the PBX.
    assert request.form["cmd"] == "ping"


@contextmanager
def silent() -> Iterator[int]:
    """Yield a port that accepts connections and never responds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.usefixtures("_loopback")
def test_silent_pbx_times_out() -> None:
    with silent() as port:
        assert check_of(f"http://127.0.0.1:{port}/", seconds=0.2) == (False, "The PBX did not respond in time.")


@pytest.mark.usefixtures("_loopback")
def test_closed_port_is_described_in_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ok, words = check_of(f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert not ok
    assert words.startswith("The PBX is not reachable.")


@pytest.mark.usefixtures("_loopback")
def test_plain_server_behind_https_is_described_as_tls() -> None:
    with serving(lambda _: Response(200)) as pbx:
        ok, words = check_of(pbx.url.replace("http:", "https:"))
    assert not ok
    assert "TLS" in words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://pbx.invalid/", "host name does not resolve"),
        ("https://127.0.0.1/", "private network"),
        ("https://[::1]/", "private network"),
        ("https://169.254.169.254/latest/meta-data", "private network"),
        ("http://pbx.example/", "must begin with https://"),
        ("pbx.example", "must begin with https://"),
        ("https://me:secret@pbx.example/", "no user name or password"),
        ("https://[/", "is not a valid URL"),
    ],
)
def test_unusable_url_is_described_in_words(url: str, words: str) -> None:
    ok, detail = check_of(url)
    assert not ok
    assert words in detail
    assert "secret" not in detail


def test_pbx_without_a_url_is_not_called() -> None:
    assert check_of("") == (True, "Calls are received, but click-to-call is not available, because pbx_url is empty.")


# ------------------------------------------------------------------ providers


def parsed(provider: str, body: bytes) -> ParseResult | WebhookRejectedError:
    try:
        return load(provider).parse(posted(body), {})
    except WebhookRejectedError as rejection:
        return rejection


@pytest.mark.parametrize("provider", all_keys())
def test_every_provider_parses_without_verification(provider: str) -> None:
    for body in (b"", b"\xff", b"{", b"cmd", RINGING, b"[" * 1000):
        assert isinstance(parsed(provider, body), ParseResult | WebhookRejectedError)


def test_both_secrets_are_valid_during_a_rotation() -> None:
    secrets = {"planfix_token": (secret_hash("new"), secret_hash("old"))}
    for secret, good in (("new", True), ("old", True), ("older", False), ("", False)):
        result = receive(posted(RINGING + b"&planfix_token=" + secret.encode()), secrets)
        assert isinstance(result, ParseResult) is good


# ------------------------------------------------------------------ request log


@pytest.mark.parametrize(
    ("claims", "logged"),
    [
        (b'{"jti":"c5ba8f24","api_key":"a1b2c3d"}', {"jti": "c5ba8f24"}),
        (b'{"jti":"' + b"j" * 128 + b'"}', {"jti": "j" * 128}),
        (b'{"jti":"' + b"j" * 129 + b'"}', None),
        (b'{"jti":""}', None),
        (b'{"jti":7}', None),
        (b'{"sub":"x"}', None),
        (b'["jti"]', None),
        (b"[" * 2000, None),
        (b"\xff", None),
    ],
)
def test_only_the_id_of_a_signed_token_is_logged(claims: bytes, logged: dict[str, str] | None) -> None:
    middle = urlsafe_b64encode(claims).decode().rstrip("=")
    shown = mask_headers({"authorization": f"Bearer eyJhbGciOiJIUzI1NiJ9.{middle}.c2lnbmF0dXJl"})["authorization"]
    if logged is None:
        assert shown == "***"
        return
    scheme, head, left, signature = shown.replace(" ", ".").split(".")
    assert (scheme, head, signature) == ("Bearer", "***", "***")
    assert json.loads(urlsafe_b64decode(left + "=" * (-len(left) % 4))) == logged
    # A logged header is masked again for display.
    assert mask_headers({"authorization": shown})["authorization"] == shown


def test_logged_headers_are_limited_without_secrets() -> None:
    token = make_token("hook", "k" * 32)
    shown = mask_headers(
        {
            "content-type": "text/plain",
            "authorization": "Bearer abc",
            "x-signature": "abc",
            "cookie": "a=b",
            "x-api-key": "abc",
            "webhook-id": "a" * 40,
            "x-original-url": f"/tel/api/{token}?a=1",
            "x-long": "y" * 9000,
            "x-strange": "\ud800",
        }
    )
    assert {name: value for name, value in shown.items() if name != "x-long"} == {
        "content-type": "text/plain",
        "authorization": "***",
        "x-signature": "***",
        "cookie": "***",
        "x-api-key": "***",
        "webhook-id": "a" * 40,
        "x-original-url": "/tel/api/***?a=1",
        "x-strange": "?",
    }
    assert len(shown["x-long"]) == 256
    assert len(mask_headers({f"x-{n}": "1" for n in range(100)})) == 40


@pytest.mark.parametrize(
    ("set_up_until", "watched_until", "why"),
    [(0, 0, None), (10, 0, "set_up"), (0, 10, "watched"), (10, 10, "watched"), (5, 5, None)],
)
def test_request_is_logged_while_its_url_is_new_or_watched(
    set_up_until: float, watched_until: float, why: str | None
) -> None:
    endpoint = WebhookEndpoint(
        "t", "i", "telephony_api", "RU", {}, set_up_until=set_up_until, watched_until=watched_until
    )
    assert endpoint.log_reason(5.0) == why


# ------------------------------------------------------------------ replay


def test_truncated_request_cannot_be_replayed() -> None:
    done = replayed(log_entry(RINGING.decode(), truncated=True))
    assert (done.understood, done.events) == (False, ())
    assert "The log entry is truncated" in done.reason


@pytest.mark.parametrize(
    "more",
    ["&data_author=***", "&diversion=***", "&data_%2A%2A%2A=1", "&second_callid=***", "&data_name=Anna\ufffd"],
)
def test_event_with_a_masked_part_is_not_replayed(more: str) -> None:
    ended = RINGING.decode().replace("INCOMING", "COMPLETED")
    done = replayed(log_entry(ended + more))
    assert not done.understood
    assert [(one.kind, one.extension, one.call_id, one.result) for one in done.events] == [
        ("ended", "101", None, "left_out")
    ]


def test_masked_recording_link_is_not_replayed() -> None:
    done = replayed(log_entry("cmd=record&callid=c1&record_link=https://pbx.example/1?token=***"))
    assert [one.result for one in done.events] == ["left_out"]


NAMES = st.sampled_from(
    [
        "ext",
        "diversion",
        "status",
        "duration",
        "record_link",
        "start",
        "event_id",
        "data_a",
        "data_token",
        "design",
        "x",
    ]
)
VALUES = (
    st.sampled_from(["101", "Success", "5", "https://pbx/1?token=abc", '"token":"abc', " sign=1", "***", ""])
    | st.text()
)


@given(st.dictionaries(NAMES, VALUES), st.sampled_from(["INCOMING", "ACCEPTED", "COMPLETED"]), st.booleans())
def test_replay_never_adds_other_events(more: dict[str, str], event: str, is_encoded: bool) -> None:
    form = {"cmd": "event", "type": "in", "event": event, "phone": "79101234567", "callid": "c1"} | more
    encode = urlencode if is_encoded else lambda fields: "&".join(f"{name}={value}" for name, value in fields.items())
    body = (encode(form) + "&planfix_token=abc").encode("utf-8", "replace")
    original = receive(posted(body), {"planfix_token": (secret_hash("abc"),)})
    if isinstance(original, WebhookRejectedError):
        return
    text, truncated = mask(body)
    entry = replace(
        log_entry(text, truncated=truncated),
        received_at=NOON.isoformat(timespec="milliseconds"),
        events=tuple(
            EventResult(str(one.kind), one.extension, "id", "stored", one.digest()) for one in original.events
        ),
    )
    table = Recorder()
    replay_at(table, entry)
    assert set(table.digests) <= {one.digest() for one in original.events}


def test_encoded_request_without_secrets_replays_identically() -> None:
    body = urlencode(
        {"cmd": "event", "type": "in", "event": "COMPLETED", "phone": "7", "callid": "ü 1", "status": "Busy"}
    )
    original = receive(posted(body.encode() + b"&planfix_token=abc"), {"planfix_token": (secret_hash("abc"),)})
    assert isinstance(original, ParseResult)
    table = Recorder()
    entry = replace(log_entry(body + "&planfix_token=***"), received_at=NOON.isoformat(timespec="milliseconds"))
    done = replay_at(table, entry)
    assert done.understood
    assert table.digests == [one.digest() for one in original.events]


def test_replay_of_an_unknown_command_is_described_in_words() -> None:
    assert replayed(log_entry("cmd=dance")) == Replayed(False, "Field cmd is not one of event, record, contact, ping.")


@pytest.mark.parametrize("command", ["cmd=contact&phone=79101234567", "cmd=ping"])
def test_caller_lookup_is_replayed_without_a_response(command: str) -> None:
    assert replayed(log_entry(command)) == Replayed(True, "Parsed. The request contains no call event.")
