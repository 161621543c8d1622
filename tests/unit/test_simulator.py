"""The simulator against a server on loopback: playing, faults, office setup, command line."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from http_fake import Request as ApiRequest
from http_fake import Response as ApiResponse
from http_fake import Server, serving
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
from local.simulator.http import Response
from local.simulator.player import SentRequest, Webhook
from local.simulator.story import Story

QUICK = Backoff(attempts=4, first_seconds=0.001, longest_seconds=0.002)
STORY = load_story("answered_incoming")


def always_fine(request: ApiRequest) -> ApiResponse:
    return ApiResponse()


def scripted(*statuses: int) -> Callable[[ApiRequest], ApiResponse]:
    """Return a service that responds with these statuses in turn, then with 200."""
    queue = iter(statuses)

    def respond(request: ApiRequest) -> ApiResponse:
        return ApiResponse(next(queue, 200))

    return respond


def refusing(status: int, problem: dict[str, str]) -> Callable[[ApiRequest], ApiResponse]:
    """Return a service that responds to every request with a problem."""

    def respond(request: ApiRequest) -> ApiResponse:
        return ApiResponse(status, problem)

    return respond


def webhooks(server: Server) -> dict[str, Webhook]:
    return {
        name: Webhook(
            provider="telephony_api", webhook_url=f"{server.url}/{name}", secrets={"planfix_token": f"secret-{name}"}
        )
        for name in ("main", "other")
    }


def played(server: Server, story: Story = STORY, **config: Any) -> Run:
    return Player(PlayerConfig(backoff=QUICK, **config)).play(story, webhooks(server))


def test_story_is_sent_in_order_as_forms_with_the_secret() -> None:
    with serving(always_fine) as server:
        run = played(server)
    assert [request.form["event"] for request in server.requests] == ["INCOMING", "ACCEPTED", "COMPLETED"]
    for request in server.requests:
        assert (request.method, request.path) == ("POST", "/main")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.form["planfix_token"] == "secret-main"
        assert request.form["callid"] == run.ids["call"]
    assert run.complete
    assert run.rejected == ()
    assert "secret-main" not in repr(run)


def test_each_run_generates_new_call_ids() -> None:
    with serving(always_fine) as server:
        first, second = (played(server, load_story("two_calls_at_once")) for _ in range(2))
    assert first.ids.keys() == {"call", "call2"}
    assert len({*first.ids.values(), *second.ids.values()}) == 4


def test_events_of_two_tenants_go_to_their_own_webhooks() -> None:
    with serving(always_fine) as server:
        played(server, load_story("same_call_id_at_two_tenants"))
    assert {request.path for request in server.requests} == {"/main", "/other"}
    assert len({request.form["callid"] for request in server.requests}) == 1
    for request in server.requests:
        assert request.form["planfix_token"] == f"secret-{request.path[1:]}"


def test_story_of_two_tenants_needs_both_webhooks() -> None:
    webhook = Webhook(provider="telephony_api", webhook_url="http://127.0.0.1:9", secrets={"planfix_token": "x"})
    with pytest.raises(KeyError, match="other"):
        Player().play(load_story("same_call_id_at_two_tenants"), {"main": webhook})


def test_temporarily_rejected_request_is_retried() -> None:
    with serving(scripted(429, 503, 500)) as server:
        run = played(server)
    assert [request.response.attempts for request in run.requests] == [4, 1, 1]
    assert run.rejected == ()


def test_permanently_rejected_request_is_not_retried() -> None:
    with serving(scripted(401)) as server:
        run = played(server)
    (request,) = run.rejected
    assert (request.response.status, request.response.attempts) == (401, 1)
    assert "INCOMING 101 → 401" in str(request)


def test_each_request_is_sent_once_without_retries() -> None:
    with serving(scripted(503)) as server:
        run = played(server, retry=False)
    assert [request.response.status for request in run.requests] == [503, 200, 200]


def test_unreachable_server_counts_as_rejected_request() -> None:
    with serving(always_fine) as server:
        pass
    run = played(server)
    assert [request.response.attempts for request in run.rejected] == [4, 4, 4]
    assert "ConnectionError" in str(run.rejected[0])


def test_backoff_grows_to_its_limit_with_retry_after_honoured() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=8)
    longest = [1, 2, 4, 8, 8]
    waits = [backoff.wait(attempt, None) for attempt in range(1, 6)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert (backoff.wait(1, "3"), backoff.wait(1, "3600")) == (3, 8)


def test_duplicates_multiply_with_concurrent_copies() -> None:
    with serving(always_fine) as server:
        played(server, duplicate=2, concurrent=3)
    assert [request.form["event"] for request in server.requests] == [
        name for name in ("INCOMING", "ACCEPTED", "COMPLETED") for _ in range(6)
    ]


def test_shuffle_is_the_same_for_the_same_seed() -> None:
    story = load_story("parallel_group_answered_by_second")

    def order(seed: int) -> list[tuple[str, str]]:
        with serving(always_fine) as server:
            played(server, story, shuffle=True, seed=seed)
        return [(request.form["event"], request.form["ext"]) for request in server.requests]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted((e.post["event"], e.post["ext"]) for e in story.events)


def test_dropped_hang_up_changes_the_expected_result() -> None:
    with serving(always_fine) as server:
        run = played(server, drop_hangup=True)
    assert [request.form["event"] for request in server.requests] == ["INCOMING", "ACCEPTED"]
    (expected,) = run.story.expect
    assert expected.tag is not None
    assert (expected.outcome, expected.tag.duration, expected.tag.end_unknown) == (
        "success",
        None,
        True,
    )


def test_player_stops_immediately_during_a_gap() -> None:
    stop = threading.Event()

    def respond_and_stop(request: ApiRequest) -> ApiResponse:
        stop.set()
        return ApiResponse()

    with serving(respond_and_stop) as server:
        run = Player(PlayerConfig(speed=1), stop).play(STORY, webhooks(server))
    assert (run.complete, len(run.requests)) == (False, 1)


@pytest.mark.parametrize("wrong", [{"speed": -1.0}, {"duplicate": 0}, {"concurrent": 0}])
def test_invalid_player_configuration_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PlayerConfig(**wrong)


def test_office_is_set_up_through_the_public_api() -> None:
    def respond(request: ApiRequest) -> ApiResponse:
        resource = {"id": f"id-of-{request.json.get('name')}"}
        if request.path == "/v1/tenants":
            return ApiResponse(201, resource | {"owner_token": "owner"})
        if request.path == "/v1/integrations":
            secrets = {"planfix_token": "pt"}
            return ApiResponse(201, resource | {"webhook_url": "https://hook", "secrets": secrets})
        return ApiResponse(201, resource)

    plan = load_office_plan()
    with serving(respond) as server:
        office = build_office(Api(server.url, "operator"), plan)
    assert (office.webhook_url, office.planfix_token) == ("https://hook", "pt")
    assert office.employees["Anna Petrova"] == "id-of-Anna Petrova"
    assert office.contacts.keys() == {contact.name for contact in plan.contacts}
    tokens = [request.headers["authorization"] for request in server.requests]
    assert tokens == ["Bearer operator", *["Bearer owner"] * (len(tokens) - 1)]
    posted = {request.path for request in server.requests if request.method == "PUT"}
    assert posted == {
        "/v1/settings/telephony",
        "/v1/lines/%2B74951230001",
        "/v1/lines/%2B74951230002",
    }
    keys = [request.headers["idempotency-key"] for request in server.requests if request.method == "POST"]
    assert len(set(keys)) == len(keys)
    assert "owner" not in repr(office).replace("owner_token", "")


def test_api_error_names_the_request_with_the_reason() -> None:
    with serving(refusing(409, {"detail": "extension 101 is Anna's"})) as server:
        api = Api(server.url, "t", backoff=QUICK)
        with pytest.raises(ApiError, match=r"POST /v1/employees: 409 extension 101 is Anna's"):
            api.post("/v1/employees", {})


def test_demo_masks_phone_numbers() -> None:
    assert [demo.mask(number) for number in ("+79101234567", "1234567", "101", "")] == [
        "+7910***4567",
        "1***67",
        "101",
        "withheld",
    ]


def test_command_line_lists_the_stories(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert f"{STORY.name} " in capsys.readouterr().out


def test_command_line_plays_all_stories_of_one_tenant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(always_fine) as server:
        assert main(["play", "--url", server.url, "--secret", "planfix_token=t", "--speed", "0"]) == 0
    output = capsys.readouterr().out
    assert "same_call_id_at_two_tenants: left out" in output
    assert ", rejected: 0" in output


def test_command_line_fails_after_a_rejected_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = ["--story", STORY.name, "--speed", "0", "--no-retry", "--duplicate", "2"]
    with serving(scripted(503)) as server:
        assert main(["play", "--url", server.url, "--secret", "planfix_token=t", *chosen]) == 1
    assert "stories: 1, requests: 6, rejected: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--story", "none"], ["--duplicate", "0"], ["--story", "same_call_id_at_two_tenants"]]
)
def test_command_line_rejects_invalid_options(wrong: list[str]) -> None:
    assert main(["play", "--url", "http://127.0.0.1:9", "--secret", "planfix_token=t", *wrong]) == 2


def test_sent_request_shows_its_attempts() -> None:
    request = SentRequest(
        tenant="main",
        fields={"cmd": "record"},
        expected=200,
        response=Response(status=200, attempts=3),
    )
    assert str(request) == "record → 200 after 3 attempts"
