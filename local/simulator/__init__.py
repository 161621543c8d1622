"""A PBX made of stories: what PBXs post, played over HTTP, and the judging of what came of it.

`story` reads the stories of `events/<provider>/`, `office` sets up the tenants they play in, `player` posts them (with
`faults` on demand; `pbx` signs them as the real PBXs do), `judge` compares the calls and tags in the API with what the
story expects. `rest` holds fakes of the PBXs' own APIs. `python -m local.simulator` plays by hand.
"""

from local.simulator.api import Api, ApiError
from local.simulator.http import Backoff
from local.simulator.judge import Judge, Verdict
from local.simulator.lines import Line, default_lines
from local.simulator.office import Office, build_office
from local.simulator.player import Delivery, Player, PlayerConfig, Run, Target, Webhook
from local.simulator.story import OfficePlan, Story, StoryError, load_office_plan, load_stories, load_story

__all__ = [
    "Api",
    "ApiError",
    "Backoff",
    "Delivery",
    "Judge",
    "Line",
    "Office",
    "OfficePlan",
    "Player",
    "PlayerConfig",
    "Run",
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
