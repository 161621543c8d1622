"""The steps of a check: set-up, rejections, then each flow."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hangtag.providers.base import ContactCard, OfficeLookups
from hangtag_client.check.bridge import Bridge, check_rejection
from hangtag_client.check.finding import Finding, Mask, Section, expected, note, passed
from hangtag_client.check.flows import Flow, awaits_record, check_flow, events_of_flow, failed, is_over, rejections
from hangtag_client.check.listener import Listener
from hangtag_client.check.received import ReceivedRequest, calls_of
from hangtag_client.check.tags import tag_lines

__all__ = ["Plan", "check"]

# After a successful flow, wait this long for further events of a faulty bridge.
GRACE_SECONDS = 0.5
# A flow ends after this multiple of `wait`, even if the PBX keeps sending.
MAX_WAITS = 10
MANUAL_PATH = "check"
EXAMPLE_NAME = "Ivanov Ivan Ivanovich"

_CALLS = {
    Flow.PARALLEL: "Call a group whose phones ring together, from outside; let one of them answer, then hang up.",
    Flow.SEQUENTIAL: "Call a group whose phones ring in turn, from outside; let the last one answer, then hang up.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Parameters of a check. `wait` is the longest silence within a flow, `settle` the one after a call, in seconds.

    The outgoing flow places a real call from `extension` to `number`. `planfix_token` is set for a bridge that is set
    up by hand; otherwise `setup` sends a new token.
    """

    bridge_url: str
    pbx_token: str
    host: str
    port: int
    public_url: str | None
    extension: str
    number: str
    flows: tuple[Flow, ...]
    wait: float
    settle: float
    planfix_token: str | None = None


def check(plan: Plan, write: Callable[[str], None]) -> bool:
    """Run the check and write each step and finding. Return whether all passed. Raises OSError if it can't listen."""
    return _Check(plan, write).run()


class _Check:
    def __init__(self, plan: Plan, write: Callable[[str], None]) -> None:
        self._plan = plan
        self._token = plan.planfix_token or secrets.token_hex(16)
        # For a set-up by hand the address must be predictable.
        path_token = MANUAL_PATH if plan.planfix_token else secrets.token_hex(16)
        self._path = f"/tel/api/{path_token}"
        secret_values = {plan.pbx_token, self._token, path_token} - {MANUAL_PATH}
        self._mask = Mask(secret_values, (plan.number,))
        self._bridge = Bridge(plan.bridge_url, plan.pbx_token)
        self._lock = threading.Lock()
        self._output = write
        self._reported: set[Finding] = set()

    def run(self) -> bool:
        plan = self._plan
        office = OfficeLookups(
            contact=lambda _: ContactCard(EXAMPLE_NAME, plan.extension or None),
            credentials=lambda: {"pbx_token": plan.pbx_token, "pbx_url": plan.bridge_url},
        )
        with Listener(plan.host, plan.port, self._path, self._token, office, self._on_request) as listener:
            self._write(f"Listening at {listener.address} as the CRM.")
            url = (plan.public_url or listener.address).rstrip("/") + self._path
            if plan.planfix_token:
                self._write(f"The bridge should post to {url}.")
            setup = self._set_up(url)
            self._report([setup])
            self._report(self._rejections())
            if failed([setup]):
                self._report(
                    [
                        note(
                            "No flow was checked because the bridge does not know the address of the CRM.",
                            Section.SETUP,
                        )
                    ]
                )
            else:
                for flow in plan.flows:
                    self._flow(flow, listener)
            self._report(_request_findings(listener.since(0)))
            # Including requests before and between the flows.
            self._report([fault for fault in rejections(listener.since(0)) if fault not in self._reported])
        ok = not failed(self._reported)
        self._write("All passed." if ok else "The check failed. See the lines that begin with FAIL.")
        return ok

    def _set_up(self, planfix_url: str) -> Finding:
        response = self._bridge.send("setup", planfix_token=self._token, planfix_url=planfix_url)
        if response.status == 200:
            return passed("setup was accepted.", Section.SETUP)
        if self._plan.planfix_token:
            return note(f"setup was not accepted ({response}). The bridge is set up by hand.", Section.SETUP)
        return expected("200 for setup", f"{response}, which Hangtag shows to the admin as the error", Section.SETUP)

    def _rejections(self) -> list[Finding]:
        # A bridge that ignores the token dials, so only the number of the outgoing flow is used, or 0.
        dial = {"from": self._plan.extension or "0", "to": self._plan.number or "0"}
        wrong = self._bridge.send("makeCall", token=secrets.token_hex(16), **dial)
        unknown = self._bridge.send("hangtagCheck")
        missing = self._bridge.send("makeCall", **{"from": dial["from"]})
        return [
            check_rejection("makeCall with a wrong token", wrong, 401, "Invalid token"),
            check_rejection("an unknown cmd", unknown, 400, "Invalid parameters"),
            check_rejection("makeCall without to", missing, 400, "Invalid parameters"),
        ]

    def _flow(self, flow: Flow, listener: Listener) -> None:
        self._write("")
        self._write(f"Flow: {flow}")
        mark = listener.mark()
        start = self._start(flow)
        self._report(start)
        if failed(start):
            return

        def findings(requests: Sequence[ReceivedRequest]) -> list[Finding]:
            return check_flow(flow, requests, extension=self._plan.extension, number=self._plan.number)

        def patience(requests: Sequence[ReceivedRequest]) -> float:
            if requests and not failed(findings(requests)):
                return min(GRACE_SECONDS, self._plan.settle)
            over = is_over(flow, requests, extension=self._plan.extension, number=self._plan.number)
            return self._plan.settle if over and not awaits_record(requests) else self._plan.wait

        requests = listener.watch(mark, patience, self._plan.wait * MAX_WAITS)
        self._report(findings(requests))
        ours = events_of_flow(flow, requests, extension=self._plan.extension, number=self._plan.number)
        call_ids = {event.call_id for event in ours}
        for call_id, events in calls_of(requests).items():
            for line in tag_lines(events) if call_id in call_ids else ():
                self._write("      " + line)

    def _start(self, flow: Flow) -> list[Finding]:
        """Start the flow's call: with makeCall, with the bridge's replay, or by asking the tester to call."""
        if flow is Flow.OUTGOING:
            response = self._bridge.send("makeCall", **{"from": self._plan.extension, "to": self._plan.number})
            if response.status == 200:
                return [passed("makeCall was accepted.", Section.MAKE_CALL)]
            return [expected("200 for makeCall", str(response), Section.MAKE_CALL)]
        if self._bridge.send("replay", flow=flow).status == 200:
            self._write("The bridge replays the flow.")
        else:
            self._write(f"{_CALLS[flow]} The check waits up to {self._plan.wait:g} s for each next event.")
        return []

    def _on_request(self, request: ReceivedRequest) -> None:
        self._write("  ← " + request.line())

    def _report(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._write(finding.line(self._mask), masked=True)
        self._reported.update(findings)

    def _write(self, text: str, *, masked: bool = False) -> None:
        # Requests are reported from the threads that received them.
        with self._lock:
            self._output(text if masked else self._mask(text))


def _request_findings(requests: Sequence[ReceivedRequest]) -> list[Finding]:
    """Return a finding for each kind of request that Hangtag answers itself."""
    findings = []
    for command, section in (("contact", Section.CONTACT), ("ping", Section.PING)):
        count = sum(request.command == command and request.rejection is None for request in requests)
        if count:
            findings.append(passed(f"{command} was requested and answered. Count: {count}.", section))
        else:
            findings.append(note(f"{command} was never requested. This is allowed.", section))
    return findings
