"""The command line: `python -m hangtag`, or `hangtag`."""

import argparse
import sys
from collections.abc import Sequence

from hangtag.check.command import add_parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status 2, by SystemExit, for wrong usage."""
    parser = argparse.ArgumentParser(prog="hangtag", description="Tools for those who connect a PBX to Hangtag.")
    add_parser(parser.add_subparsers(title="commands", required=True))
    given = parser.parse_args(arguments)
    return int(given.run(given))


if __name__ == "__main__":
    sys.exit(main())
