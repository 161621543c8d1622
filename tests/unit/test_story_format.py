"""The short forms of story files: `common`, `table`, and the writer that chooses between them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.simulator.story import EVENTS, Story, StoryError, load_stories, read_story
from local.simulator.story.format import FormatError, expand
from local.simulator.story.writer import write_events

FILES = sorted(path for path in EVENTS.glob("*/*.yaml"))
DOCS = Path(__file__).resolve().parents[2] / "docs" / "stories.md"
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def events(text: str) -> Any:
    """Return the events that a story's text expands to."""
    return expand(yaml.safe_load(text))["events"]


# ------------------------------------------------------------------ common


def test_common_fields_are_merged_into_every_event() -> None:
    text = """
    common: {rest: calls, query: {leg: a}, post: {type: in, callid: "{call}"}}
    events:
      - {after: 0, post: {event: RING}}
      - {after: 5, rest: ends, post: {event: END, type: out}}
    """
    assert events(text) == [
        {
            "after": 0,
            "rest": "calls",
            "query": {"leg": "a"},
            "post": {"type": "in", "callid": "{call}", "event": "RING"},
        },
        {
            "after": 5,
            "rest": "ends",
            "query": {"leg": "a"},
            "post": {"type": "out", "callid": "{call}", "event": "END"},
        },
    ]


def test_nested_json_is_merged_field_by_field() -> None:
    text = """
    common: {body: {data: {id: 1, party: {name: Anna, legs: [1, 2]}}}}
    events: [{body: {data: {party: {legs: [3]}, state: up}}}]
    """
    assert events(text) == [{"body": {"data": {"id": 1, "party": {"name": "Anna", "legs": [3]}, "state": "up"}}}]


def test_integer_keys_address_the_elements_of_a_common_list() -> None:
    text = """
    common: {body: {parties: [{id: 1, status: {code: Setup, rcc: false}}]}}
    events: [{body: {parties: {0: {status: {code: Answered}}, 1: {id: 2}}}}]
    """
    parties = [{"id": 1, "status": {"code": "Answered", "rcc": False}}, {"id": 2}]
    assert events(text) == [{"body": {"parties": parties}}]


def test_null_removes_a_common_form_field() -> None:
    text = "{common: {post: {a: x, b: y}, query: {c: z}}, events: [{query: ~, post: {a: ~}}]}"
    assert events(text) == [{"post": {"b": "y"}}]


def test_null_in_a_body_is_json_null() -> None:
    assert events("{common: {body: {a: 1}}, events: [{body: {a: ~, b: ~}}]}") == [{"body": {"a": None, "b": None}}]


def test_without_removes_common_fields_of_a_body() -> None:
    text = """
    common: {body: {data: {id: 1, state: up}, parties: [{id: 1, name: Anna}]}}
    events: [{without: [body.data.state, body.parties.0.name]}]
    """
    assert events(text) == [{"body": {"data": {"id": 1}, "parties": [{"id": 1}]}}]


def test_events_do_not_share_what_they_merge() -> None:
    first, second = events("{common: {body: {a: {b: 1}}}, events: [{body: {a: {b: 2}}}, {}]}")
    assert (first, second) == ({"body": {"a": {"b": 2}}}, {"body": {"a": {"b": 1}}})


# ------------------------------------------------------------------ table


def test_table_rows_become_events_with_form_fields() -> None:
    text = """
    common: {post: {callid: "{call}"}}
    table: |
      after | hangup | tenant | reply | event | ext
      0     |        |        |       | RING  | 101
      # Comments stand between rows.
      62.5  | yes    | other  | 404   | END   |
    """
    assert events(text) == [
        {"after": 0, "post": {"callid": "{call}", "event": "RING", "ext": "101"}},
        {"after": 62.5, "hangup": True, "tenant": "other", "reply": 404, "post": {"callid": "{call}", "event": "END"}},
    ]


def test_quoted_cell_can_be_empty_or_contain_a_pipe() -> None:
    text = """
    table: |
      a  | b       | c                                | d
      "" | "x | y" | {start:Europe/Moscow|%H:%M}      | "say \\"hi\\""
    """
    assert events(text) == [{"post": {"a": "", "b": "x | y", "c": "{start:Europe/Moscow|%H:%M}", "d": 'say "hi"'}}]


def test_columns_of_a_body_are_json_with_dotted_names() -> None:
    text = """
    common: {body: {data: {id: "{call}"}}}
    table: |
      data.state | data.seconds | flags       | legs.0.ext | text    | ext
      up         | 62           | {"a": true} | "101"      | {call}x | null
    """
    data = {"id": "{call}", "state": "up", "seconds": 62}
    body = {"data": data, "flags": {"a": True}, "legs": [{"ext": "101"}], "text": "{call}x", "ext": None}
    assert events(text) == [{"body": body}]


def test_empty_cell_removes_a_common_field() -> None:
    text = "common: {body: {a: 1, b: 2}}\ntable: |\n  a | c.d\n    |\n  3 | 4\n"
    assert events(text) == [{"body": {"b": 2}}, {"body": {"a": 3, "b": 2, "c": {"d": 4}}}]


@pytest.mark.parametrize("payload", ["post", "query", "body"])
def test_payload_sets_the_place_of_the_columns(payload: str) -> None:
    assert events(f"payload: {payload}\ntable: |\n  a\n  x\n") == [{payload: {"a": "x"}}]


def test_prefix_of_a_column_names_its_place() -> None:
    text = "table: |\n  rest | post.rest | query.leg | headers.x-id | body.a.b\n  p | r | 1 | h | 2\n"
    assert events(text) == [
        {"rest": "p", "post": {"rest": "r"}, "query": {"leg": "1"}, "headers": {"x-id": "h"}, "body": {"a": {"b": 2}}}
    ]


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("about: x", "no events. Add `events` or `table`."),
        ("{events: [], table: x}", "either `events` or `table`"),
        ("{events: [], payload: body}", "has no `table`"),
        ("{common: [], events: []}", "`common` must be a mapping"),
        ("{common: {phone: x}, events: []}", "common.phone: unknown event key"),
        ("{common: {post: x}, events: []}", "common.post: must be a mapping"),
        ("{events: [{post: {a: ~}}]}", "events.0.post.a: null removes a common field"),
        ("{common: {body: {a: 1}}, events: [{without: [body.b]}]}", "events.0.without: `common` has no field body.b"),
        ("{common: {body: {a: 1}}, events: [{without: body.a}]}", "events.0.without: must be a list"),
        ("{common: {body: {a: [1]}}, events: [{body: {a: {4: 1}}}]}", "1 elements, so element 4 cannot be set"),
        ("{table: [a]}", "`table` must be a text block"),
        ("table: |\n  a | b\n", "at least one row"),
        ("table: |\n  a | b\n  1\n", "table line 2: the row has 1 cells, and the header has 2 columns"),
        ("table: |\n  | a |\n  | 1 |\n", "column without a name"),
        ("table: |\n  a | a\n  1 | 2\n", "columns a and a name the same field"),
        ("payload: body\ntable: |\n  a | a.b\n  1 | 2\n", "columns a and a.b name the same field"),
        ("payload: form\ntable: |\n  a\n  1\n", "payload: 'form' is unknown. Use one of post, body, query."),
        ("table: |\n  after | a\n  soon  | 1\n", "table line 2, column after: 'soon' is not a number"),
        ("table: |\n  reply | a\n  yes   | 1\n", "table line 2, column reply: 'yes' is not a number"),
        ("table: |\n  hangup | a\n  maybe  | 1\n", "column hangup: 'maybe' is neither yes nor no"),
        ('table: |\n  a | b\n  "x | y\n', "table line 2: a quoted cell has no closing"),
        ('table: |\n  a\n  "x"y\n', "table line 2, column a: .* is not a quoted text"),
    ],
)
def test_broken_rule_of_the_format_is_named(text: str, rule: str) -> None:
    with pytest.raises(FormatError, match=rule.replace("{", r"\{")):
        events(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("table: |\n  after | a\n  -1    | 1\n", r"events\.0\.after: Input should be greater"),
        ("table: |\n  a | b\n  1\n", "table line 2"),
        ("told: {line: x}\nevents: [{}]\n", "told: Extra inputs"),
        ("events: [{after: 0, phone: x}]\n", r"events\.0\.phone: Extra inputs"),
        ("events: x\n", "events: Input should be a valid tuple"),
        ("events: [x]\n", r"events\.0: Input should be"),
        ("events: [{}]\n", "`expect` is missing"),
    ],
)
def test_error_of_a_story_names_the_file_first(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(f"about: x\nsource: y\n{text}")
    with pytest.raises(StoryError, match=rf"^{re.escape(str(path))}: {rule}"):
        read_story(path)


def test_story_that_is_not_a_mapping_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("- a\n")
    with pytest.raises(StoryError, match=r"broken\.yaml: file: Input should be"):
        read_story(tmp_path / "broken.yaml")


# ------------------------------------------------------------------ files


@each_file
def test_written_events_expand_to_those_of_the_file(path: Path) -> None:
    original = events(path.read_text())
    plain = yaml.safe_dump({"events": original}, sort_keys=False, allow_unicode=True)
    text = write_events(original)
    assert [{"after": 0, **event} for event in events(text)] == [{"after": 0, **event} for event in events(plain)]


@each_file
def test_file_has_no_line_over_160_characters(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > 160] == []


def test_events_with_values_that_yaml_misreads_survive_writing() -> None:
    values = [
        "",
        " x",
        "no",
        "1e3",
        "0x1F",
        "12:30",
        "~",
        "null",
        "a: b",
        "#c",
        "a #b",
        "{call}",
        "a|b",
        '"',
        "'",
        "\\",
        "é",
        "\t",
    ]
    original = [{"after": 0, "post": {"v": value, "w": "same"}} for value in values]
    original += [{"after": 1.5, "body": {"v": value, "n": None, "f": 1.5, "l": [1, {"x": value}]}} for value in values]
    for start in range(len(original)):
        written = original[start : start + 3]
        assert [{"after": 0, **event} for event in events(write_events(written))] == written


# ------------------------------------------------------------------ docs


def examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", DOCS.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_docs_have_an_example_of_each_form() -> None:
    text = "\n".join(examples())
    for form in (
        "common:",
        "table: |",
        "payload:",
        "without:",
        "overrides:",
        "clicked:",
        "expect:",
        "{start",
        "post:",
        "body:",
    ):
        assert form in text, form


@pytest.mark.parametrize("example", range(len(examples())))
def test_example_of_the_docs_is_a_valid_story(example: int, tmp_path: Path) -> None:
    names = re.findall(r"^# events/(\w+)/(\w+)\.yaml$", examples()[example], flags=re.MULTILINE)
    assert len(names) == 1, "An example starts with the comment `# events/<provider>/<story>.yaml`."
    path = tmp_path / names[0][0] / f"{names[0][1]}.yaml"
    path.parent.mkdir()
    path.write_text(examples()[example])
    story = read_story(path)
    assert isinstance(story, Story)
    assert story.expect


def test_docs_name_stories_that_exist() -> None:
    names = {
        (story.provider, story.name)
        for folder in EVENTS.iterdir()
        if folder.is_dir()
        for story in load_stories(folder.name)
    }
    linked = re.findall(r"\]\(\.\./events/(\w+)/(\w+)\.yaml\)", DOCS.read_text())
    assert linked
    assert set(linked) <= names
