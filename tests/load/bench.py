"""`make bench`: the cost of a call, as ratios and counts of this run. Exits with 1 if one exceeds its target."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from calls import Pbx, as_text, hang_up_to_tag, make_pbx, table_calls_per_webhook, transitions_per_call
from fault_proxy import FaultPlan, fault_proxy
from live import browsers, calls_per_message, post_to_message
from local import stack as local_stack
from local.simulator import Api, build_office, load_office_plan
from office_clone import end_set_up
from process import ED25519, SIGNED, cpu_ratio, import_ratio, modules_imported
from reports import lone_table, refreshes

PORT = 4621
PROXY_PORT = 4622
IMPORT_TARGET = 1.4
REFRESH_WRITES = 6


@contextmanager
def a_pbx(fault_endpoint: str | None = None) -> Iterator[Pbx]:
    """Run a stack with one office, behind a proxy if `fault_endpoint` is set."""
    with local_stack.running(port=PORT, fault_endpoint=fault_endpoint, environment={"HANGTAG_WORKERS": "12"}) as stack:
        office = build_office(Api(stack.api, stack.operator_token), load_office_plan())
        # The first requests of a new webhook URL are logged for the admin, which costs more.
        end_set_up(stack, office.webhook_url)
        yield make_pbx(stack, office)


def report_costs(show: Callable[[str, float, float | None], None]) -> dict[str, dict[str, int]]:
    """Measure the cost of report refreshes, for days with growing numbers of calls."""
    costs = {}
    with local_stack.running(port=PORT) as stack, lone_table(stack) as table_name:
        for size, busiest, what, cost in refreshes(table_name, "0" * 16):
            costs[f"{size} {what}"] = asdict(cost)
            where = f"a refresh ({what}), {size} calls a day, {busiest} in its hour"
            # The hour's sums and their version; more only for sums of several items, and for new callers.
            show(f"{where}: writes", cost.writes, None if what == "first" else REFRESH_WRITES)
            show(f"{where}: reads", cost.reads, None)
            show(f"{where}: kilobytes written", cost.bytes_written / 1024, None)
            show(f"{where}: kilobytes read", cost.bytes_read / 1024, None)
    return costs


def main() -> int:
    """Measure, print, and compare with the targets."""
    missed = []

    def show(what: str, figure: float, target: float | None = None) -> None:
        if target is not None and figure > target:
            missed.append(what)
        aim = "" if target is None else f"   (target: at most {target:g})"
        sys.stdout.write(f"{what:<84} {figure:8.2f}{aim}\n")
        sys.stdout.flush()

    start, cpu = import_ratio(), cpu_ratio()
    show("webhook's start / botocore's session and a DynamoDB client", start, IMPORT_TARGET)
    modules = modules_imported()
    show("modules that the webhook imports (Zadarma)", modules)
    signed, ed25519 = import_ratio(SIGNED), import_ratio(ED25519)
    show("webhook's start, PBX that signs with a secret (KMS)", signed)
    show("webhook's start, PBX that signs with Ed25519 (KMS, cryptography)", ed25519)
    show("webhook's own CPU / parsing and one HMAC of the same body", cpu)
    plan = FaultPlan()
    with fault_proxy(plan, upstream_port=PORT, port=PROXY_PORT) as endpoint, a_pbx(endpoint) as pbx:
        table = table_calls_per_webhook(pbx, plan)
        show("table writes a webhook, warm", table["writes"], 1)
        show("table reads a webhook, warm", table["reads"], 0)
        transitions = transitions_per_call(pbx)
        show("state transitions of a normal call", transitions, 2)
        with browsers(pbx, 1) as one:
            extension, browser = next(iter(one.items()))
            message = calls_per_message(pbx, plan, extension, browser)
        show("table writes from a POST to the window, the webhook's included", message["writes"])
        show("table reads from a POST to the window (consistent, known contact)", message["reads"])
    times = {}
    with a_pbx() as pbx:
        # Warm workers, as on AWS.
        hang_up_to_tag(pbx, 20)
        for at_once in (1, 20, 100):
            median, worst = hang_up_to_tag(pbx, at_once)
            times[at_once] = (round(median, 3), round(worst, 3))
            show(f"hang-up to tag, calls at once: {at_once}; median, seconds", median)
            show(f"hang-up to tag, calls at once: {at_once}; worst, seconds", worst)
        windows = {}
        with browsers(pbx, 100) as all_browsers:
            post_to_message(pbx, all_browsers, 20, 1)
            for at_once, rounds in ((1, 30), (20, 5), (100, 3)):
                took = post_to_message(pbx, all_browsers, at_once, rounds)
                windows[at_once] = (took.count, round(took.median, 3), round(took.p99, 3))
                show(f"POST to window, calls at once: {at_once}; median of {took.count}, seconds", took.median)
                show(f"POST to window, calls at once: {at_once}; 99th percentile, seconds", took.p99)
    costs = report_costs(show)
    figures = {
        "import": start,
        "modules": modules,
        "signed": signed,
        "ed25519": ed25519,
        "cpu": cpu,
        **table,
        "transitions": transitions,
        "hang_up_to_tag": times,
        "message": message,
        "post_to_window": windows,
        "reports": costs,
    }
    sys.stdout.write(as_text(figures) + "\n")
    if missed:
        sys.stdout.write("over target: " + "; ".join(missed) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
