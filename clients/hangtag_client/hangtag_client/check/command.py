"""Command line of `check-provider`."""

import argparse
import ipaddress
import sys
from urllib.parse import urlsplit

from hangtag_client.check.flows import Flow
from hangtag_client.check.run import Plan, check

__all__ = ["add_parser"]

MAX_WAIT_SECONDS = 3600.0
INTERRUPTED = 130


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command. Its default `run` maps the parsed options to the exit status."""
    parser = commands.add_parser(
        "check-provider",
        help="check a PBX's bridge to the telephony API",
        description="Check a bridge to the telephony API: replay the documented call flows and report differences. "
        "Exit status: 0 all passed, 1 a check failed, 2 wrong usage.",
    )
    parser.add_argument("--bridge", required=True, type=_url, metavar="URL", help="address of the bridge")
    parser.add_argument(
        "--pbx-token", required=True, metavar="T", help="key that the bridge expects in the field token"
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:8099",
        type=_address,
        metavar="HOST:PORT",
        help="address of the simulated CRM (default: %(default)s; port 0 selects a free port)",
    )
    parser.add_argument(
        "--public-url",
        type=_url,
        metavar="URL",
        help="public address of the simulated CRM, if the bridge reaches it through a tunnel",
    )
    parser.add_argument(
        "--planfix-token",
        metavar="T",
        help="key of the CRM, for a bridge that is set up by hand instead of with the command setup",
    )
    parser.add_argument(
        "--from",
        dest="extension",
        default="",
        metavar="EXT",
        help="extension that places the call of the outgoing flow",
    )
    parser.add_argument(
        "--to",
        dest="number",
        type=_number,
        metavar="NUMBER",
        help="number that the outgoing flow dials in a real call, digits only",
    )
    parser.add_argument(
        "--flow",
        default="all",
        choices=[*(str(flow) for flow in Flow), "all"],
        help="flow to check (default: %(default)s)",
    )
    parser.add_argument(
        "--wait",
        default=60.0,
        type=_seconds,
        metavar="S",
        help="longest silence within a flow, in seconds (default: %(default)g)",
    )
    parser.add_argument(
        "--settle",
        default=10.0,
        type=_seconds,
        metavar="S",
        help="longest silence after the end of the call, in seconds (default: %(default)g)",
    )
    parser.set_defaults(run=lambda options: _run(parser, options))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    flows = tuple(Flow) if options.flow == "all" else (Flow(options.flow),)
    if Flow.OUTGOING in flows and not (options.extension and options.number):
        parser.error("The outgoing flow places a real call. Add --from and --to, or choose another --flow.")
    host, port = options.listen
    if options.public_url is None and host in ("0.0.0.0", "::"):  # noqa: S104 - rejected, not bound
        parser.error(f"The bridge can't post to {host}. Add --public-url.")
    if options.public_url is None and _is_loopback(host) and not _is_loopback(urlsplit(options.bridge).hostname or ""):
        parser.error(f"The bridge can't reach {host} from its host. Add --public-url (a tunnel) or --listen.")
    plan = Plan(
        bridge_url=options.bridge,
        pbx_token=options.pbx_token,
        host=host,
        port=port,
        public_url=options.public_url,
        extension=options.extension,
        number=options.number or "",
        flows=flows,
        wait=options.wait,
        settle=min(options.settle, options.wait),
        planfix_token=options.planfix_token,
    )
    try:
        return 0 if check(plan, lambda line: print(line, flush=True)) else 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The output was closed, so the result is lost.
        return 1
    except OSError as error:
        parser.error(f"Can't listen at {host}:{port}: {error.strerror or error}.")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1:
        raise argparse.ArgumentTypeError("Enter an address such as https://pbx.example/bridge.")
    return text


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError("Enter HOST:PORT, such as 127.0.0.1:8099.")
    return host, int(port)


def _number(text: str) -> str:
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise argparse.ArgumentTypeError("Enter digits only, such as 79101234567.")
    return digits


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("Enter a number of seconds.") from None
    if not 0 < seconds <= MAX_WAIT_SECONDS:
        raise argparse.ArgumentTypeError(f"Enter more than 0 and at most {MAX_WAIT_SECONDS:g} seconds.")
    return seconds


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
