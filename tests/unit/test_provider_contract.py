"""The contract of a provider, over the registry: what comes in is verified and read as it must be.

A new provider is covered by being registered; what it has to bring is in `local/simulator/pbx/base.py`. What goes out
is in test_provider_outgoing.py.
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
from provider_stories import IDS, INFOS, KEYS, NOON, TOKEN, Line, assert_described, comparable, line, story_of

LINES = {key: line(key) for key in provider_keys()}
OTHERS = {key: line(key, other=True) for key in provider_keys()}
STORIES = {key: load_stories(key) for key in provider_keys()}
MODEL = STORIES[PROVIDER]
each_line = pytest.mark.parametrize("pbx", LINES.values(), ids=LINES)
each_story = pytest.mark.parametrize(
    ("pbx", "story"),
    [(LINES[key], story) for key, stories in STORIES.items() for story in stories],
    ids=[f"{key}-{story.name}" for key, stories in STORIES.items() for story in stories],
)
# The stories that every provider tells, unless its form says why it can't.
ASKED_FOR = (
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
    """Every message of the provider's stories, as it is sent at noon."""
    for story in STORIES[pbx.provider]:
        for event in story.events:
            if event.tenant == "main" and event.reply == 200:
                yield message(event, IDS, NOON, NOON)


def first(pbx: Line) -> Message:
    """One message that is verified and understood."""
    return next(messages(pbx))


def kinds(pbx: Line) -> list[Message]:
    """One message of each kind that differs in what its fields are: enough to try every byte of."""
    by_shape: dict[tuple[Any, ...], Message] = {}
    for sent in messages(pbx):
        body = sent.body or {}
        # Some put it into an envelope.
        inner = body.get("data")
        fields = {**sent.post, **body, **(inner if isinstance(inner, dict) else {})}
        names = ("event", "cmd", "type", "event_type", "CallStatus", "requestType", "Event", "RecordUrl")
        named = tuple(str(fields.get(name)) for name in names)
        by_shape.setdefault((sent.rest, sent.method, named), sent)
    return list(by_shape.values())[:12]


def verify(pbx: Line, request: Request, trust: VerificationKeys | None = None, later: float = 0) -> None:
    at = NOON + timedelta(seconds=later)
    load(pbx.provider).verify(pbx.received(request, at), trust or pbx.trust())


def with_field(request: Request, name: str, value: str | None) -> Request:
    """The request with another value of a field of its form, or of its JSON; None takes it away."""
    is_json = request.body.startswith(b"{")
    fields = json.loads(request.body) if is_json else dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    changed = {known: said for known, said in fields.items() if known != name} | (
        {name: value} if value is not None else {}
    )
    return replace(request, body=json.dumps(changed).encode() if is_json else urlencode(changed).encode())


def field_of(request: Request, name: str) -> str:
    """The value of a field of its form, or of its JSON."""
    body = request.body.decode()
    return str(json.loads(body)[name] if body.startswith("{") else dict(parse_qsl(body))[name])


def proves_nothing(pbx: Line) -> bool:
    """Whether the webhook's address is the only secret; then the list of what is not signed says so."""
    if pbx.pbx.SIGNATURE_HEADER or pbx.pbx.SECRET_FIELD:
        return False
    unsigned = INFOS[pbx.provider].unverified_fields
    assert unsigned is not None
    assert unsigned.parts.startswith("everything")
    return True


def with_proof(pbx: Line, sent: Iterable[Message]) -> Iterator[Message]:
    """Those that prove where they are from. That others prove nothing is listed."""
    if proves_nothing(pbx):
        return
    for one in sent:
        if pbx.pbx.SIGNATURE_HEADER or pbx.pbx.SECRET_FIELD.encode() in pbx.signed(one).body:
            yield one
        else:
            assert INFOS[pbx.provider].unverified_fields is not None


def is_refused(pbx: Line, request: Request, trust: VerificationKeys | None = None, later: float = 0) -> int | None:
    """The status of a refusal, None if the request is taken for genuine."""
    if not is_ours(urlsplit(request.url).path.split("/")[3], "hook", KEYS):
        return NOT_FOUND.status
    try:
        verify(pbx, request, trust, later)
    except WebhookRejectedError as refused:
        assert isinstance(refused, SignatureError | PayloadError)
        assert refused.reply.status == refused.status
        return refused.reply.status
    return None


# ------------------------------------------------------------------ genuine or not


@each_line
def test_what_the_pbx_signs_is_genuine(pbx: Line) -> None:
    for sent in messages(pbx):
        verify(pbx, pbx.signed(sent))


@each_line
def test_no_byte_of_what_is_signed_may_be_another(pbx: Line) -> None:
    tried = 0
    for sent in kinds(pbx):
        for other in pbx.pbx.tampered(pbx.signed(sent)):
            # 400 where the change breaks the form itself: it can't even be seen what was signed.
            assert is_refused(pbx, other) in (401, 400), other
            tried += 1
    assert tried >= 32 or proves_nothing(pbx)


@each_line
def test_no_character_of_the_address_may_be_another(pbx: Line) -> None:
    signed = pbx.signed(first(pbx))
    assert is_refused(pbx, signed) is None
    for token in flipped(TOKEN):
        assert is_refused(pbx, replace(signed, url=signed.url.replace(TOKEN, token))) == 404, token


@each_line
def test_a_changed_value_that_can_still_be_read_is_401(pbx: Line) -> None:
    if proves_nothing(pbx):
        return
    statuses = [is_refused(pbx, other) for other in pbx.pbx.tampered(pbx.signed(first(pbx)))]
    assert statuses.count(401) > len(statuses) / 2


@each_line
def test_a_signature_that_is_missing_empty_doubled_or_no_ascii_is_401(pbx: Line) -> None:
    header, field = pbx.pbx.SIGNATURE_HEADER, pbx.pbx.SECRET_FIELD
    if proves_nothing(pbx):
        return
    assert bool(header) != bool(field)
    good = pbx.signed(first(pbx))
    value = good.headers[header] if header else field_of(good, field)
    # API Gateway joins a header that was sent twice by a comma.
    for other in (None, "", f"{value},{value}", f"{value}, {value}", "ï¿½", value + "é", "\x01", " ", "v1", "=" * 500):
        wrong = with_header(good, header, other) if header else with_field(good, field, other)
        unsigned = getattr(pbx.pbx, "UNSIGNED_STATUS", 401) if other is None else 401
        assert is_refused(pbx, wrong) == unsigned, other


@each_line
def test_a_secret_that_is_missing_or_empty_is_401(pbx: Line) -> None:
    if proves_nothing(pbx):
        return
    if not pbx.secrets:
        pytest.fail("every provider that proves something has what its deliveries are verified with")
    good = pbx.signed(first(pbx))
    trust = pbx.trust()
    for empty in (
        VerificationKeys(),
        VerificationKeys(hashes=dict.fromkeys(trust.hashes, ()), credentials=dict.fromkeys(trust.credentials, ())),
        VerificationKeys(
            hashes=dict.fromkeys(trust.hashes, ("",)), credentials=dict.fromkeys(trust.credentials, ("",))
        ),
    ):
        assert is_refused(pbx, good, empty) == 401


@each_line
def test_what_is_signed_with_another_tenants_secret_is_401(pbx: Line) -> None:
    other = OTHERS[pbx.provider]
    for sent in with_proof(pbx, kinds(pbx)):
        assert is_refused(pbx, other.signed(sent)) == 401
        assert is_refused(pbx, pbx.signed(sent), other.trust()) == 401


@each_line
def test_both_secrets_are_good_while_one_is_rotated_and_then_the_old_one_is_not(pbx: Line) -> None:
    older, newer = OTHERS[pbx.provider], pbx
    if proves_nothing(pbx):
        return
    sent = first(pbx)
    for signed in (newer.signed(sent), older.signed(sent)):
        verify(newer, signed, newer.trust(older=older.secrets))
    assert is_refused(newer, older.signed(sent), newer.trust()) == 401


@each_line
def test_the_tricky_forgeries_of_this_pbx_are_401(pbx: Line) -> None:
    forgeries = list(pbx.pbx.forged(pbx.url, first(pbx), pbx.secrets, NOON))
    assert forgeries or proves_nothing(pbx)
    for name, forged in forgeries:
        assert is_refused(pbx, forged) == 401, name


@each_line
def test_what_is_stale_or_of_the_future_is_401_where_the_pbx_signs_its_time(pbx: Line) -> None:
    tolerance, sent = pbx.pbx.TOLERANCE_SECONDS, first(pbx)
    signed = pbx.signed(sent)
    if tolerance is None:
        # Then it is listed, and doubles are all that protects: the same delivery makes the same events.
        unsigned = INFOS[pbx.provider].unverified_fields
        assert unsigned is not None
        assert unsigned.instead
        assert pbx.accepted(signed).events == pbx.accepted(signed).events
        return
    for off in (-tolerance, tolerance):
        verify(pbx, signed, later=off)
    for off in (-tolerance - 1, tolerance + 1, 86400 * 365):
        assert is_refused(pbx, signed, later=off) == 401


@each_line
def test_what_is_not_signed_is_listed(pbx: Line) -> None:
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
            # Whoever knows the secret address may change these: that is what the list says.
            verify(pbx, replace(signed, body=urlencode({**fields, name: fields[name] + "1"}).encode()))
            changed += 1
    assert changed


@each_line
def test_the_address_that_is_signed_is_the_configured_one(pbx: Line) -> None:
    """Headers that a caller can set have no say in it."""
    good = pbx.signed(first(pbx))
    for name in ("host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url"):
        verify(pbx, with_header(good, name, "evil.example.com"))


# ------------------------------------------------------------------ understood or not


@each_line
def test_an_event_of_an_unknown_name_is_kept_and_changes_nothing(pbx: Line) -> None:
    status = pbx.pbx.UNKNOWN_STATUS
    try:
        accepted = pbx.accepted(pbx.signed(pbx.pbx.UNKNOWN))
    except WebhookRejectedError as refused:
        # A refusal is kept for the admin too.
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
def test_a_handshake_is_answered(pbx: Line) -> None:
    provider = load(pbx.provider)
    assert provider.supports("handshake") == bool(pbx.pbx.HANDSHAKES)
    for sent, body in pbx.pbx.HANDSHAKES:
        request = pbx.received(pbx.pbx.request(pbx.url, sent, pbx.secrets, NOON))
        reply = provider.handshake(request)
        assert reply is not None
        assert (reply.status, reply.body) == (200, body)
        # Never as a page: what a caller sent is given back.
        assert "html" not in reply.content_type
    assert provider.handshake(pbx.received(pbx.signed(first(pbx)))) is None


@each_line
def test_a_delivery_says_the_same_twice_and_without_its_secrets(pbx: Line) -> None:
    provider = load(pbx.provider)
    for sent in messages(pbx):
        signed = pbx.signed(sent)
        events = pbx.accepted(signed).events
        received = pbx.received(signed)
        masked = replace(received, headers=mask_headers(received.headers))
        again = provider.parse(masked, pbx.pbx.SETTINGS).events
        assert [event.digest() for event in again] == [event.digest() for event in events]


# ------------------------------------------------------------------ stories


@each_line
def test_every_story_that_is_asked_for_is_told_or_said_to_be_lacking(pbx: Line) -> None:
    names = {story.name for story in STORIES[pbx.provider]}
    lacks = INFOS[pbx.provider].missing_stories
    form = f"hangtag/providers/{pbx.provider}/form.py"
    absent = set(ASKED_FOR) - names - lacks.keys()
    assert not absent, f"events/{pbx.provider}: add these stories, or give the reason in `missing_stories` of {form}."
    assert not names & lacks.keys(), f"{form}: `missing_stories` names stories that exist in events/{pbx.provider}."
    for name, reason in lacks.items():
        assert len(reason) > 10, f"{form}: `missing_stories` must give a reason for {name} of more than 10 characters."
    assert {folder.name for folder in EVENTS.iterdir() if folder.is_dir()} - {"lambda"} == set(provider_keys())


@each_story
def test_a_story_says_what_it_is_about_and_where_its_form_comes_from(pbx: Line, story: Story) -> None:
    assert_described(story)


@each_story
def test_a_story_folds_to_the_same_call_as_the_telephony_apis_of_that_name(pbx: Line, story: Story) -> None:
    names = {model.name for model in MODEL}
    folded = pbx.folded(story.events)
    if story.name not in names:
        assert story.expect, f"{story.path}: `expect` is missing, and the telephony API has no story of that name."
        return
    model = LINES[PROVIDER].folded(story_of(MODEL, story.name).events)
    lacking = INFOS[pbx.provider].missing_fields
    assert {key: comparable(call, lacking) for key, call in folded.items()} == {
        key: comparable(call, lacking) for key, call in model.items()
    }


@each_story
def test_a_story_names_the_recording_that_its_events_do(pbx: Line, story: Story) -> None:
    for (_, call_id), call in pbx.folded(story.events).items():
        expected = next(one for one in story.expect if one.call.format(**IDS) == call_id)
        named = expected.recording.format(**IDS) if expected.recording else None
        assert (call.recording.url if call.recording else None) == named


@each_line
def test_fields_that_are_said_not_to_be_given_are_not(pbx: Line) -> None:
    """The list is no excuse: a field that is on it differs in at least one story."""
    for name in INFOS[pbx.provider].missing_fields:
        told = [
            (comparable(call)[name], comparable(model)[name])
            for story in STORIES[pbx.provider]
            if story.name in {one.name for one in MODEL}
            for call, model in zip(
                pbx.folded(story.events).values(),
                LINES[PROVIDER].folded(story_of(MODEL, story.name).events).values(),
                strict=True,
            )
        ]
        assert any(ours != theirs for ours, theirs in told), name


# ------------------------------------------------------------------ anything at all


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


def only_declared(pbx: Line, request: WebhookRequest) -> None:
    """Verify and parse raise what they say, and nothing else."""
    provider = load(pbx.provider)
    try:
        provider.verify(request, pbx.trust())
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
            # It can be kept, and told from others.
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
def test_tricky_bodies_raise_only_what_is_declared(pbx: Line, content_type: str) -> None:
    for body in TRICKY:
        only_declared(pbx, request_of(pbx, body, {"content-type": content_type}))


@each_line
@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=300), headers=HEADERS, query=st.text(max_size=40), method=st.sampled_from(["GET", "POST"])
)
def test_any_bytes_raise_only_what_is_declared(
    pbx: Line, body: bytes, headers: dict[str, str], query: str, method: str
) -> None:
    only_declared(pbx, request_of(pbx, body, headers, query, method))


@each_line
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_genuine_message_with_any_other_value_raises_only_what_is_declared(pbx: Line, data: st.DataObject) -> None:
    """The shape is right, so that the fuzzing reaches the fields."""
    sent = data.draw(st.sampled_from(list(messages(pbx))))
    if sent.body is not None:
        changed: Message = replace(sent, body=_mutated(sent.body, data))
    elif sent.post:
        name = data.draw(st.sampled_from(sorted(sent.post)))
        changed = replace(sent, post={**sent.post, name: data.draw(st.text(max_size=60).filter(_encodes))})
    else:
        changed = sent
    only_declared(pbx, pbx.received(pbx.signed(changed)))


def _encodes(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def _mutated(body: Any, data: st.DataObject) -> Any:
    """The JSON with one value, at any depth, replaced by any other."""
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
