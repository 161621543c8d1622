"""Prose lint: each category has an example that hits and one that does not."""

import io
import tokenize
from pathlib import Path

import pytest

from tools import prose
from tools.prose import Text, check, comments, main, read, text_hits
from tools.prose_words import WORDS

ROOT = Path(__file__).parents[2]


def categories(text: str, *, opens: bool = False) -> list[str]:
    """Return the categories of the hits in a text."""
    return [hit.category for hit in text_hits(Text("tests", "a.py", 1, text, opens=opens))]


def python(source: str, path: str = "layers/a.py") -> list[tuple[str, str, int, str]]:
    """Return corpus, category, line and word of each hit in a Python module."""
    texts, names = read(path, source)
    hits = [*names, *(hit for text in texts for hit in text_hits(text))]
    return sorted((hit.corpus, hit.category, hit.line, hit.word) for hit in hits)


@pytest.mark.parametrize(
    ("category", "hit", "clean"),
    [
        ("speech", "The PBX says that the call ended.", "The PBX reports that the call ended."),
        ("speech", "It was told once.", "The admin is notified once."),
        ("archaic", "Read the page anew.", "Read the page again."),
        ("archaic", "It stands beside the table.", "It stands next to the table."),
        ("negative", "The body is no JSON.", "The body is not JSON."),
        ("negative", "A line is nobody's.", "A line is unassigned."),
        ("negative", "There is none.", "The value is None."),
        ("relative", "Retry whatever failed.", "Retry the failed messages."),
        ("relative", "It rings. Whose phone it is does not matter.", "The employee whose phone rings is notified."),
        ("preposition", "A list of which one counts.", "A list. One of its items counts."),
        ("obligation", "The call is to be tagged.", "The call should be tagged."),
        ("metaphor", "The door to one PBX.", "The client of one PBX."),
        ("metaphor", "Work off the queue.", "Process the queue."),
        ("metaphor", "Takes in a webhook request.", "Ingests a webhook request."),
        ("vague", "Nothing else is stored.", "Only the digest is stored."),
    ],
)
def test_each_category_has_words_that_hit(category: str, hit: str, clean: str) -> None:
    assert category in categories(hit)
    assert categories(clean) == []


def test_every_category_of_words_has_an_example() -> None:
    examples = test_each_category_has_words_that_hit.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {example[0] for example in examples} == set(WORDS)


@pytest.mark.parametrize("opening", ["What it holds.", "Whether it rang.", "The same of a list.", "\n    Whose it is."])
def test_headless_opening_is_a_hit(opening: str) -> None:
    assert "headless" in categories(opening, opens=True)


@pytest.mark.parametrize("opening", ["Return what it holds.", "The sameness of lists.", "Whatsoever."])
def test_imperative_or_noun_opening_is_clean(opening: str) -> None:
    assert "headless" not in categories(opening, opens=True)


def test_headless_words_count_only_at_the_opening() -> None:
    assert categories("What it holds.") == []


def test_text_in_backticks_is_skipped() -> None:
    assert categories("The field `said` and ``told`` and `is no\nmore`.") == []
    assert categories("A stray ` and then it said\n\nanother ` here.") == ["speech"]


def test_words_over_two_lines_are_one_hit() -> None:
    hit = next(text_hits(Text("tests", "a.py", 7, "First.\nIt is\nno list.")))
    assert (hit.line, hit.word) == (8, "is no")


def test_comment_lines_of_one_block_are_one_text() -> None:
    assert python("# It is\n# no list.\nA = 1\n") == [("layers functions", "negative", 1, "is no")]
    assert python("A = 1  # It is\n# no list.\n") == []


def test_number_sign_in_a_string_is_not_a_comment() -> None:
    assert python('A = "# it said"\n') == []


def test_comments_are_those_of_the_tokenizer() -> None:
    for path in (*sorted((ROOT / "tools").glob("*.py")), *sorted((ROOT / "tests" / "unit").glob("test_*.py"))):
        source = path.read_text(encoding="utf-8")
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        lines = [token.start[0] for token in tokens if token.type == tokenize.COMMENT]
        assert [comment.line for comment in comments(source)] == lines, path


@pytest.mark.parametrize(
    "source",
    [
        "A = 1  # The admin is asked to confirm. prose: ok\n",
        'def confirm():\n    """Notify the admin, who is asked to confirm."""  # prose: ok\n',
        'def confirm():\n    """Notify.\n\n    The admin is asked to confirm.\n    """  # prose: ok\n',
    ],
)
def test_people_may_speak_where_marked(source: str) -> None:
    assert python(source) == []
    assert [hit[1] for hit in python(source.replace("prose: ok", ""))] == ["speech"]


def test_mark_exempts_speech_only() -> None:
    assert python("A = 1  # The line is no line. prose: ok\n") == [("layers functions", "negative", 1, "is no")]


def test_mark_exempts_its_own_line_only() -> None:
    assert python("# It said. prose: ok\n# It told.\n") == [("layers functions", "speech", 2, "told")]


@pytest.mark.parametrize(
    "statement",
    [
        'raise ValueError("it is no number")',
        'raise ValueError(f"it is no number: {value}")',
        "raise ValueError(TEXT) from None",
        'raise BadInputError(text, (FieldError("to", "it is no number"),))',
        'error = FieldError("to", "it is no number")',
    ],
)
def test_messages_of_exceptions_are_user_facing(statement: str) -> None:
    source = f'TEXT = "it is no number"\n{statement}\n'
    assert python(source) == [("messages", "negative", 1 if "(TEXT)" in statement else 2, "is no")]
    assert python(source, "tests/a.py") == []


def test_fields_read_in_a_message_are_not_prose() -> None:
    assert python("raise ValueError(f\"Unknown line {row['said']}.\")\n") == []


def test_first_argument_of_a_logger_is_prose() -> None:
    assert python('logger.info("not told", extra={"told": 1})\n') == [("logs", "speech", 1, "told")]
    assert python('logger.info("live.push_failed", extra={"told": 1})\n') == []
    assert python('parser.error("not told")\n') == []


def test_markdown_is_read_outside_code_blocks() -> None:
    page = "The PBX says\n\n1. ```sh\n   it said\n   ```\n\n[told](told.md) `said`\n"
    texts, _ = read("docs/a.md", page)
    assert [(hit.line, hit.word) for text in texts for hit in text_hits(text)] == [(1, "says"), (7, "told")]


def test_markdown_mark_is_an_html_comment() -> None:
    texts, _ = read("docs/a.md", "Employees say hello. <!-- prose: ok -->\nThe PBX says hello.\n")
    assert [hit.line for text in texts for hit in text_hits(text)] == [2]


def test_summaries_and_descriptions_of_the_api_are_read() -> None:
    document = '{\n "summary": "Say \\"no\\"",\n "description": "What it is.",\n "title": "said"\n}\n'
    texts, _ = read("docs/openapi.json", document)
    hits = [(hit.corpus, hit.category, hit.line) for text in texts for hit in text_hits(text)]
    assert hits == [("openapi", "speech", 2), ("openapi", "headless", 3)]


def test_descriptions_and_comments_of_a_template_are_read() -> None:
    template = (
        "# A queue is told\nDescription: >-\n  The stack says\n  nothing.\n"
        "Alarm:\n  AlarmDescription: Nobody's queue  # anew\n  Other: it said\n"
    )
    texts, _ = read("template.yaml", template)
    hits = {(hit.corpus, hit.line, hit.word) for text in texts for hit in text_hits(text)}
    assert {("configuration", 1, "told"), ("alarms", 3, "says"), ("alarms", 6, "Nobody's")} <= hits
    assert "said" not in {word for _, _, word in hits}


def test_dropped_names_and_participles_are_hits() -> None:
    source = "class Door: ...\ndef take_in(told, *, size): ...\ndef _led(): ...\nkept = Door()\n"
    assert [(category, word) for _, category, _, word in python(source)] == [
        ("binding", "kept"),
        ("glossary", "Door"),
        ("glossary", "take_in"),
        ("participle", "told"),
        ("participle", "_led"),
    ]


def test_names_that_contain_a_dropped_name_are_clean() -> None:
    assert python("class Doorbell: ...\ndef taken_at(known_numbers): ...\n") == []


def test_test_names_have_at_most_80_characters() -> None:
    for length, number in ((80, 0), (81, 1)):
        source = f"def test_{'a' * (length - 5)}(): ...\n"
        _, names = read("tests/unit/test_a.py", source)
        assert [hit.category for hit in names] == ["test-name"] * number


def tree(root: Path, limits: str, comment: str) -> Path:
    """Write a tree of one module, and the limits of its prose."""
    (root / "layers").mkdir()
    (root / "layers" / "a.py").write_text(f"# {comment}\n")
    (root / "pyproject.toml").write_text(f"[tool.prose.limits]\n{limits}\n")
    return root


def test_figure_above_its_limit_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path, '"layers functions" = { speech = 199.9 }', "The PBX said no more.")
    assert main([], root) == 1
    printed = capsys.readouterr().out
    assert 'layers/a.py:1: "said" (speech): use contains, reports' in printed
    assert "FAILED layers functions: speech 200.0 is above 199.9" in printed


def test_figure_at_its_limit_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path, '"layers functions" = { speech = 200 }', "The PBX said no more.")
    assert main([], root) == 0
    assert "layers/a.py" not in capsys.readouterr().out


def test_aim_replaces_the_limits(tmp_path: Path) -> None:
    root = tree(tmp_path, '"layers functions" = { speech = 200 }', "The PBX said no more.")
    assert main(["--aim"], root) == 1


def test_paths_list_every_hit_without_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path, '"layers functions" = { speech = 0 }', "The PBX said no more.")
    assert main(["layers"], root) == 0
    assert "layers/a.py:1" in capsys.readouterr().out
    assert main(["layers", "--aim"], root) == 1


def test_printed_limits_are_those_that_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path, "", "The PBX said, what is said is no more.")
    assert main(["--limits"], root) == 0
    (root / "pyproject.toml").write_text(capsys.readouterr().out)
    assert main([], root) == 0


def test_unknown_flag_prints_the_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fix"], tmp_path) == 2
    assert prose.USAGE in capsys.readouterr().err


def test_the_lint_itself_is_clean() -> None:
    report = check(ROOT, ["tools/prose.py", "tools/prose_words.py", "tools/structure.py"])
    assert report.hits == []
