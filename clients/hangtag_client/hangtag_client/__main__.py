"""Command line: `hangtag`, or `python -m hangtag_client`."""

import argparse
import sys
from collections.abc import Sequence

from hangtag_client.check.command import add_parser as add_check
from hangtag_client.live.command import add_parser as add_live

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Raises SystemExit(2) for wrong usage."""
    parser = argparse.ArgumentParser(prog="hangtag", description="Tools to connect a PBX or a program to Hangtag.")
    commands = parser.add_subparsers(title="commands", required=True)
    add_check(commands)
    add_live(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
