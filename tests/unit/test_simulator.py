"""The simulator against a server on loopback: playing, faults, setting up an office, the command line."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from http_fake import Asked, Reply, Server, serving
from local import demo
from local.simulator import (
    Api,
    ApiError,
    Backoff,
    Player,
    PlayerConfig,
    Run,
    build_office,
    load_office_plan,
    load_story,
)
from local.simulator.__main__ import main
from local.simulator.http import Answer
from local.simulator.player import Delivery, Webhook
from local.simulator.story import Story

QUICK = Backoff(attempts=4, first_seconds=0.001, longest_seconds=0.002)
STORY = load_story("answered_incoming")


def always_fine(asked: Asked) -> Reply:
    return Reply()


def scripted(*statuses: int) -> Callable[[Asked], Reply]:
    """Answers with these statuses in turn, then with 200."""
    left = iter(statuses)

    def answer(asked: Asked) -> Reply:
        return Reply(next(left, 200))

    return answer


def refusing(status: int, problem: dict[str, str]) -> Callable[[Asked], Reply]:
    """Answers all with a problem."""

    def answer(asked: Asked) -> Reply:
        return Reply(status, problem)

    return answer


def webhooks(server: Server) -> dict[str, Webhook]:
    return {
        name: Webhook(
            provider="telephony_api", webhook_url=f"{server.url}/{name}", secrets={"planfix_token": f"secret-{name}"}
        )
        for name in ("main", "other")
    }


def played(server: Server, story: Story = STORY, **config: Any) -> Run:
    return Player(PlayerConfig(backoff=QUICK, **config)).play(story, webhooks(server))


def test_a_story_is_posted_in_order_as_forms_with_the_secret() -> None:
    with serving(always_fine) as server:
        run = played(server)
    assert [asked.form["event"] for asked in server.asked] == ["INCOMING", "ACCEPTED", "COMPLETED"]
    for asked in server.asked:
        assert (asked.method, asked.path) == ("POST", "/main")
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert asked.form["planfix_token"] == "secret-main"
        assert asked.form["callid"] == run.ids["call"]
    assert run.complete
    assert run.refused == ()
    assert "secret-main" not in repr(run)


def test_each_run_has_call_ids_of_its_own() -> None:
    with serving(always_fine) as server:
        first, second = (played(server, load_story("two_calls_at_once")) for _ in range(2))
    assert first.ids.keys() == {"call", "call2"}
    assert len({*first.ids.values(), *second.ids.values()}) == 4


def test_events_of_two_tenants_go_to_their_webhooks_with_the_same_id() -> None:
    with serving(always_fine) as server:
        played(server, load_story("same_call_id_at_two_tenants"))
    assert {asked.path for asked in server.asked} == {"/main", "/other"}
    assert len({asked.form["callid"] for asked in server.asked}) == 1
    for asked in server.asked:
        assert asked.form["planfix_token"] == f"secret-{asked.path[1:]}"


def test_a_story_of_two_tenants_needs_both_webhooks() -> None:
    webhook = Webhook(provider="telephony_api", webhook_url="http://127.0.0.1:9", secrets={"planfix_token": "x"})
    with pytest.raises(KeyError, match="other"):
        Player().play(load_story("same_call_id_at_two_tenants"), {"main": webhook})


def test_what_is_refused_for_the_moment_is_sent_again() -> None:
    with serving(scripted(429, 503, 500)) as server:
        run = played(server)
    assert [delivery.answer.attempts for delivery in run.deliveries] == [4, 1, 1]
    assert run.refused == ()


def test_what_is_refused_for_good_is_not_sent_again() -> None:
    with serving(scripted(401)) as server:
        run = played(server)
    (refused,) = run.refused
    assert (refused.answer.status, refused.answer.attempts) == (401, 1)
    assert "INCOMING 101 → 401" in str(refused)


def test_without_retries_each_delivery_is_sent_once() -> None:
    with serving(scripted(503)) as server:
        run = played(server, retry=False)
    assert [delivery.answer.status for delivery in run.deliveries] == [503, 200, 200]


def test_a_server_that_is_gone_is_a_refusal_and_not_an_error() -> None:
    with serving(always_fine) as server:
        pass
    run = played(server)
    assert [delivery.answer.attempts for delivery in run.refused] == [4, 4, 4]
    assert "ConnectionError" in str(run.refused[0])


def test_waits_grow_have_a_limit_and_honour_retry_after() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=8)
    longest = [1, 2, 4, 8, 8]
    waits = [backoff.wait(attempt, None) for attempt in range(1, 6)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert (backoff.wait(1, "3"), backoff.wait(1, "3600")) == (3, 8)


def test_doubles_and_concurrent_copies_multiply_deliveries() -> None:
    with serving(always_fine) as server:
        played(server, duplicate=2, concurrent=3)
    assert [asked.form["event"] for asked in server.asked] == [
        name for name in ("INCOMING", "ACCEPTED", "COMPLETED") for _ in range(6)
    ]


def test_shuffling_is_the_same_for_the_same_seed() -> None:
    story = load_story("parallel_group_answered_by_second")

    def order(seed: int) -> list[tuple[str, str]]:
        with serving(always_fine) as server:
            played(server, story, shuffle=True, seed=seed)
        return [(asked.form["event"], asked.form["ext"]) for asked in server.asked]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted((e.post["event"], e.post["ext"]) for e in story.events)


def test_a_dropped_hang_up_is_not_sent_and_changes_what_is_expected() -> None:
    with serving(always_fine) as server:
        run = played(server, drop_hangup=True)
    assert [asked.form["event"] for asked in server.asked] == ["INCOMING", "ACCEPTED"]
    (expected,) = run.story.expect
    assert expected.tag is not None
    assert (expected.outcome, expected.tag.duration, expected.tag.end_unknown) == (
        "success",
        None,
        True,
    )


def test_playing_stops_at_once_in_the_middle_of_a_gap() -> None:
    stop = threading.Event()

    def answer_and_stop(asked: Asked) -> Reply:
        stop.set()
        return Reply()

    with serving(answer_and_stop) as server:
        run = Player(PlayerConfig(speed=1), stop).play(STORY, webhooks(server))
    assert (run.complete, len(run.deliveries)) == (False, 1)


@pytest.mark.parametrize("wrong", [{"speed": -1.0}, {"duplicate": 0}, {"concurrent": 0}])
def test_a_senseless_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PlayerConfig(**wrong)


def test_an_office_is_set_up_through_the_public_api() -> None:
    def answer(asked: Asked) -> Reply:
        made = {"id": f"id-of-{asked.json.get('name')}"}
        if asked.path == "/v1/tenants":
            return Reply(201, made | {"owner_token": "owner"})
        if asked.path == "/v1/integrations":
            secrets = {"planfix_token": "pt"}
            return Reply(201, made | {"webhook_url": "https://hook", "secrets": secrets})
        return Reply(201, made)

    plan = load_office_plan()
    with serving(answer) as server:
        office = build_office(Api(server.url, "operator"), plan)
    assert (office.webhook_url, office.planfix_token) == ("https://hook", "pt")
    assert office.employees["Anna Petrova"] == "id-of-Anna Petrova"
    assert office.contacts.keys() == {contact.name for contact in plan.contacts}
    tokens = [asked.headers["authorization"] for asked in server.asked]
    assert tokens == ["Bearer operator", *["Bearer owner"] * (len(tokens) - 1)]
    posted = {asked.path for asked in server.asked if asked.method == "PUT"}
    assert posted == {
        "/v1/settings/telephony",
        "/v1/lines/%2B74951230001",
        "/v1/lines/%2B74951230002",
    }
    keys = [asked.headers["idempotency-key"] for asked in server.asked if asked.method == "POST"]
    assert len(set(keys)) == len(keys)
    assert "owner" not in repr(office).replace("owner_token", "")


def test_the_apis_refusal_says_what_was_asked_and_why_not() -> None:
    with serving(refusing(409, {"detail": "extension 101 is Anna's"})) as server:
        api = Api(server.url, "t", backoff=QUICK)
        with pytest.raises(ApiError, match=r"POST /v1/employees: 409 extension 101 is Anna's"):
            api.post("/v1/employees", {})


def test_numbers_are_masked() -> None:
    assert [demo.mask(number) for number in ("+79101234567", "1234567", "101", "")] == [
        "+7910***4567",
        "1***67",
        "101",
        "withheld",
    ]


def test_the_command_line_lists_the_stories(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert f"{STORY.name} " in capsys.readouterr().out


def test_the_command_line_plays_all_stories_that_one_webhook_is_enough_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(always_fine) as server:
        assert main(["play", "--url", server.url, "--secret", "planfix_token=t", "--speed", "0"]) == 0
    said = capsys.readouterr().out
    assert "same_call_id_at_two_tenants: left out" in said
    assert ", refused: 0" in said


def test_the_command_line_fails_when_a_delivery_was_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = ["--story", STORY.name, "--speed", "0", "--no-retry", "--duplicate", "2"]
    with serving(scripted(503)) as server:
        assert main(["play", "--url", server.url, "--secret", "planfix_token=t", *chosen]) == 1
    assert "stories: 1, deliveries: 6, refused: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--story", "none"], ["--duplicate", "0"], ["--story", "same_call_id_at_two_tenants"]]
)
def test_the_command_line_says_what_is_wrong(wrong: list[str]) -> None:
    assert main(["play", "--url", "http://127.0.0.1:9", "--secret", "planfix_token=t", *wrong]) == 2


def test_a_delivery_tells_its_tries() -> None:
    delivery = Delivery(
        tenant="main",
        fields={"cmd": "record"},
        expected=200,
        answer=Answer(status=200, attempts=3),
    )
    assert str(delivery) == "record → 200 after 3 attempts"
