"""Embedded stack: start, error messages, persistence and cleanup."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from local import process, stack
from local.place import COMMON_STACK_FILE, HOST, ROOT, Place
from local.stack import Stack, running

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 60.0
CHANGE_READ = " was read"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a free port, and clean up its stack afterwards."""
    place = Place(free_port())
    yield place
    stack.down(place)
    shutil.rmtree(place.directory, ignore_errors=True)


def command(port: object, word: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-m", "local", word],
        cwd=ROOT,
        env={**os.environ, "HANGTAG_PORT": str(port), "HANGTAG_MAX_SECONDS": "600"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def put_note(target: Stack, key: str, text: str) -> None:
    item = {"pk": {"S": key}, "sk": {"S": "NOTE"}, "body": {"S": text}}
    target.client("dynamodb").put_item(TableName=target.table, Item=item)


def read_note(target: Stack, key: str) -> str | None:
    response = target.client("dynamodb").get_item(TableName=target.table, Key={"pk": {"S": key}, "sk": {"S": "NOTE"}})
    text: str | None = response.get("Item", {}).get("body", {}).get("S")
    return text


def change_a_call(target: Stack, key: str) -> None:
    """Write an item that passes the tracker's filter but is not a call."""
    target.client("dynamodb").put_item(TableName=target.table, Item={"pk": {"S": key}, "sk": {"S": "CALL#0000"}})


def changes_read(place: Place) -> int:
    return place.log_file.read_text(errors="replace").count(CHANGE_READ)


def test_down_ends_all_processes_of_a_stack_after_up(place: Place) -> None:
    up_result = command(place.port, "up")
    assert up_result.returncode == 0, up_result.stderr
    details = json.loads(place.stack_file.read_text())
    assert {"api", "console", "live", "operator_token", "table", "state_machine"} <= details.keys()
    assert details["api"] in up_result.stdout
    assert details["operator_token"] not in up_result.stdout
    assert place.stack_file.stat().st_mode & 0o077 == 0
    common = json.loads(COMMON_STACK_FILE.read_text())
    # Only a stack that runs next to the tests can keep the common file.
    assert common == details or process.running_pid(Place(common["port"])) is not None
    leader = process.running_pid(place)
    assert leader is not None
    assert command(place.port, "status").returncode == 0

    # The sweep starts a worker, so more than one process has to end.
    Stack(**details).invoke_sweep()
    assert len(process.group_members(leader)) > 1
    down_result = command(place.port, "down")
    assert down_result.returncode == 0, down_result.stderr
    assert process.group_members(leader) == []
    assert not place.stack_file.exists()
    assert not COMMON_STACK_FILE.exists() or json.loads(COMMON_STACK_FILE.read_text())["port"] != place.port
    assert not place.pid_file.exists()
    assert command(place.port, "status").returncode == 1

    again = command(place.port, "down")
    assert again.returncode == 0
    assert "nothing runs" in again.stdout


def test_second_up_leaves_a_running_stack_unchanged(place: Place) -> None:
    with running(port=place.port) as first:
        again = stack.up(place)
        assert (again.pid, again.operator_token, again.table) == (first.pid, first.operator_token, first.table)


def test_alarms_of_the_nested_stack_are_deployed(place: Place) -> None:
    with running(port=place.port) as stack:
        alarms = stack.client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
        watched = {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}
        assert len(alarms) > 30
        assert {*stack.functions.values(), stack.state_machine} <= watched
        assert stack.crm_queue.rsplit("/", 1)[1] in watched


def test_path_without_a_route_of_its_own_gets_a_problem_document(place: Place) -> None:
    with running(port=place.port) as stack:
        for path in ("/v1", "/v1/unknown", "/v1/unknown/deeper"):
            url, headers = f"{stack.api}{path}", {"authorization": f"Bearer {stack.operator_token}"}
            response = requests.get(url, headers=headers, timeout=PATIENCE_SECONDS)
            assert response.status_code == 404
            assert response.headers["content-type"] == "application/problem+json"


def test_stack_listens_on_the_loopback_address_only(place: Place) -> None:
    with running(port=place.port):
        listeners = [
            row.split()[1].partition(":")[0]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            if Path(table).exists()
            for row in Path(table).read_text().splitlines()[1:]
            if row.split()[3] == "0A" and row.split()[1].endswith(f":{place.port:04X}")
        ]
        assert all(address == "0100007F" for address in listeners)


def test_occupied_port_is_reported_with_its_process_id(place: Place) -> None:
    with socket.socket() as holder:
        holder.bind((HOST, place.port))
        holder.listen()
        result = command(place.port, "up")
    assert result.returncode == 1
    assert f"port {place.port} is taken" in result.stderr
    assert f"HANGTAG_PORT={place.port + 1}" in result.stderr
    assert "Traceback" not in result.stderr
    if Path("/proc/net/tcp").exists():
        assert str(os.getpid()) in result.stderr
    assert process.running_pid(place) is None


def test_missing_package_is_reported_with_the_command_to_install_it(place: Place) -> None:
    # Without `site`, the environment's packages are not on the path.
    result = command(place.port, "up", "-S")
    assert result.returncode == 1
    assert "package ministack is missing" in result.stderr
    assert "make up" in result.stderr


def test_invalid_port_is_rejected_with_an_explanation() -> None:
    result = command("yes", "up")
    assert result.returncode == 1
    assert "HANGTAG_PORT=yes is not a port" in result.stderr


def test_data_operator_token_and_url_survive_a_restart(place: Place) -> None:
    with running(port=place.port) as before:
        put_note(before, "stored", "before the restart")
        after = before.restart()
        assert after.pid != before.pid
        assert (after.api, after.operator_token, after.table) == (before.api, before.operator_token, before.table)
        assert read_note(after, "stored") == "before the restart"


def test_first_changes_after_a_restart_are_read_from_the_stream(place: Place) -> None:
    """The runtime loses its streams' records but not the readers' positions, see `gaps`."""
    with running(port=place.port) as before:
        for number in range(3):
            change_a_call(before, f"before {number}")
        assert eventually(lambda: changes_read(place) >= 3)
        after = before.restart()
        read = changes_read(place)
        change_a_call(after, "after")
        assert eventually(lambda: changes_read(place) > read)


def test_waiting_execution_continues_after_a_restart_with_a_new_token(place: Place) -> None:
    """The runtime fails executions at a restart, which AWS never does, see `gaps`."""
    key = {"pk": {"S": "waiting"}, "sk": {"S": "CALL#0000"}}

    def token(target: Stack) -> str | None:
        item = target.client("dynamodb").get_item(TableName=target.table, Key=key)["Item"]
        text: str | None = item.get("task_token", {}).get("S")
        return text

    with running(port=place.port) as before:
        change_a_call(before, "waiting")
        started = before.client("stepfunctions").start_execution(
            stateMachineArn=before.state_machine, name="waiting-0", input='{"pk": "waiting", "sk": "CALL#0000"}'
        )
        assert eventually(lambda: token(before) is not None)
        old = token(before)
        after = before.restart()
        assert eventually(lambda: token(after) != old)
        execution = after.client("stepfunctions").describe_execution(executionArn=started["executionArn"])
        assert execution["status"] == "RUNNING"


def test_stacks_on_different_ports_are_isolated(place: Place) -> None:
    other = Place(free_port())
    try:
        with running(port=place.port) as one, running(port=other.port) as two:
            assert one.api != two.api
            assert one.operator_token != two.operator_token
            put_note(one, "mine", "of the first")
            assert read_note(one, "mine") == "of the first"
            assert read_note(two, "mine") is None
    finally:
        shutil.rmtree(other.directory, ignore_errors=True)


def is_started(place: Place) -> bool:
    return process.running_pid(place) is not None


def is_deploying(place: Place) -> bool:
    return process.answers(f"{place.endpoint}/_ministack/ready")


@pytest.mark.parametrize("moment", [is_started, is_deploying])
def test_interrupted_up_leaves_no_process_of_the_stack(place: Place, moment: Callable[[Place], bool]) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "local", "up"],
        cwd=ROOT,
        env={**os.environ, "HANGTAG_PORT": str(place.port), "HANGTAG_MAX_SECONDS": "600"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with starting:
        assert eventually(lambda: moment(place))
        leader = process.running_pid(place)
        starting.send_signal(signal.SIGINT)
        _, output = starting.communicate(timeout=PATIENCE_SECONDS)
    assert starting.returncode == 130, output
    assert leader is not None
    assert process.group_members(leader) == []
    assert process.running_pid(place) is None


def test_workers_end_with_a_runtime_that_was_killed(place: Place) -> None:
    with running(port=place.port) as killed:
        killed.invoke_sweep()
        os.kill(killed.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(killed.pid, 0)
        assert eventually(lambda: process.group_members(killed.pid) == [])
        assert process.running_pid(place) is None


def test_runtime_ends_after_its_maximum_time(place: Place) -> None:
    leader = process.start(place, {**os.environ, "HANGTAG_MAX_SECONDS": "10"})
    assert process.running_pid(place) == leader
    assert eventually(lambda: process.running_pid(place) is None)
    assert eventually(lambda: process.group_members(leader) == [])
