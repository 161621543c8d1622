"""`python -m local.simulator list|play`: plays call stories against a webhook."""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from hangtag.providers.catalog import catalog
from local.simulator.player import Player, PlayerConfig, Run, Target, Webhook
from local.simulator.story import PROVIDER, Story, StoryError, choose, load_stories


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 if all responses are as expected, 1 if not, 2 for invalid input."""
    options = _parser().parse_args(arguments)
    try:
        return list_stories(options) if options.command == "list" else play(options)
    except StoryError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("simulator: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="list the stories with their descriptions")
    playing = commands.add_parser("play", help="send the requests of stories to a webhook")
    for command in (listing, playing):
        command.add_argument("--provider", default=PROVIDER, help="provider, the folder of the stories")
    playing.add_argument("--url", required=True, help="the integration's webhook_url")
    playing.add_argument(
        "--secret", action="append", default=[], metavar="NAME=VALUE", help="secret that the PBX signs with; repeatable"
    )
    playing.add_argument("--other-url", help="webhook_url of the second tenant, for stories with two")
    playing.add_argument(
        "--other-secret",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="secret of the second tenant; repeatable",
    )
    playing.add_argument("--story", action="append", metavar="NAME", help="story to play; repeatable; default: all")
    playing.add_argument("--speed", type=float, default=1.0, help="1: real gaps; 10: ten times faster; 0: no gaps")
    playing.add_argument("--at-once", type=int, default=8, help="number of stories that run at the same time")
    playing.add_argument("--duplicate", type=int, default=1, help="send each event N times")
    playing.add_argument("--concurrent", type=int, default=1, help="send N copies of each event at the same moment")
    playing.add_argument("--shuffle", action="store_true", help="send the events of a story in random order")
    playing.add_argument("--seed", type=int, help="seed of the random order")
    playing.add_argument("--drop", choices=["hangup"], help="leave out these events")
    playing.add_argument("--no-retry", action="store_true", help="do not retry failed requests")
    return parser


def list_stories(options: argparse.Namespace) -> int:
    """Print the name and description of each story."""
    stories = load_stories(options.provider)
    width = max((len(story.name) for story in stories), default=0)
    for story in stories:
        print(f"{story.name:<{width}}  {story.about}")
    return 0


def play(options: argparse.Namespace) -> int:
    """Play the selected stories and print each request with its status."""
    stories = choose(options.story or ["all"], options.provider)
    targets: dict[str, Target] = {"main": _webhook(options.provider, options.url, options.secret)}
    if options.other_url:
        targets["other"] = _webhook(options.provider, options.other_url, options.other_secret)
    playable = [story for story in stories if story.tenants <= set(targets)]
    for story in stories:
        if story not in playable:
            print(f"{story.name}: left out, it needs --other-url and --other-secret")
    if not playable:
        return 2
    runs = _play_all(_config(options), playable, targets, options.at_once)
    rejected = sum(len(run.rejected) for run in runs)
    count = sum(len(run.requests) for run in runs)
    print(f"stories: {len(runs)}, requests: {count}, rejected: {rejected}")
    return 1 if rejected else 0


def _webhook(provider: str, url: str, pairs: Sequence[str]) -> Webhook:
    """Return the target. Raises StoryError for a secret that is not NAME=VALUE, or that is missing."""
    secrets = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(secrets) != len(pairs):
        raise StoryError("A secret must be NAME=VALUE.")
    missing = [name for name in _secret_names(provider) if name not in secrets]
    if missing:
        raise StoryError(f"{provider} signs with {', '.join(missing)}. Pass each with --secret.")
    return Webhook(provider=provider, webhook_url=url, secrets=secrets)


def _secret_names(provider: str) -> Sequence[str]:
    info = next((info for info in catalog() if info.key == provider), None)
    if info is None:
        raise StoryError(f"Unknown provider {provider!r}.")
    return (*info.made_secrets, *(name for name in info.verified_with))


def _config(options: argparse.Namespace) -> PlayerConfig:
    try:
        return PlayerConfig(
            speed=options.speed,
            duplicate=options.duplicate,
            concurrent=options.concurrent,
            shuffle=options.shuffle,
            seed=options.seed,
            drop_hangup=options.drop == "hangup",
            retry=not options.no_retry,
        )
    except ValueError as error:
        raise StoryError(str(error)) from None


def _play_all(config: PlayerConfig, stories: Sequence[Story], targets: Mapping[str, Target], at_once: int) -> list[Run]:
    stop = threading.Event()
    player = Player(config, stop)

    def play_one(story: Story) -> Run:
        run = player.play(story, targets)
        lines = [f"{story.name} {' '.join(f'{k}={v}' for k, v in sorted(run.ids.items()))}"]
        lines += [f"  {request}" for request in run.requests]
        print("\n".join(lines), flush=True)
        return run

    with ThreadPoolExecutor(max(1, at_once)) as pool:
        try:
            return list(pool.map(play_one, stories))
        except BaseException:
            # The threads end at their next event; the pool waits for them.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


if __name__ == "__main__":
    sys.exit(main())
