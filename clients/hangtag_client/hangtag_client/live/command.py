"""The command line of `live`."""

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
    """Add the command; its `run` takes the parsed arguments and returns the exit status."""
    parser = commands.add_parser(
        "live",
        help="print an employee's calls as they happen",
        description="Prints a line for each change in the calls of the token's employee, until Ctrl-C. "
        "Exit status: 0 after Ctrl-C, 1 if nobody reads the lines, 2 for a wrong token, address or usage.",
    )
    parser.add_argument("--api", required=True, type=_api, metavar="URL", help="address of the API")
    parser.add_argument("--token-file", type=Path, metavar="F",
                        help=f"file with the employee's token (default: what {VARIABLE} holds)")  # fmt: skip
    parser.set_defaults(run=lambda given: _run(parser, given))


def _run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    try:
        tickets = _once_answered(ApiTickets(given.api, _token(given.token_file)), given.api)
        with _told_on(sys.stderr.write):
            asyncio.run(_watch(tickets, lambda text: print(text, flush=True)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except BrokenPipeError:
        # Nobody reads on.
        return 1
    except (HangtagError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return USAGE
    return 0


async def _watch(tickets: Tickets, say: Callable[[str], None]) -> None:
    _end_on_interrupt()
    async with LiveClient(ticket=tickets) as live:
        async for change in live:
            say(line(change, datetime.now().astimezone()))


def _end_on_interrupt() -> None:
    """Have Ctrl-C cancel the running task, also while nothing happens.

    The loop's own handler of it only sets a flag; if that is just before the loop goes to sleep, it sleeps on.
    """
    task = asyncio.current_task()
    # The loops of Windows have no such handlers; there KeyboardInterrupt is raised.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: task.cancel() if task else None)


def _once_answered(tickets: Tickets, api_url: str) -> Tickets:
    """The same; but if nothing ever answered, the address is to blame, and trying again is no use."""
    answered = False

    async def ticket() -> str:
        nonlocal answered
        try:
            url = await tickets()
        except UnreachableError as error:
            if answered:
                raise
            raise BadInputError(f"nothing answers at {api_url}: is the address right?") from error
        except HangtagError:
            answered = True
            raise
        answered = True
        return url

    return ticket


def _token(file: Path | None) -> str:
    """The token from the file or the environment. Raises BadInputError."""
    if file is None:
        token = os.environ.get(VARIABLE, "").strip()
        if not token:
            raise BadInputError(f"there is no token: give --token-file, or set {VARIABLE}")
        return token
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_TOKEN_FILE_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadInputError(f"the token's file can't be read: {reason}") from None


def _api(text: str) -> str:
    try:
        return check_api(text)
    except BadInputError as error:
        raise argparse.ArgumentTypeError(error.message) from None


@contextmanager
def _told_on(write: Callable[[str], object]) -> Iterator[None]:
    """Have what the client does about its connection told to the person."""

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
    """A change in one line, with its local time. Pure."""
    words = _call(change.call) if change.call else _missed(dict(change.missed_call or {}))
    text = f"{at:%H:%M:%S}  " + "  ".join(word for word in words if word)
    # A contact's name must not steer the terminal.
    return "".join(character if character.isprintable() else " " for character in text)


def _call(call: Call) -> list[str]:
    how = [call.outcome, call.failure_reason, f"{call.talk_seconds} s" if call.talk_seconds is not None else None]
    return [
        f"{call.window_state:<9}",
        f"{call.direction or '':<3}",
        call.external_number_formatted or call.external_number or call.external_number_raw or "no number",
        call.contact.name or "" if call.contact else "",
        f"line {call.line.name or call.line.number}" if call.line else "",
        f"extension {call.extension}" if call.extension else "",
        f"employee {call.employee.name}" if call.employee and call.employee.name else "",
        ", ".join(word for word in how if word),
        f"tag {call.tag.type or call.tag.id}" if call.tag else "",
    ]


def _missed(body: dict[str, object]) -> list[str]:
    number = body.get("external_number_formatted") or body.get("external_number_raw") or "no number"
    return [f"{'missed':<9}", f"{'in':<3}", str(number)]
