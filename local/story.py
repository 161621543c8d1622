"""`python -m local.story from-log`: writes a call story from entries of an integration's request log."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.simulator.story import StoryError
from local.simulator.story.from_log import LogOptions, read_entries, story_from_log


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0 done, 2 invalid input."""
    options = _parser().parse_args(arguments)
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8")
        story = story_from_log(
            read_entries(text),
            LogOptions(
                about=options.about,
                source=options.source,
                provider=options.provider,
                time_zone=options.time_zone,
                call_ids=tuple(options.call_id),
            ),
        )
        if options.output:
            Path(options.output).write_text(story, encoding="utf-8")
        else:
            sys.stdout.write(story)
    except (OSError, UnicodeDecodeError, StoryError) as error:
        print(f"story: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.story", description="Tools for call stories.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("from-log", help="write a story from request log entries")
    command.add_argument("file", nargs="?", default="-", help="JSON of one entry, a list or a page; default: stdin")
    command.add_argument("--output", "-o", help="file to write; default: stdout")
    command.add_argument("--about", default=LogOptions().about, help="one sentence on the call")
    command.add_argument("--source", help="where the requests come from; default: provider and date")
    command.add_argument("--provider", help="provider key, if the path does not contain it")
    command.add_argument("--time-zone", default="UTC", help="zone of times without one, such as Europe/Kyiv")
    command.add_argument("--call-id", action="append", default=[], help="call id to replace; repeatable")
    return parser


if __name__ == "__main__":
    sys.exit(main())
