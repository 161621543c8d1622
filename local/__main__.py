"""`python -m local up|down|status`: the embedded stack from the command line."""

import signal
import sys

from local import process, stack
from local.place import LocalError, Place, port_from_environment

USAGE = "usage: python -m local up|down|status   (port: HANGTAG_PORT, 4566 unless set)"


def main(arguments: list[str]) -> int:
    """Run one command. Return the exit code: 0 done, 1 an error that was printed, 2 wrong usage."""
    commands = {"up": up, "down": down, "status": status}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(USAGE, file=sys.stderr)
        return 2
    # `up` cleans up after SIGTERM as after Ctrl-C; a background process ignores Ctrl-C without a handler.
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
    """Start the stack and print its URL."""
    running = stack.up(place)
    print(f"Hangtag is up at {running.api}")
    print(f"  details: {stack.announce(running)}\n  log:     {place.log_file}")
    return 0


def down(place: Place) -> int:
    """Stop the stack and keep its data."""
    print("Hangtag is down" if stack.down(place) else f"nothing runs on port {place.port}")
    return 0


def status(place: Place) -> int:
    """Print the state of the stack. Return exit code 1 if it does not run."""
    pid = process.running_pid(place)
    if pid is None:
        print(f"Hangtag is down (port {place.port})")
        return 1
    running = stack.read(place)
    print(f"Hangtag runs as process {pid}" + (f" at {running.api}" if running else ", not deployed"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
