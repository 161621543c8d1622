"""`python -m local up|down|status`: the embedded stack from the command line."""

import signal
import sys

from local import process, stack
from local.place import LocalError, Place, port_from_environment

USAGE = "usage: python -m local up|down|status   (port: HANGTAG_PORT, 4566 unless set)"


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code (0 done, 1 what it says went wrong, 2 wrong usage)."""
    commands = {"up": up, "down": down, "status": status}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(USAGE, file=sys.stderr)
        return 2
    # Ended from outside, `up` cleans up as on Ctrl-C, which a program started in the background ignores unless told.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return commands[arguments[0]](Place(port_from_environment()))
    except LocalError as error:
        print(f"hangtag: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hangtag: interrupted", file=sys.stderr)
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def up(place: Place) -> int:
    """Bring the stack up and say where it is."""
    running = stack.up(place)
    print(f"Hangtag is up at {running.api}")
    print(f"  details: {stack.announce(running)}\n  log:     {place.log_file}")
    return 0


def down(place: Place) -> int:
    """Stop the stack; its data stays."""
    print("Hangtag is down" if stack.down(place) else f"nothing runs on port {place.port}")
    return 0


def status(place: Place) -> int:
    """Say whether the stack runs; exit code 1 if not."""
    pid = process.running_pid(place)
    if pid is None:
        print(f"Hangtag is down (port {place.port})")
        return 1
    known = stack.read(place)
    print(f"Hangtag runs as process {pid}" + (f" at {known.api}" if known else ", not deployed"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
