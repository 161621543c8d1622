"""The contract of a provider's webhook, for every provider package: verification, parsing, call stories.

Each provider needs the simulated PBX described in `local/simulator/pbx/base.py`. `make contract PBX=acme` runs this
module and test_provider_outgoing.py, which covers requests to the PBX, for one provider.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangtag.auth import is_ours
from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load, provider_keys
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRejectedError,
    WebhookRequest,
)
from hangtag.services.webhooks.handler import NOT_FOUND
from hangtag.store.integrations.request_log import mask_headers
from local.simulator.pbx import Request
from local.simulator.pbx.base import FORM, JSON, flipped, with_header
from local.simulator.story import EVENTS, PROVIDER, Message, Story, load_stories, message
from provider_stories import (
    IDS,
    INFOS,
    KEYS,
    NOON,
    TOKEN,
    Line,
    assert_described,
    comparable,
    line,
    selected_keys,
    story_of,
)

LINES = {key: line(key) for key in selected_keys()}
OTHERS = {key: line(key, other=True) for key in selected_keys()}
STORIES = {key: load_stories(key) for key in selected_keys()}
MODEL = load_stories(PROVIDER)
MODEL_LINE = line(PROVIDER)
each_line = pytest.mark.parametrize("pbx", LINES.values(), ids=LINES)
each_story = pytest.mark.parametrize(
    ("pbx", "story"),
    [(LINES[key], story) for key, stories in STORIES.items() for story in stories],
    ids=[f"{key}-{story.name}" for key, stories in STORIES.items() for story in stories],
)
# The stories that every provider has, unless its form gives the reason for its absence.
REQUIRED_STORIES = (
    "answered_incoming",
    "missed_incoming",
    "outgoing_answered",
    "outgoing_no_answer",
    "parallel_group_answered_by_second",
    "transfer_within_call",
    "transfer_to_linked_call",
    "recording_link_late",
)


def messages(pbx: Line) -> Iterator[Message]:
    """Yield every message of the provider's stories, sent at noon."""
    for story in STORIES[pbx.provider]:
        for event in story.events:
            if event.tenant == "main" and event.reply == 200:
                yield message(event, IDS, NOON, NOON)


def first(pbx: Line) -> Message:
    """Return one message that is verified and parsed."""
    return next(messages(pbx))


def kinds(pbx: Line) -> list[Message]:
    """Return one message of each kind: few enough to change every byte."""
    by_shape: dict[tuple[Any, ...], Message] = {}
    for sent in messages(pbx):
        body = sent.body or {}
        # Some PBXs use an envelope.
        inner = body.get("data")
        fields = {**sent.post, **body, **(inner if isinstance(inner, dict) else {})}
        names = ("event", "cmd", "type", "event_type", "CallStatus", "requestType", "Event", "RecordUrl")
        named = tuple(str(fields.get(name)) for name in names)
        by_shape.setdefault((sent.rest, sent.method, named), sent)
    return list(by_shape.values())[:12]


def verify(pbx: Line, request: Request, keys: VerificationKeys | None = None, later: float = 0) -> None:
    at = NOON + timedelta(seconds=later)
    load(pbx.provider).verify(pbx.received(request, at), keys or pbx.verification_keys())


def with_field(request: Request, name: str, value: str | None) -> Request:
    """Return the request with another value of a field of its form or JSON; None removes the field."""
    is_json = request.body.startswith(b"{")
    fields = json.loads(request.body) if is_json else dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    changed = {other: text for other, text in fields.items() if other != name} | (
        {name: value} if value is not None else {}
    )
    return replace(request, body=json.dumps(changed).encode() if is_json else urlencode(changed).encode())


def field_of(request: Request, name: str) -> str:
    """Return the value of a field of the form or JSON."""
    body = request.body.decode()
    return str(json.loads(body)[name] if body.startswith("{") else dict(parse_qsl(body))[name])


def is_unauthenticated(pbx: Line) -> bool:
    """Return whether the webhook's address is the only secret; `unverified_fields` must then state it."""
    if pbx.pbx.SIGNATURE_HEADER or pbx.pbx.SECRET_FIELD:
        return False
    unsigned = INFOS[pbx.provider].unverified_fields
    assert unsigned is not None
    assert unsigned.parts.startswith("everything")
    return True


def authenticated(pbx: Line, sent: Iterable[Message]) -> Iterator[Message]:
    """Yield the messages that contain a signature or secret; `unverified_fields` must mention the others."""
    if is_unauthenticated(pbx):
        return
    for one in sent:
        if pbx.pbx.SIGNATURE_HEADER or pbx.pbx.SECRET_FIELD.encode() in pbx.signed(one).body:
            yield one
        else:
            assert INFOS[pbx.provider].unverified_fields is not None


def rejection_status(pbx: Line, request: Request, keys: VerificationKeys | None = None, later: float = 0) -> int | None:
    """Return the status of a rejection, None for an accepted request."""
    if not is_ours(urlsplit(request.url).path.split("/")[3], "hook", KEYS):
        return NOT_FOUND.status
    try:
        verify(pbx, request, keys, later)
    except WebhookRejectedError as refused:
        assert isinstance(refused, SignatureError | PayloadError)
        assert refused.reply.status == refused.status
        return refused.reply.status
    return None


# ------------------------------------------------------------------ verification


@each_line
def test_signature_of_the_pbx_is_valid(pbx: Line) -> None:
    for sent in messages(pbx):
        verify(pbx, pbx.signed(sent))


@each_line
def test_change_of_any_signed_byte_is_rejected(pbx: Line) -> None:
    tried = 0
    for sent in kinds(pbx):
        for other in pbx.pbx.tampered(pbx.signed(sent)):
            # 400 if the change breaks the body, so that the signed content cannot be located.
            assert rejection_status(pbx, other) in (401, 400), other
            tried += 1
    assert tried >= 32 or is_unauthenticated(pbx)


@each_line
def test_change_of_any_token_character_is_not_found(pbx: Line) -> None:
    signed = pbx.signed(first(pbx))
    assert rejection_status(pbx, signed) is None
    for token in flipped(TOKEN):
        assert rejection_status(pbx, replace(signed, url=signed.url.replace(TOKEN, token))) == 404, token


@each_line
def test_changed_readable_value_is_401(pbx: Line) -> None:
    if is_unauthenticated(pbx):
        return
    statuses = [rejection_status(pbx, other) for other in pbx.pbx.tampered(pbx.signed(first(pbx)))]
    assert statuses.count(401) > len(statuses) / 2


@each_line
def test_missing_or_malformed_signature_is_401(pbx: Line) -> None:
    header, field = pbx.pbx.SIGNATURE_HEADER, pbx.pbx.SECRET_FIELD
    if is_unauthenticated(pbx):
        return
    assert bool(header) != bool(field)
    good = pbx.signed(first(pbx))
    value = good.headers[header] if header else field_of(good, field)
    # API Gateway joins the values of a repeated header by a comma.
    for other in (None, "", f"{value},{value}", f"{value}, {value}", "ï¿½", value + "é", "\x01", " ", "v1", "=" * 500):
        wrong = with_header(good, header, other) if header else with_field(good, field, other)
        unsigned = getattr(pbx.pbx, "UNSIGNED_STATUS", 401) if other is None else 401
        assert rejection_status(pbx, wrong) == unsigned, other


@each_line
def test_missing_or_empty_stored_secret_is_401(pbx: Line) -> None:
    if is_unauthenticated(pbx):
        return
    if not pbx.secrets:
        pytest.fail("the form of a provider with a signature needs verified_with or made_secrets")
    good = pbx.signed(first(pbx))
    trust = pbx.verification_keys()
    for empty in (
        VerificationKeys(),
        VerificationKeys(hashes=dict.fromkeys(trust.hashes, ()), credentials=dict.fromkeys(trust.credentials, ())),
        VerificationKeys(
            hashes=dict.fromkeys(trust.hashes, ("",)), credentials=dict.fromkeys(trust.credentials, ("",))
        ),
    ):
        assert rejection_status(pbx, good, empty) == 401


@each_line
def test_signature_by_another_tenants_secret_is_401(pbx: Line) -> None:
    other = OTHERS[pbx.provider]
    for sent in authenticated(pbx, kinds(pbx)):
        assert rejection_status(pbx, other.signed(sent)) == 401
        assert rejection_status(pbx, pbx.signed(sent), other.verification_keys()) == 401


@each_line
def test_old_secret_is_valid_only_during_a_rotation(pbx: Line) -> None:
    older, newer = OTHERS[pbx.provider], pbx
    if is_unauthenticated(pbx):
        return
    sent = first(pbx)
    for signed in (newer.signed(sent), older.signed(sent)):
        verify(newer, signed, newer.verification_keys(older=older.secrets))
    assert rejection_status(newer, older.signed(sent), newer.verification_keys()) == 401


@each_line
def test_forgeries_of_this_pbx_are_401(pbx: Line) -> None:
    forgeries = list(pbx.pbx.forged(pbx.url, first(pbx), pbx.secrets, NOON))
    assert forgeries or is_unauthenticated(pbx)
    for name, forged in forgeries:
        assert rejection_status(pbx, forged) == 401, name


@each_line
def test_stale_or_future_signed_time_is_401(pbx: Line) -> None:
    tolerance, sent = pbx.pbx.TOLERANCE_SECONDS, first(pbx)
    signed = pbx.signed(sent)
    if tolerance is None:
        # `unverified_fields` must mention it; a replayed request has equal events, which are duplicates.
        unsigned = INFOS[pbx.provider].unverified_fields
        assert unsigned is not None
        assert unsigned.instead
        assert pbx.accepted(signed).events == pbx.accepted(signed).events
        return
    for off in (-tolerance, tolerance):
        verify(pbx, signed, later=off)
    for off in (-tolerance - 1, tolerance + 1, 86400 * 365):
        assert rejection_status(pbx, signed, later=off) == 401


@each_line
def test_unverified_fields_are_listed(pbx: Line) -> None:
    info = INFOS[pbx.provider]
    assert info.signature
    if not pbx.pbx.NOT_SIGNED:
        return
    assert info.unverified_fields is not None
    changed = 0
    for sent in messages(pbx):
        signed = pbx.signed(sent)
        for name in set(pbx.pbx.NOT_SIGNED) & set(sent.post):
            fields = dict(parse_qsl(signed.body.decode(), keep_blank_values=True))
            # Anyone with the secret address can change these fields.
            verify(pbx, replace(signed, body=urlencode({**fields, name: fields[name] + "1"}).encode()))
            changed += 1
    assert changed


@each_line
def test_signed_address_is_the_configured_one(pbx: Line) -> None:
    """Headers that a caller can set are ignored."""
    good = pbx.signed(first(pbx))
    for name in ("host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url"):
        verify(pbx, with_header(good, name, "evil.example.com"))


# ------------------------------------------------------------------ parsing


@each_line
def test_event_with_an_unknown_name_is_logged_without_events(pbx: Line) -> None:
    status = pbx.pbx.UNKNOWN_STATUS
    try:
        accepted = pbx.accepted(pbx.signed(pbx.pbx.UNKNOWN))
    except WebhookRejectedError as refused:
        # A rejection is logged for the admin too.
        assert refused.reply.status == status
        return
    assert (accepted.reply.status, accepted.events, accepted.unknown) == (status, (), True)


@each_line
def test_unknown_fields_are_ignored(pbx: Line) -> None:
    for sent in messages(pbx):
        more = replace(sent, post={**sent.post, "x_new": "1", "x_other": ""}) if sent.post else sent
        if sent.body is not None:
            more = replace(sent, body={**sent.body, "x_new": {"deep": [1, None, True]}})
        assert pbx.accepted(pbx.signed(more)).events == pbx.accepted(pbx.signed(sent)).events


@each_line
def test_handshake_gets_its_response(pbx: Line) -> None:
    provider = load(pbx.provider)
    assert provider.supports("handshake") == bool(pbx.pbx.HANDSHAKES)
    for sent, body in pbx.pbx.HANDSHAKES:
        request = pbx.received(pbx.pbx.request(pbx.url, sent, pbx.secrets, NOON))
        reply = provider.handshake(request)
        assert reply is not None
        assert (reply.status, reply.body) == (200, body)
        # Never HTML, because the response contains a value of the request.
        assert "html" not in reply.content_type
    assert provider.handshake(pbx.received(pbx.signed(first(pbx)))) is None


@each_line
def test_replay_with_masked_secrets_has_equal_events(pbx: Line) -> None:
    provider = load(pbx.provider)
    for sent in messages(pbx):
        signed = pbx.signed(sent)
        events = pbx.accepted(signed).events
        received = pbx.received(signed)
        masked = replace(received, headers=mask_headers(received.headers))
        again = provider.parse(masked, pbx.pbx.SETTINGS).events
        assert [event.digest() for event in again] == [event.digest() for event in events]


# ------------------------------------------------------------------ stories


@pytest.mark.parametrize(
    ("provider", "name"),
    [(key, name) for key in LINES for name in REQUIRED_STORIES],
    ids=[f"{key}-{name}" for key in LINES for name in REQUIRED_STORIES],
)
def test_required_story_exists_unless_the_pbx_cannot_report_it(provider: str, name: str) -> None:
    missing = INFOS[provider].missing_stories
    if name in missing:
        assert len(missing[name]) > 10, f"give the reason in missing_stories[{name!r}]"
        return
    content = story_of(MODEL, name).about.rstrip(".")
    assert name in {story.name for story in STORIES[provider]}, (
        f"write events/{provider}/{name}.yaml ({content}), or add {name!r} to missing_stories in "
        f"layers/common/hangtag/providers/{provider}/form.py with the reason why this PBX cannot report it"
    )


@each_line
def test_missing_stories_have_no_file(pbx: Line) -> None:
    assert not {story.name for story in STORIES[pbx.provider]} & INFOS[pbx.provider].missing_stories.keys()


def test_every_provider_has_a_folder_of_stories() -> None:
    folders = {folder.name for folder in EVENTS.iterdir() if folder.is_dir()} - {"lambda"}
    assert folders == set(provider_keys())


@each_story
def test_story_has_a_description_with_a_source(pbx: Line, story: Story) -> None:
    assert_described(story)


@each_story
def test_story_folds_to_the_call_of_the_model_story(pbx: Line, story: Story) -> None:
    names = {model.name for model in MODEL}
    folded = pbx.folded(story.events)
    if story.name not in names:
        assert story.expect, f"{story.path}: `expect` is missing, and the telephony API has no story of that name."
        return
    model = MODEL_LINE.folded(story_of(MODEL, story.name).events)
    lacking = INFOS[pbx.provider].missing_fields
    assert {key: comparable(call, lacking) for key, call in folded.items()} == {
        key: comparable(call, lacking) for key, call in model.items()
    }


@each_story
def test_story_expects_the_recording_of_its_events(pbx: Line, story: Story) -> None:
    for (_, call_id), call in pbx.folded(story.events).items():
        expected = next(one for one in story.expect if one.call.format(**IDS) == call_id)
        named = expected.recording.format(**IDS) if expected.recording else None
        assert (call.recording.url if call.recording else None) == named


@each_line
def test_missing_fields_differ_in_at_least_one_story(pbx: Line) -> None:
    """A field in `missing_fields` must differ from the model in at least one story."""
    for name in INFOS[pbx.provider].missing_fields:
        pairs = [
            (comparable(call)[name], comparable(model)[name])
            for story in STORIES[pbx.provider]
            if story.name in {one.name for one in MODEL}
            for call, model in zip(
                pbx.folded(story.events).values(),
                MODEL_LINE.folded(story_of(MODEL, story.name).events).values(),
                strict=True,
            )
        ]
        assert any(ours != theirs for ours, theirs in pairs), name


# ------------------------------------------------------------------ any input


HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "host", "webhook-id", "webhook-timestamp", "telnyx-timestamp", "x-junk"]),
    st.text(max_size=40) | st.sampled_from([FORM, JSON, f"{FORM}; charset=windows-1251", "multipart/form-data"]),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
TRICKY = [
    b"",
    b"%zz",
    b"a=%ff",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 10_000,
    b'{"a":NaN}',
    b'{"a":1,"a":2}',
    b'{"data":' + b"9" * 5000 + b"}",
    b"&".join(b"a%d=1" % number for number in range(10_000)),
    b"\x00",
    "event=NOTIFY_END&pbx_call_id=\u202e".encode(),
    b'{"data":[]}',
    b'{"data":{"payload":[]}}',
    b"[]",
    b"null",
    b'"\\ud800"',
    "cmd=event&phone=тест".encode("cp1251"),
]


def check_declared_errors(pbx: Line, request: WebhookRequest) -> None:
    """Call verify and parse; fail for an undeclared error."""
    provider = load(pbx.provider)
    try:
        provider.verify(request, pbx.verification_keys())
    except (SignatureError, PayloadError) as refused:
        assert refused.reply.status in (400, 401)
    try:
        accepted = provider.parse(request, pbx.pbx.SETTINGS)
    except PayloadError as refused:
        assert refused.reply.status == 400
    else:
        assert isinstance(accepted, ParseResult)
        for event in accepted.events:
            assert isinstance(event, CallEvent)
            # The event can be stored and compared.
            assert len(event.digest()) == 16
            assert event.at.tzinfo is not None


def request_of(
    pbx: Line, body: bytes, headers: dict[str, str], query: str = "", method: str = "POST"
) -> WebhookRequest:
    name = pbx.pbx.SIGNATURE_HEADER
    return WebhookRequest(
        method=method,
        path="/hooks/x/***",
        query=query,
        headers={**headers, **({name.lower(): headers.get("x-junk", "")} if name else {})},
        body=body,
        arrived_at=NOON,
        url=pbx.url,
    )


@each_line
@pytest.mark.parametrize("content_type", [FORM, JSON, f"{FORM}; charset=windows-1251", ""])
def test_tricky_bodies_raise_only_declared_errors(pbx: Line, content_type: str) -> None:
    for body in TRICKY:
        check_declared_errors(pbx, request_of(pbx, body, {"content-type": content_type}))


@each_line
@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=300), headers=HEADERS, query=st.text(max_size=40), method=st.sampled_from(["GET", "POST"])
)
def test_any_bytes_raise_only_declared_errors(
    pbx: Line, body: bytes, headers: dict[str, str], query: str, method: str
) -> None:
    check_declared_errors(pbx, request_of(pbx, body, headers, query, method))


@each_line
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_valid_message_raises_only_declared_errors(pbx: Line, data: st.DataObject) -> None:
    """A valid structure lets the fuzzing reach the fields."""
    sent = data.draw(st.sampled_from(list(messages(pbx))))
    if sent.body is not None:
        changed: Message = replace(sent, body=_mutated(sent.body, data))
    elif sent.post:
        name = data.draw(st.sampled_from(sorted(sent.post)))
        changed = replace(sent, post={**sent.post, name: data.draw(st.text(max_size=60).filter(_encodes))})
    else:
        changed = sent
    check_declared_errors(pbx, pbx.received(pbx.signed(changed)))


def _encodes(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def _mutated(body: Any, data: st.DataObject) -> Any:
    """Return the JSON with one value, at any depth, replaced."""
    paths = list(_paths(body))
    path = data.draw(st.sampled_from(paths))
    copy = json.loads(json.dumps(body))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    value = data.draw(JSON_VALUES)
    inner[path[-1]] = json.loads(json.dumps(value, allow_nan=True).encode("utf-8", "replace"))
    return copy


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in entries:
        yield (*before, step)
        yield from _paths(inner, (*before, step))
