"""Leads through the check: set-up, refusals, then the flows one after the other."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hangtag.providers.base import ContactCard, OfficeLookups
from hangtag_client.check.bridge import Bridge, judge_refusal
from hangtag_client.check.finding import Finding, Mask, Section, expected, note, passed
from hangtag_client.check.heard import Heard, calls_of
from hangtag_client.check.judge import Flow, awaits_record, events_of_flow, failed, is_over, judge, refused
from hangtag_client.check.listener import Listener
from hangtag_client.check.verdict import tag_lines

__all__ = ["Plan", "check"]

# Once all is well, a moment for what a faulty bridge may still say.
LINGER_SECONDS = 0.5
# However talkative the PBX: a flow is judged after so many times the patience that was asked for.
LONGEST_WAITS = 10
PATH_BY_HAND = "check"
EXAMPLE_NAME = "Ivanov Ivan Ivanovich"

_CALLS = {
    Flow.PARALLEL: "Call a group whose phones ring together, from outside; let one of them answer, then hang up.",
    Flow.SEQUENTIAL: "Call a group whose phones ring in turn, from outside; let the last one answer, then hang up.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to check. `wait` is how many seconds of silence to bear, `settle` the same once a call has ended.

    `extension` and `number` are really dialled by the outgoing flow. `planfix_token` is given for a bridge that is
    set up by hand; else a fresh one goes to it by `setup`.
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


def check(plan: Plan, say: Callable[[str], None]) -> bool:
    """Run the check, telling each step and finding by `say`; whether all passed. Raises OSError if it can't listen."""
    return _Check(plan, say).run()


class _Check:
    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._token = plan.planfix_token or secrets.token_hex(16)
        # Who sets a bridge up by hand has to know the address before.
        path_token = PATH_BY_HAND if plan.planfix_token else secrets.token_hex(16)
        self._path = f"/tel/api/{path_token}"
        hidden = {plan.pbx_token, self._token, path_token} - {PATH_BY_HAND}
        self._mask = Mask(hidden, (plan.number,))
        self._bridge = Bridge(plan.bridge_url, plan.pbx_token)
        self._lock = threading.Lock()
        self._say = say
        self._reported: set[Finding] = set()

    def run(self) -> bool:
        plan = self._plan
        office = OfficeLookups(
            contact=lambda _: ContactCard(EXAMPLE_NAME, plan.extension or None),
            credentials=lambda: {"pbx_token": plan.pbx_token, "pbx_url": plan.bridge_url},
        )
        with Listener(plan.host, plan.port, self._path, self._token, office, self._told) as listener:
            self._tell(f"Listening at {listener.address} as the CRM.")
            url = (plan.public_url or listener.address).rstrip("/") + self._path
            if plan.planfix_token:
                self._tell(f"The bridge should post to {url}.")
            set_up = self._set_up(url)
            self._report([set_up])
            self._report(self._refusals())
            if failed([set_up]):
                self._report([note("No flow was checked, as the bridge does not know the CRM.", Section.SETUP)])
            else:
                for flow in plan.flows:
                    self._flow(flow, listener)
            self._report(_questions(listener.since(0)))
            # Also what came before and between the flows.
            self._report([fault for fault in refused(listener.since(0)) if fault not in self._reported])
        ok = not failed(self._reported)
        self._tell("All passed." if ok else "Something failed: see the lines that begin with FAIL.")
        return ok

    def _set_up(self, planfix_url: str) -> Finding:
        answer = self._bridge.send("setup", planfix_token=self._token, planfix_url=planfix_url)
        if answer.status == 200:
            return passed("setup was accepted.", Section.SETUP)
        if self._plan.planfix_token:
            return note(f"setup was not accepted ({answer}); the bridge is set up by hand.", Section.SETUP)
        return expected("200 for setup", f"{answer}, which the admin would see as the error", Section.SETUP)

    def _refusals(self) -> list[Finding]:
        # A bridge that does not look at the token dials: only a number that the person gave, else none that exists.
        dial = {"from": self._plan.extension or "0", "to": self._plan.number or "0"}
        wrong = self._bridge.send("makeCall", token=secrets.token_hex(16), **dial)
        unknown = self._bridge.send("hangtagCheck")
        missing = self._bridge.send("makeCall", **{"from": dial["from"]})
        return [
            judge_refusal("makeCall with a wrong token", wrong, 401, "Invalid token"),
            judge_refusal("an unknown cmd", unknown, 400, "Invalid parameters"),
            judge_refusal("makeCall without to", missing, 400, "Invalid parameters"),
        ]

    def _flow(self, flow: Flow, listener: Listener) -> None:
        self._tell("")
        self._tell(f"Flow: {flow}")
        mark = listener.mark()
        began = self._start(flow)
        self._report(began)
        if failed(began):
            return

        def judged(heard: Sequence[Heard]) -> list[Finding]:
            return judge(flow, heard, extension=self._plan.extension, number=self._plan.number)

        def patience(heard: Sequence[Heard]) -> float:
            if heard and not failed(judged(heard)):
                return min(LINGER_SECONDS, self._plan.settle)
            over = is_over(flow, heard, extension=self._plan.extension, number=self._plan.number)
            return self._plan.settle if over and not awaits_record(heard) else self._plan.wait

        heard = listener.watch(mark, patience, self._plan.wait * LONGEST_WAITS)
        self._report(judged(heard))
        watched = {
            one.call_id for one in events_of_flow(flow, heard, extension=self._plan.extension, number=self._plan.number)
        }
        for call_id, events in calls_of(heard).items():
            for line in tag_lines(events) if call_id in watched else ():
                self._tell("      " + line)

    def _start(self, flow: Flow) -> list[Finding]:
        """Have the flow's call placed: by makeCall, by the bridge's own replay, or by the person."""
        if flow is Flow.OUTGOING:
            answer = self._bridge.send("makeCall", **{"from": self._plan.extension, "to": self._plan.number})
            if answer.status == 200:
                return [passed("makeCall was accepted.", Section.MAKE_CALL)]
            return [expected("200 for makeCall", str(answer), Section.MAKE_CALL)]
        if self._bridge.send("replay", flow=flow).status == 200:
            self._tell("The bridge replays it.")
        else:
            self._tell(f"{_CALLS[flow]} The check waits up to {self._plan.wait:g} s for each next event.")
        return []

    def _told(self, heard: Heard) -> None:
        self._tell("  ← " + heard.line())

    def _report(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._tell(finding.line(self._mask), masked=True)
        self._reported.update(findings)

    def _tell(self, text: str, *, masked: bool = False) -> None:
        # Deliveries are told from the threads that took them in.
        with self._lock:
            self._say(text if masked else self._mask(text))


def _questions(heard: Sequence[Heard]) -> list[Finding]:
    """What the bridge asked of Hangtag, which answers by itself."""
    findings = []
    for command, section in (("contact", Section.CONTACT), ("ping", Section.PING)):
        answered = sum(one.command == command and one.refusal is None for one in heard)
        if answered:
            findings.append(passed(f"{command} was asked and answered, {answered} times in all.", section))
        else:
            findings.append(note(f"{command} was never asked, which is allowed.", section))
    return findings
