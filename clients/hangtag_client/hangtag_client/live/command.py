"""Command line of `live`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag_client.live.client import LiveClient, Tickets, log
from hangtag_client.live.ticket import ApiTickets, check_api
from hangtag_client.live.values import Call, Change

__all__ = ["add_parser", "line"]

VARIABLE = "HANGTAG_TOKEN"
MAX_TOKEN_FILE_BYTES = 4096
USAGE = 2


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command. Its default `run` maps the parsed options to the exit status."""
    parser = commands.add_parser(
        "live",
        help="print an employee's calls in real time",
        description="Print a line for each change in the calls of the token's employee, until Ctrl-C. "
        "Exit status: 0 after Ctrl-C, 1 if the output was closed, 2 for a wrong token, address or usage.",
    )
    parser.add_argument("--api", required=True, type=_api, metavar="URL", help="address of the API")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="F",
        help=f"file with the employee's token (default: the variable {VARIABLE})",
    )
    parser.set_defaults(run=lambda options: _run(parser, options))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    try:
        tickets = _with_address_check(ApiTickets(options.api, _token(options.token_file)), options.api)
        with _log_to(sys.stderr.write):
            asyncio.run(_watch(tickets, lambda text: print(text, flush=True)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except BrokenPipeError:
        # The output was closed.
        return 1
    except (HangtagError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return USAGE
    return 0


async def _watch(tickets: Tickets, write: Callable[[str], None]) -> None:
    _end_on_interrupt()
    async with LiveClient(ticket=tickets) as live:
        async for change in live:
            write(line(change, datetime.now().astimezone()))


def _end_on_interrupt() -> None:
    """Let Ctrl-C cancel the running task, even while it is idle.

    The loop's own handler only sets a flag, which an idle loop does not notice.
    """
    task = asyncio.current_task()
    # Event loops on Windows have no signal handlers; KeyboardInterrupt is raised there.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: task.cancel() if task else None)


def _with_address_check(tickets: Tickets, api_url: str) -> Tickets:
    """Wrap a ticket source: raise BadInputError if the first request gets no response, since the address is wrong."""
    has_responded = False

    async def ticket() -> str:
        nonlocal has_responded
        try:
            url = await tickets()
        except UnreachableError as error:
            if has_responded:
                raise
            raise BadInputError(f"{api_url} does not respond. Check the address.") from error
        except HangtagError:
            has_responded = True
            raise
        has_responded = True
        return url

    return ticket


def _token(file: Path | None) -> str:
    """Return the token from the file or the environment. Raises BadInputError."""
    if file is None:
        token = os.environ.get(VARIABLE, "").strip()
        if not token:
            raise BadInputError(f"The token is missing. Add --token-file, or set {VARIABLE}.")
        return token
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_TOKEN_FILE_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInputError(f"The token file can't be read: {reason}.") from None


def _api(text: str) -> str:
    try:
        return check_api(text)
    except BadInputError as error:
        raise argparse.ArgumentTypeError(error.message) from None


@contextmanager
def _log_to(write: Callable[[str], object]) -> Iterator[None]:
    """Write the client's log records while the context lasts."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write(f"({record.getMessage()})\n")

    handler, level = Handler(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


# ------------------------------------------------------------------ lines


def line(change: Change, at: datetime) -> str:
    """Return a change as one line with its local time. Pure."""
    words = _call(change.call) if change.call else _missed(dict(change.missed_call or {}))
    text = f"{at:%H:%M:%S}  " + "  ".join(word for word in words if word)
    # A contact's name must not contain control characters of the terminal.
    return "".join(character if character.isprintable() else " " for character in text)


def _call(call: Call) -> list[str]:
    details = [call.outcome, call.failure_reason, f"{call.talk_seconds} s" if call.talk_seconds is not None else None]
    return [
        f"{call.window_state:<9}",
        f"{call.direction or '':<3}",
        call.external_number_formatted or call.external_number or call.external_number_raw or "no number",
        call.contact.name or "" if call.contact else "",
        f"line {call.line.name or call.line.number}" if call.line else "",
        f"extension {call.extension}" if call.extension else "",
        f"employee {call.employee.name}" if call.employee and call.employee.name else "",
        ", ".join(word for word in details if word),
        f"tag {call.tag.type or call.tag.id}" if call.tag else "",
    ]


def _missed(body: dict[str, object]) -> list[str]:
    number = body.get("external_number_formatted") or body.get("external_number_raw") or "no number"
    return [f"{'missed':<9}", f"{'in':<3}", str(number)]
