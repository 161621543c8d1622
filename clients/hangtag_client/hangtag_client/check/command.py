"""The command line of `check-provider`."""

import argparse
import ipaddress
import sys
from urllib.parse import urlsplit

from hangtag_client.check.judge import Flow
from hangtag_client.check.run import Plan, check

__all__ = ["add_parser"]

MAX_WAIT_SECONDS = 3600.0
INTERRUPTED = 130


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command; its `run` takes the parsed arguments and returns the exit status."""
    parser = commands.add_parser(
        "check-provider",
        help="check a PBX's bridge to the telephony API",
        description="Checks a bridge that speaks the telephony API: replays the documented flows against it and "
        "says what does not fit. Exit status: 0 all passed, 1 something failed, 2 wrong usage.",
    )
    parser.add_argument("--bridge", required=True, type=_url, metavar="URL", help="address of the bridge")
    parser.add_argument("--pbx-token", required=True, metavar="T", help="key that the bridge expects in token")
    parser.add_argument("--listen", default="127.0.0.1:8099", type=_address, metavar="HOST:PORT",
                        help="where to listen as the CRM (default: %(default)s; port 0 takes a free one)")  # fmt: skip
    parser.add_argument("--public-url", type=_url, metavar="URL",
                        help="how the bridge reaches that address, if through a tunnel")  # fmt: skip
    parser.add_argument("--planfix-token", metavar="T",
                        help="the CRM's key, for a bridge that is set up by hand instead of by setup")  # fmt: skip
    parser.add_argument("--from", dest="extension", default="", metavar="EXT",
                        help="extension that the outgoing flow calls from")  # fmt: skip
    parser.add_argument("--to", dest="number", type=_number, metavar="NUMBER",
                        help="number that the outgoing flow really dials, digits only")  # fmt: skip
    parser.add_argument("--flow", default="all", choices=[*(str(flow) for flow in Flow), "all"],
                        help="which flow to check (default: %(default)s)")  # fmt: skip
    parser.add_argument("--wait", default=60.0, type=_seconds, metavar="S",
                        help="longest silence within a flow, in seconds (default: %(default)g)")  # fmt: skip
    parser.add_argument("--settle", default=10.0, type=_seconds, metavar="S",
                        help="the same once the call has ended (default: %(default)g)")  # fmt: skip
    parser.set_defaults(run=lambda given: _run(parser, given))


def _run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    flows = tuple(Flow) if given.flow == "all" else (Flow(given.flow),)
    if Flow.OUTGOING in flows and not (given.extension and given.number):
        parser.error("the outgoing flow really dials: give --from and --to, or another --flow")
    host, port = given.listen
    if given.public_url is None and host in ("0.0.0.0", "::"):  # noqa: S104 - refused, not bound
        parser.error(f"{host} is no address that the bridge can post to: give --public-url")
    if given.public_url is None and _is_loopback(host) and not _is_loopback(urlsplit(given.bridge).hostname or ""):
        parser.error(f"the bridge can't reach {host} from where it is: give --public-url (a tunnel) or --listen")
    plan = Plan(
        bridge_url=given.bridge,
        pbx_token=given.pbx_token,
        host=host,
        port=port,
        public_url=given.public_url,
        extension=given.extension,
        number=given.number or "",
        flows=flows,
        wait=given.wait,
        settle=min(given.settle, given.wait),
        planfix_token=given.planfix_token,
    )
    try:
        return 0 if check(plan, lambda line: print(line, flush=True)) else 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on: nobody learns whether it passed.
        return 1
    except OSError as error:
        parser.error(f"can't listen at {host}:{port}: {error.strerror or error}")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1:
        raise argparse.ArgumentTypeError("an address such as https://pbx.example/bridge is expected")
    return text


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError("HOST:PORT is expected, such as 127.0.0.1:8099")
    return host, int(port)


def _number(text: str) -> str:
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise argparse.ArgumentTypeError("digits are expected, such as 79101234567")
    return digits


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a number of seconds is expected") from None
    if not 0 < seconds <= MAX_WAIT_SECONDS:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {MAX_WAIT_SECONDS:g} seconds")
    return seconds


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
