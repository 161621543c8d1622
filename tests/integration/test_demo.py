"""Exit code of the demo, which reports the results of its stories."""

import pytest

from local import demo
from local.simulator import Story, default_lines, load_story
from local.stack import Stack

PORT = 4618

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def run_once(monkeypatch: pytest.MonkeyPatch, *stories: Story, lands_within: float = demo.LANDS_WITHIN_SECONDS) -> int:
    """Return the exit code of `demo --once` with these stories; each has `lands_within` seconds."""
    prepare = demo.Show.prepare

    def prepare_with_patience(running: Stack, speed: float) -> demo.Show:
        show = prepare(running, speed)
        show.lands_within = lands_within
        return show

    monkeypatch.setenv("HANGTAG_PORT", str(PORT))
    monkeypatch.setattr(
        demo, "load_stories", lambda provider: [story for story in stories if story.provider == provider]
    )
    monkeypatch.setattr(demo.Show, "prepare", staticmethod(prepare_with_patience))
    return demo.main(["--once"])


def test_demo_exits_zero_when_every_story_has_the_expected_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stories = (load_story("answered_incoming"), load_story("internal"), load_story("missed_incoming", "zadarma"))
    assert run_once(monkeypatch, *stories) == 0
    printed = capsys.readouterr().out
    assert "→ Call incoming, Anna Petrova, contact Olga Smirnova, 62 s" in printed
    assert "→ no tag: internal" in printed
    assert "zadarma/missed_incoming" in printed


def test_demo_plays_calls_of_every_provider_into_one_tenant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stories = [load_story("answered_incoming", provider) for provider in default_lines()]
    assert len(stories) >= 7
    assert {event.tenant for story in stories for event in story.events} == {demo.MAIN}
    assert run_once(monkeypatch, *stories) == 0
    printed = capsys.readouterr().out
    assert f"the first of them has {len(stories)} PBXs: {', '.join(default_lines())}" in printed
    for story in stories:
        (line,) = [line for line in printed.splitlines() if f"  {story.title} " in line]
        assert "→ Call incoming, Anna Petrova, contact Olga Smirnova" in line


def test_demo_exits_non_zero_when_a_tag_differs_from_its_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    story = load_story("answered_incoming")
    (expected,) = story.expect
    assert expected.tag is not None
    wrong = expected.model_copy(update={"tag": expected.tag.model_copy(update={"duration": 63})})
    assert run_once(monkeypatch, story.model_copy(update={"expect": (wrong,)}), lands_within=15.0) == 1
    assert "expected 63, found 62" in capsys.readouterr().out
