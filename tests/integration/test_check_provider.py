"""check-provider against bridges on loopback: a correct bridge passes, each fault gets its own finding."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from hangtag.providers.base import OfficeLookups
from hangtag_client.__main__ import main
from hangtag_client.check.flows import Flow
from hangtag_client.check.listener import Listener
from hangtag_client.check.run import Plan, check

Fields = dict[str, str]
Script = list[Fields]
Fault = Callable[[Script], Script]
KEY = "key-of-the-pbx"
NUMBER = "79101234567"
ROOT = Path(__file__).parents[2]
CLIENT_PATH = os.pathsep.join([str(ROOT / "layers" / "common"), str(ROOT / "clients" / "hangtag_client")])


def event(name: str, ext: str, call: str, **more: str) -> Fields:
    direction = "out" if name == "OUTGOING" else "in"
    return {"cmd": "event", "type": direction, "event": name, "phone": NUMBER, "ext": ext, "callid": call, **more}


def completed(status: str, ext: str, call: str, **more: str) -> Fields:
    duration = "12" if status == "Success" else "0"
    return event("COMPLETED", ext, call, **{"status": status, "duration": duration, "is_recorded": "0", **more})


def scripts() -> dict[str, Script]:
    """Return the requests of a correct bridge in each flow."""
    out = [event("OUTGOING", "101", "o1"), event("ACCEPTED", "101", "o1")]
    out += [completed("Success", "101", "o1", is_recorded="1")]
    out = [{**fields, "type": "out"} for fields in out]
    out += [{"cmd": "record", "callid": "o1", "record_link": "https://pbx.example/o1.mp3"}]
    parallel = [event("INCOMING", ext, "p1") for ext in ("101", "102", "103")]
    parallel += [
        event("ACCEPTED", "102", "p1"),
        completed("Cancelled", "101", "p1"),
        completed("Cancelled", "103", "p1"),
    ]
    parallel += [completed("Success", "102", "p1")]
    sequential = [event("INCOMING", "101", "s1"), completed("Cancelled", "101", "s1")]
    sequential += [event("INCOMING", "102", "s1"), completed("Cancelled", "102", "s1")]
    sequential += [event("INCOMING", "103", "s1"), event("ACCEPTED", "103", "s1"), completed("Success", "103", "s1")]
    return {"outgoing": out, "parallel": parallel, "sequential": sequential}


class FakeBridge:
    """A PBX's bridge. `fault` changes the posted requests; `wrong_token` is the response to a wrong key."""

    def __init__(self, fault: Fault, wrong_token: tuple[int, str], can_replay: bool) -> None:
        self.fault = fault
        self.wrong_token = wrong_token
        self.can_replay = can_replay
        self.rejected_command = ""
        self.crm: tuple[str, str] | None = None
        self.responses: list[tuple[int, Any]] = []
        self.posting: list[threading.Thread] = []

    def respond(self, fields: Mapping[str, str]) -> tuple[int, str]:
        """Return status and body for a command."""
        if fields.get("token") != KEY:
            return self.wrong_token
        command = fields.get("cmd")
        if command == self.rejected_command:
            return 400, '{"error":"Invalid parameters"}'
        if command == "setup":
            self.crm = (fields["planfix_url"], fields["planfix_token"])
            self.post([{"cmd": "ping"}, {"cmd": "contact", "phone": NUMBER}])
        elif command == "makeCall" and "from" in fields and "to" in fields:
            self.play("outgoing")
        elif command == "replay" and self.can_replay:
            self.play(fields["flow"])
        else:
            return 400, '{"error":"Invalid parameters"}'
        return 200, ""

    def play(self, flow: str) -> None:
        """Start the call of a flow, which posts its events in the background."""
        thread = threading.Thread(target=self.post, args=(self.fault(scripts()[flow]),))
        self.posting.append(thread)
        thread.start()

    def post(self, script: Script) -> None:
        """Post the requests to the CRM in order."""
        if self.crm is None:
            return
        url, token = self.crm
        for fields in script:
            body = urlencode({"planfix_token": token, **fields}).encode()
            try:
                with urllib.request.urlopen(url, body, timeout=10) as reply:
                    self.responses.append((reply.status, reply.read()))
            except urllib.error.HTTPError as error:
                with error:
                    self.responses.append((error.code, error.read()))


class _Handler(BaseHTTPRequestHandler):
    bridge: FakeBridge

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        status, text = self.bridge.respond(dict(parse_qsl(body)))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def serving(
    fault: Fault = lambda script: script,
    wrong_token: tuple[int, str] = (401, '{"error":"Invalid token"}'),
    can_replay: bool = True,
) -> Iterator[tuple[str, FakeBridge]]:
    bridge = FakeBridge(fault, wrong_token, can_replay)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bridge": bridge}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bridge", bridge
    finally:
        for posting in bridge.posting:
            posting.join(30)
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(url: str, *flows: Flow, wait: float = 1.0) -> tuple[bool, list[str]]:
    """Check a bridge. Return whether it passed, and the printed lines."""
    lines: list[str] = []
    plan = Plan(
        bridge_url=url, pbx_token=KEY, host="127.0.0.1", port=0, public_url=None, extension="101", number=NUMBER,
        flows=flows, wait=wait, settle=0.3,
    )  # fmt: skip
    return check(plan, lines.append), lines


def test_correct_bridge_passes_every_flow_of_the_check() -> None:
    with serving() as (url, bridge):
        passed, lines = run(url, *Flow, wait=30)

    assert passed, lines
    assert not [line for line in lines if line.startswith("FAIL")]
    assert sum("Hangtag would write the tag Call:" in line for line in lines) == 3
    assert {"        Employee: extension 102", "        Employee: extension 103"} <= set(lines)
    assert (200, json.dumps({"pbxToken": KEY, "pbxUrl": url}).encode()) in bridge.responses
    assert (200, b'{"contact_name": "Ivanov Ivan Ivanovich", "responsible": 101}') in bridge.responses
    assert {status for status, _ in bridge.responses} == {200}


def test_output_of_the_check_masks_tokens_of_the_bridge() -> None:
    with serving(wrong_token=(403, f"{KEY} is not what {NUMBER} sent")) as (url, bridge):
        _, lines = run(url, *Flow)

    text = "\n".join(lines)
    assert bridge.crm is not None
    assert KEY not in text
    assert bridge.crm[1] not in text
    assert bridge.crm[0].rpartition("/")[2] not in text
    assert NUMBER not in text
    assert "***4567" in text


def own_id_for_each_leg(script: Script) -> Script:
    return [{**fields, "callid": f"{fields['callid']}-{fields.get('ext', '')}"} for fields in script]


def no_cancelled(script: Script) -> Script:
    return [fields for fields in script if fields.get("status") != "Cancelled"]


def no_status(script: Script) -> Script:
    return [{name: value for name, value in fields.items() if name != "status"} for fields in script]


def unknown_event(script: Script) -> Script:
    return [{**fields, "event": "RINGING"} if fields.get("event") == "INCOMING" else fields for fields in script]


def wrong_crm_token(script: Script) -> Script:
    return [{**fields, "planfix_token": "another"} for fields in script]


def nothing(script: Script) -> Script:
    return script[:0]


def all_but_the_last(script: Script) -> Script:
    return script[:-1]


@pytest.mark.parametrize(
    ("fault", "flow", "finding"),
    [
        (own_id_for_each_leg, Flow.PARALLEL, r"Expected one callid for the whole call; received 3: p1-101 for 101; "),
        (own_id_for_each_leg, Flow.OUTGOING, r"Expected record with .*; received one for another call: o1-\."),
        (no_cancelled, Flow.PARALLEL, r"status Cancelled for 101, as 102 answered; received no COMPLETED of that"),
        (no_cancelled, Flow.SEQUENTIAL, r"COMPLETED of one extension before INCOMING of the next; received 3"),
        (no_status, Flow.OUTGOING, r"Expected a status on COMPLETED of extension 101; received none\."),
        (no_status, Flow.PARALLEL, r"status Success for 102, who answered; received no status\."),
        (unknown_event, Flow.PARALLEL, r"one rejected with 400: .*INCOMING"),
        (wrong_crm_token, Flow.OUTGOING, r"one rejected with 401: .*planfix_token"),
        (nothing, Flow.OUTGOING, r"Expected OUTGOING and the events after it; received no event at all\."),
        (all_but_the_last, Flow.OUTGOING, r"Expected record with .*; received none\."),
        (all_but_the_last, Flow.PARALLEL, r"Success for 102, who answered; received no COMPLETED"),
    ],
)
def test_each_fault_of_a_bridge_has_its_own_finding(fault: Fault, flow: Flow, finding: str) -> None:
    with serving(fault) as (url, _):
        passed, lines = run(url, flow)

    assert not passed
    assert any(line.startswith("FAIL") and re.search(finding, line) for line in lines), lines


def test_bridge_that_accepts_any_key_fails_the_check() -> None:
    with serving(wrong_token=(200, "")) as (url, _):
        passed, lines = run(url, Flow.PARALLEL)

    assert not passed
    finding = 'Expected 401 {"error":"Invalid token"} for makeCall with a wrong token; received 200 with an empty body.'
    assert any(finding in line for line in lines), lines


def test_tester_is_asked_to_call_without_replay() -> None:
    with serving(can_replay=False) as (url, _):
        passed, lines = run(url, Flow.SEQUENTIAL, wait=0.2)

    assert not passed
    assert any("Call a group whose phones ring in turn" in line for line in lines)


def test_unreachable_bridge_fails_with_a_clear_message() -> None:
    with serving() as (url, _):
        pass
    passed, lines = run(url, Flow.OUTGOING)

    assert not passed
    assert any("Expected 200 for setup; received no response (ConnectionError" in line for line in lines), lines


def test_bridge_set_up_by_hand_needs_no_setup(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, bridge):
        port = free_port()
        bridge.crm = (f"http://127.0.0.1:{port}/tel/api/check", "typed-by-hand")
        bridge.rejected_command = "setup"
        options = ["--bridge", url, "--pbx-token", KEY, "--listen", f"127.0.0.1:{port}", "--flow", "parallel"]
        assert main(["check-provider", *options, "--planfix-token", "typed-by-hand"]) == 0
        assert main(["check-provider", *options]) == 1
    assert "No flow was checked because the bridge does not know the address of the CRM." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bridge", "ftp://pbx.example"], "an address such as"),
        (["--bridge", "http://127.0.0.1:1"], "Add --from and --to"),
        (["--bridge", "https://pbx.example", "--flow", "parallel"], "Add --public-url"),
        (["--bridge", "http://127.0.0.1:1", "--flow", "parallel", "--listen", "0.0.0.0:0"], "can't post to 0.0.0.0"),
        (["--bridge", "http://127.0.0.1:1", "--to", "sip:olga"], "Enter digits only"),
        (["--bridge", "http://127.0.0.1:1", "--wait", "nan"], "at most 3600 seconds"),
        (["--bridge", "http://127.0.0.1:1", "--listen", "8099"], "Enter HOST:PORT"),
    ],
)
def test_wrong_usage_is_reported_before_any_request(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["check-provider", "--pbx-token", KEY, *options])
    assert exit_info.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def post_raw(url: str, body: bytes, method: str = "POST") -> int:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_listener_sends_the_same_responses_as_hangtag() -> None:
    office = OfficeLookups(contact=lambda _: None, credentials=dict)
    with Listener("127.0.0.1", 0, "/tel/api/x", "t", office, lambda _: None) as listener:
        url = listener.address + "/tel/api/x"
        assert post_raw(url, b"cmd=ping&planfix_token=t") == 200
        assert post_raw(url, b"cmd=nothing&planfix_token=t") == 400
        assert post_raw(url, b"cmd=ping&planfix_token=u") == 401
        assert post_raw(url, b"x" * 65537) == 413
        assert post_raw(url, b"x", "PUT") == 404
        assert post_raw(listener.address, b"cmd=ping") == 404
        assert post_raw(listener.address, b"", "GET") == 404
        reasons = [request.rejection for request in listener.since(0)]

    assert reasons[0] is None
    assert "event, record, contact, ping" in (reasons[1] or "")
    assert "planfix_token" in (reasons[2] or "")
    assert reasons[3] == "the body is larger than 64 KB"
    # A GET to another address does not come from the bridge.
    assert len(reasons) == 6
    assert all("token" not in request.fields for request in listener.since(0))


def test_exit_status_reports_the_result_of_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--pbx-token", KEY, "--listen", "127.0.0.1:0", "--from", "101", "--to", f"+{NUMBER}", "--wait", "20"]
    with serving() as (url, _):
        assert main(["check-provider", "--bridge", url, *options]) == 0
    with serving(no_status) as (url, _):
        assert main(["check-provider", "--bridge", url, *options, "--flow", "outgoing", "--wait", "0.3"]) == 1
    assert "All passed." in capsys.readouterr().out


def test_port_in_use_is_reported_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, _):
        listen = url.removeprefix("http://").removesuffix("/bridge")
        options = ["--bridge", url, "--pbx-token", KEY, "--flow", "parallel", "--listen", listen]
        with pytest.raises(SystemExit) as exit_info:
            main(["check-provider", *options])
    assert exit_info.value.code == 2
    assert "Can't listen at" in capsys.readouterr().err


def test_interrupt_ends_the_check_without_a_traceback() -> None:
    with serving(can_replay=False) as (url, _):
        command = [sys.executable, "-m", "hangtag_client", "check-provider", "--bridge", url, "--pbx-token", KEY]
        command += ["--flow", "parallel", "--listen", "127.0.0.1:0"]
        environment = {**os.environ, "PYTHONPATH": CLIENT_PATH}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                # After this line the check waits for a minute.
                assert any("Call a group" in line for line in process.stdout)
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 130
                assert process.stderr.read().strip() == "Stopped."
            finally:
                process.kill()
