"""`python -m local.simulator list|play`: plays call stories against a webhook, by hand."""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from hangtag.providers.catalog import catalog
from local.simulator.player import Player, PlayerConfig, Run, Target, Webhook
from local.simulator.story import PROVIDER, Story, StoryError, choose, load_stories


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 if every delivery got the reply that its story expects, else 1."""
    given = _parser().parse_args(arguments)
    try:
        return list_stories(given) if given.command == "list" else play(given)
    except StoryError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("simulator: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the stories, and what each is about")
    playing = commands.add_parser("play", help="post the events of stories to a webhook")
    for command in (listing, playing):
        command.add_argument("--provider", default=PROVIDER, help="folder of stories")
    playing.add_argument("--url", required=True, help="the integration's webhook_url")
    playing.add_argument(
        "--secret", action="append", default=[], metavar="NAME=VALUE", help="what the PBX signs with; may be repeated"
    )
    playing.add_argument("--other-url", help="webhook_url of a second tenant, where a story has two")
    playing.add_argument("--other-secret", action="append", default=[], metavar="NAME=VALUE", help="of the second")
    playing.add_argument("--story", action="append", metavar="NAME", help="may be repeated; or all (default)")
    playing.add_argument("--speed", type=float, default=1.0, help="1: real gaps; 10: ten times faster; 0: no gaps")
    playing.add_argument("--at-once", type=int, default=8, help="stories that run at the same time")
    playing.add_argument("--duplicate", type=int, default=1, help="deliver each event N times")
    playing.add_argument("--concurrent", type=int, default=1, help="N copies at the same moment")
    playing.add_argument("--shuffle", action="store_true", help="mix the events of a story")
    playing.add_argument("--seed", type=int, help="mix them the same way again")
    playing.add_argument("--drop", choices=["hangup"], help="what gets lost")
    playing.add_argument("--no-retry", action="store_true", help="send each delivery once only")
    return parser


def list_stories(given: argparse.Namespace) -> int:
    """Print each story's name and what it is about."""
    stories = load_stories(given.provider)
    width = max((len(story.name) for story in stories), default=0)
    for story in stories:
        print(f"{story.name:<{width}}  {story.about}")
    return 0


def play(given: argparse.Namespace) -> int:
    """Play the chosen stories and print each delivery with its reply."""
    named = given.story or ["all"]
    stories = choose(named, given.provider)
    targets: dict[str, Target] = {"main": _webhook(given.provider, given.url, given.secret)}
    if given.other_url:
        targets["other"] = _webhook(given.provider, given.other_url, given.other_secret)
    playable = [story for story in stories if story.tenants <= set(targets)]
    for story in stories:
        if story not in playable:
            print(f"{story.name}: left out, it needs --other-url and --other-token")
    if not playable:
        return 2
    runs = _play_all(_config(given), playable, targets, given.at_once)
    refused = sum(len(run.refused) for run in runs)
    sent = sum(len(run.deliveries) for run in runs)
    print(f"stories: {len(runs)}, deliveries: {sent}, refused: {refused}")
    return 1 if refused else 0


def _webhook(provider: str, url: str, given: Sequence[str]) -> Webhook:
    """Raises StoryError for a secret that is not NAME=VALUE, or one that the PBX can't do without."""
    secrets = dict(one.split("=", 1) for one in given if "=" in one)
    if len(secrets) != len(given):
        raise StoryError("a secret is given as NAME=VALUE")
    missing = [name for name in _needed(provider) if name not in secrets]
    if missing:
        raise StoryError(f"{provider} signs with: {', '.join(missing)}; give each with --secret")
    return Webhook(provider=provider, webhook_url=url, secrets=secrets)


def _needed(provider: str) -> Sequence[str]:
    info = next((info for info in catalog() if info.key == provider), None)
    if info is None:
        raise StoryError(f"there is no provider {provider!r}")
    return (*info.made_secrets, *(name for name in info.verified_with))


def _config(given: argparse.Namespace) -> PlayerConfig:
    try:
        return PlayerConfig(
            speed=given.speed,
            duplicate=given.duplicate,
            concurrent=given.concurrent,
            shuffle=given.shuffle,
            seed=given.seed,
            drop_hangup=given.drop == "hangup",
            retry=not given.no_retry,
        )
    except ValueError as error:
        raise StoryError(str(error)) from None


def _play_all(config: PlayerConfig, stories: Sequence[Story], targets: Mapping[str, Target], at_once: int) -> list[Run]:
    stop = threading.Event()
    player = Player(config, stop)

    def play_one(story: Story) -> Run:
        run = player.play(story, targets)
        lines = [f"{story.name} {' '.join(f'{k}={v}' for k, v in sorted(run.ids.items()))}"]
        lines += [f"  {delivery}" for delivery in run.deliveries]
        print("\n".join(lines), flush=True)
        return run

    with ThreadPoolExecutor(max(1, at_once)) as pool:
        try:
            return list(pool.map(play_one, stories))
        except BaseException:
            # The threads end at their next step; the pool waits for them.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


if __name__ == "__main__":
    sys.exit(main())
