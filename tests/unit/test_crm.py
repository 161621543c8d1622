"""Messages to an external CRM, and the verdicts on its responses."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from hangtag import outbound
from hangtag.crm import config
from hangtag.crm.webhook import Verdict, outcome_of, retry_after, sign
from hangtag.errors import BadInputError
from hangtag.outbound import HttpResponse
from hangtag.services.crm.outbox_worker import backoff
from hangtag.services.tags.notifications import recipients
from hangtag.settings import MissedCallNotificationSettings
from hangtag.store.crm import breaker, outbox
from http_fake import Response, serving

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BODY = '{"type":"tag.written","data":{"name":"Иван 🙂"}}'.encode()
ID = "0123456789abcdef0123456789abcdef"


# ------------------------------------------------------------------ signing


def test_standard_webhooks_library_accepts_the_signature() -> None:
    secret = config.make_secret()
    headers = sign([secret], ID, datetime.now(UTC), BODY)
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def test_old_and_new_secret_verify_during_a_rotation() -> None:
    old, new, strange = config.make_secret(), config.make_secret(), config.make_secret()
    headers = sign([new, old], ID, datetime.now(UTC), BODY)
    assert Webhook(new).verify(BODY, headers)
    assert Webhook(old).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(strange).verify(BODY, headers)


@pytest.mark.parametrize("changed", ["body", "webhook-id", "webhook-timestamp"])
def test_changed_body_or_header_breaks_the_signature(changed: str) -> None:
    secret, now = config.make_secret(), datetime.now(UTC)
    headers = sign([secret], ID, now, BODY)
    body = BODY.replace(b"tag", b"gat") if changed == "body" else BODY
    if changed == "webhook-id":
        headers[changed] = ID[::-1]
    if changed == "webhook-timestamp":
        headers[changed] = str(int(now.timestamp()) + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_signature_equals_the_example_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = sign(
        [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_new_secret_has_24_random_bytes() -> None:
    secrets = {config.make_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {24}


# ------------------------------------------------------------------ messages


def test_message_id_is_derived_from_kind_subject_revision() -> None:
    first = outbox.message_id("tag", "s1", 1)
    assert first == outbox.message_id("tag", "s1", 1)
    assert len(first) == 32
    others = {
        outbox.message_id("tag", "s1", 2),
        outbox.message_id("tag", "s2", 1),
        outbox.message_id("task", "s1", 1),
    }
    assert len(others | {first}) == 4


def test_message_contains_its_type_id_revision_time_tenant() -> None:
    entry = outbox.entry("t1", "tag", "s1", 3, {"tag": {"name": "Иван"}}, NOW)
    assert json.loads(entry.message) == {
        "type": "tag.written",
        "id": outbox.message_id("tag", "s1", 3),
        "revision": 3,
        "timestamp": "2026-03-02T09:30:00.000Z",
        "tenant": "t1",
        "data": {"tag": {"name": "Иван"}},
    }
    assert (entry.state, entry.sk.startswith("OUTBOX"), entry.tenant_id, entry.id) == (
        "waiting",
        True,
        "t1",
        outbox.message_id("tag", "s1", 3),
    )


def test_revisions_of_a_subject_share_one_partition_within_a_tenant() -> None:
    first, second = (outbox.entry("t1", "tag", "s1", revision, {}, NOW) for revision in (1, 2))
    assert first.pk == second.pk == outbox.partition("t1", "tag", "s1")
    assert first.sk < second.sk
    assert outbox.entry("t2", "tag", "s1", 1, {}, NOW).pk != first.pk


# ------------------------------------------------------------------ answers


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ACCEPTED),
        (201, Verdict.ACCEPTED),
        (204, Verdict.ACCEPTED),
        (301, Verdict.FAILED),
        (307, Verdict.FAILED),
        (400, Verdict.REFUSED),
        (401, Verdict.FAILED),
        (403, Verdict.FAILED),
        (404, Verdict.FAILED),
        (409, Verdict.FAILED),
        (410, Verdict.FAILED),
        (413, Verdict.REFUSED),
        (422, Verdict.REFUSED),
        (429, Verdict.FAILED),
        (500, Verdict.FAILED),
        (503, Verdict.FAILED),
    ],
)
def test_response_status_determines_the_verdict_on_a_message(status: int, verdict: Verdict) -> None:
    assert outcome_of(HttpResponse(status, {}, b"error"), NOW).verdict is verdict


def test_response_200_with_an_error_in_its_body_is_accepted() -> None:
    assert outcome_of(HttpResponse(200, {}, b'{"error": "no"}'), NOW).verdict is Verdict.ACCEPTED


def test_rejected_signature_has_a_reason_in_words() -> None:
    assert "Check the secret" in outcome_of(HttpResponse(401, {}, b""), NOW).fault.reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("Mon, 02 Mar 2026 09:32:00 GMT", 120.0),
        ("Monday, 02-Mar-26 09:32:00 GMT", 120.0),
        ("Mon Mar  2 09:32:00 2026", 120.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0.0),
        ("Tue, 03 Mar 2026 09:30:00 GMT", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_at_most_an_hour(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 5.0), (2, 10.0), (3, 20.0), (4, 40.0), (10, 2560.0), (11, 3600.0), (500, 3600.0)]
)
def test_retry_pause_limit_doubles_up_to_an_hour_with_full_jitter(attempt: int, longest: float) -> None:
    assert backoff(attempt, lambda: 0.5) == max(1.0, longest / 2)
    assert backoff(attempt, lambda: 0.0) == 1.0
    assert backoff(attempt, lambda: 0.999999) == pytest.approx(longest, rel=1e-3)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (5, 30), (6, 60), (7, 120), (8, 240), (9, 480), (10, 900), (100, 900)]
)
def test_breaker_pause_grows_with_consecutive_failures(failures: int, seconds: int) -> None:
    assert breaker.pause(failures) == timedelta(seconds=seconds)


# ------------------------------------------------------------------ missed calls


@pytest.mark.parametrize(
    ("notices", "employee_ids"),
    [
        (MissedCallNotificationSettings(), ("s1", "s2")),
        (MissedCallNotificationSettings(supervisor=False), ()),
        (MissedCallNotificationSettings(supervisor=False, ringing_employees=True), ("r1", "s1")),
        (MissedCallNotificationSettings(ringing_employees=True), ("s1", "s2", "r1")),
        (MissedCallNotificationSettings(employee_ids=["e" * 16]), ("s1", "s2", "e" * 16)),
        (
            MissedCallNotificationSettings(
                supervisor=False, ringing_employees=False, employee_ids=["e" * 16, "e" * 16]
            ),
            ("e" * 16,),
        ),
    ],
)
def test_missed_call_recipients_follow_the_settings_without_duplicates(
    notices: MissedCallNotificationSettings, employee_ids: tuple[str, ...]
) -> None:
    assert recipients(notices, ("s1", "s2"), ("r1", "s1")) == employee_ids


# ------------------------------------------------------------------ addresses


def test_embedded_stack_allows_services_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")
    with serving(lambda _: Response(200, "hello")) as server:
        outbound.check(server.url)
        assert outbound.send("POST", server.url).body == b"hello"


@pytest.mark.parametrize("setting", ["false", "", "1", "True"])
def test_service_on_this_machine_is_rejected_outside_test_stacks(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", setting)
    with serving(lambda _: Response(200)) as server:
        for call in (outbound.check, lambda url: outbound.send("POST", url)):
            with pytest.raises(BadInputError):
                call(server.url)
        assert server.requests == []


@pytest.mark.parametrize("setting", ["true", "false"])
@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "[fd00:ec2::254]"])
def test_private_network_is_unreachable_even_on_the_embedded_stack(
    monkeypatch: pytest.MonkeyPatch, setting: str, host: str
) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", setting)
    for call in (outbound.check, lambda url: outbound.send("POST", url)):
        with pytest.raises(BadInputError, match="private network"):
            call(f"https://{host}/")


def test_crm_url_is_validated_before_it_is_stored() -> None:
    outbound.check("https://crm.example.com/hooks?tenant=1")
    for url in (
        "ftp://crm.example.com/",
        "https://user:secret@crm.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
    ):
        with pytest.raises(BadInputError):
            outbound.check(url)
