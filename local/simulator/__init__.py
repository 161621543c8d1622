"""Simulator of PBXs: plays call stories over HTTP and checks the calls and tags that result.

`story` reads the stories of `events/<provider>/` (`story_format` expands their short forms), `office` sets up the
tenants, `player` sends the requests (with `faults` on demand; `pbx` signs them as the real PBX does), and `judge`
compares calls and tags in the API with the story's expectation. `rest` holds fakes of the PBXs' own REST APIs.
`python -m local.simulator` plays stories from the command line, `python -m local.story` writes one from a log.
"""

from local.simulator.api import Api, ApiError
from local.simulator.http import Backoff
from local.simulator.judge import Judge, Verdict
from local.simulator.lines import Line, default_lines
from local.simulator.office import Office, build_office
from local.simulator.player import Player, PlayerConfig, Run, SentRequest, Target, Webhook
from local.simulator.story import OfficePlan, Story, StoryError, load_office_plan, load_stories, load_story

__all__ = [
    "Api",
    "ApiError",
    "Backoff",
    "Judge",
    "Line",
    "Office",
    "OfficePlan",
    "Player",
    "PlayerConfig",
    "Run",
    "SentRequest",
    "Story",
    "StoryError",
    "Target",
    "Verdict",
    "Webhook",
    "build_office",
    "default_lines",
    "load_office_plan",
    "load_stories",
    "load_story",
]
