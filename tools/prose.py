"""Prose lint of the house language: `python -m tools.prose [--aim] [--list] [--limits] [paths]`.

Reads docstrings, comments, messages of exceptions and logs, Markdown, docs/openapi.json and the templates. Text in
backticks, code blocks and link targets is skipped. Without paths it checks the whole tree against the limits in
pyproject.toml; with paths it lists every hit in them. `--aim` checks against the final aims instead of the limits,
`--list` prints every hit, `--limits` prints today's figures as a table for pyproject.toml.

A speech verb is allowed where a person speaks: put `# prose: ok` on the line, for a docstring behind its closing
quotes, in Markdown `<!-- prose: ok -->`.
"""

import ast
import json
import math
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.prose_words import GLOSSARY, HEADLESS, NOUN, PARTICIPLES, TEXT_CATEGORIES, WORDS

USAGE = "python -m tools.prose [--aim] [--list] [--limits] [paths]"
EXEMPT = "prose: ok"
MAX_TEST_NAME = 80
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "build", "console", "dist"}


# Corpora of docstrings and comments have rates per 1,000 words; the others count hits.
FOLDERS = {
    "layers": "layers functions",
    "functions": "layers functions",
    "local": "local tools clients",
    "tools": "local tools clients",
    "clients": "local tools clients",
    "tests": "tests",
}
RATED = ("layers functions", "local tools clients", "tests", "configuration")
USER_FACING = ("messages", "logs", "openapi", "alarms", "docs")
NAMES = "identifiers"
NAME_CATEGORIES = ("glossary", "participle", "binding", "test-name")
_PRODUCT = ("layers", "functions", "clients")
_RATE_AIM = {
    "speech": 1.0,
    "headless": 1.0,
    "negative": 1.0,
    "relative": 1.0,
    "preposition": 1.0,
    "metaphor": 1.0,
    "archaic": 0.0,
    "obligation": 0.0,
}
_HIT_AIM = dict.fromkeys(("speech", "headless", "negative", "relative", "archaic", "obligation", "metaphor"), 0.0)
AIMS: Mapping[str, Mapping[str, float]] = {
    **dict.fromkeys(RATED, _RATE_AIM),
    **dict.fromkeys(USER_FACING, _HIT_AIM),
    NAMES: {"glossary": 0.0, "participle": 0.0, "test-name": 0.0},
}


class Text(NamedTuple):
    """A piece of prose and its place."""

    corpus: str
    path: str
    line: int
    text: str
    opens: bool = False
    exempt: frozenset[int] = frozenset()


class Hit(NamedTuple):
    """One word to replace."""

    corpus: str
    category: str
    path: str
    line: int
    word: str
    instead: str


class Report(NamedTuple):
    """All hits of a run, and the number of words in each corpus."""

    hits: list[Hit]
    words: Counter[str]

    def figure(self, corpus: str, category: str) -> float:
        """Return hits per 1,000 words for docstrings and comments, the number of hits for the rest."""
        number = sum(1 for hit in self.hits if hit.corpus == corpus and hit.category == category)
        return 1000 * number / max(self.words[corpus], 1) if corpus in RATED else number


# --- Text: find the hits

_BACKTICKS = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)|\]\([^)\s]*\)|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def prose(text: str) -> str:
    """Return the text with backticks, link targets and markers blanked; positions and lines stay."""
    return _BACKTICKS.sub(_blank, text).replace(EXEMPT, " " * len(EXEMPT))


def text_hits(piece: Text) -> Iterator[Hit]:
    """Yield the hits in one piece of prose."""
    text = prose(piece.text)
    opening = HEADLESS.pattern.match(text) if piece.opens else None
    if opening:
        yield Hit(piece.corpus, "headless", piece.path, piece.line, opening[0].strip(), HEADLESS.instead)
    for name, category in WORDS.items():
        for match in category.pattern.finditer(text):
            line = piece.line + text.count("\n", 0, match.start())
            if name != "speech" or line not in piece.exempt:
                yield Hit(piece.corpus, name, piece.path, line, " ".join(match[0].split()), category.instead)


# --- Python: docstrings, comments, messages, names

# Strings are matched first, so that a number sign in one is not a comment.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|' + r"'''(?:\\.|[^\\])*?'''|" + r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'|#[^\n]*",
    re.DOTALL,
)
_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
_DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Comment(NamedTuple):
    """One comment line."""

    line: int
    text: str
    alone: bool


def comments(source: str) -> Iterator[Comment]:
    """Yield the comments of a Python module."""
    line, last = 1, 0
    for match in _TOKEN.finditer(source):
        line += source.count("\n", last, match.start())
        last = match.start()
        if match[0].startswith("#"):
            start = source.rfind("\n", 0, last) + 1
            yield Comment(line, match[0].lstrip("#").strip(), not source[start:last].strip())


def _blocks(lines: Iterable[Comment]) -> Iterator[list[Comment]]:
    """Group comments on consecutive lines of their own: a sentence can span them."""
    block: list[Comment] = []
    for comment in lines:
        if block and not (comment.alone and block[-1].alone and comment.line == block[-1].line + 1):
            yield block
            block = []
        block.append(comment)
    if block:
        yield block


def _comment_texts(corpus: str, path: str, lines: list[Comment], exempt: frozenset[int]) -> Iterator[Text]:
    for block in _blocks(lines):
        text = "\n".join(comment.text for comment in block)
        if not re.match(r"noqa|type: ignore|!|prose: ok", text):
            yield Text(corpus, path, block[0].line, text, opens=True, exempt=exempt)


def _strings(node: ast.AST, constants: Mapping[str, ast.expr]) -> Iterator[tuple[ast.AST, str]]:
    """Yield the literal text in a message: strings, the fixed parts of f-strings, constants of the module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node, node.value
    elif isinstance(node, ast.JoinedStr):
        yield node, "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.Name) and node.id in constants:
        yield from _strings(constants[node.id], {})
    elif isinstance(node, ast.Call):
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _strings(argument, constants)
    elif isinstance(node, ast.Tuple | ast.BinOp | ast.BoolOp | ast.IfExp):
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.IfExp) and child is node.test):
                yield from _strings(child, constants)


def _message(node: ast.AST) -> tuple[str, list[ast.expr]]:
    """Return the corpus and the expressions of a log entry or an error that the node makes."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return "messages", [node.exc]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "FieldError":
        return "messages", list(node.args[1:])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOG_METHODS:
        named = isinstance(node.func.value, ast.Name) and node.func.value.id.lower().endswith("logger")
        return "logs", node.args[:1] if named else []
    return "", []


def _message_texts(path: str, nodes: list[ast.AST], tree: ast.Module, exempt: frozenset[int]) -> Iterator[Text]:
    constants = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    placed = set()
    for node in nodes:
        corpus, expressions = _message(node)
        for expression in expressions:
            for at, text in _strings(expression, constants):
                line: int = getattr(at, "lineno", 0)
                if (line, text) not in placed:
                    placed.add((line, text))
                    yield Text(corpus, path, line, text, opens=" " in text, exempt=exempt)


def _docstring(node: ast.AST) -> ast.Constant | None:
    body = node.body if isinstance(node, _DEFINITIONS) else []
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value
    return None


def _docstring_texts(corpus: str, path: str, nodes: list[ast.AST], exempt: frozenset[int]) -> Iterator[Text]:
    for node in nodes:
        literal = _docstring(node)
        if literal is not None:
            lines = frozenset(range(literal.lineno, (literal.end_lineno or literal.lineno) + 1))
            allowed = exempt | lines if literal.end_lineno in exempt else exempt
            yield Text(corpus, path, literal.lineno, str(literal.value), opens=True, exempt=allowed)


def _names(node: ast.AST) -> tuple[str, list[tuple[int, str]]]:
    """Return how a node binds names, with the line of each."""
    if isinstance(node, ast.ClassDef):
        return "definition", [(node.lineno, node.name)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        return "definition", [(node.lineno, node.name), *((a.lineno, a.arg) for a in every if a is not None)]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return "binding", [(node.lineno, node.id)]
    return "", []


def name_hits(path: str, nodes: Iterable[ast.AST]) -> Iterator[Hit]:
    """Yield the names of a module that the glossary has dropped, participles, and long names of tests."""
    for node in nodes:
        kind, names = _names(node)
        for line, name in names:
            if kind == "definition" and name in GLOSSARY:
                yield Hit(NAMES, "glossary", path, line, name, GLOSSARY[name])
            elif name.lstrip("_") in PARTICIPLES:
                yield Hit(NAMES, "participle" if kind == "definition" else "binding", path, line, name, NOUN)
            elif name.startswith("test_") and len(name) > MAX_TEST_NAME:
                yield Hit(NAMES, "test-name", path, line, name, f"at most {MAX_TEST_NAME} characters, one promise")


def read_python(path: str, source: str) -> tuple[list[Text], list[Hit]]:
    """Return the prose of a Python module, and the hits among its names."""
    folder = Path(path).parts[0]
    corpus = FOLDERS.get(folder, "local tools clients")
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    lines = list(comments(source))
    exempt = frozenset(comment.line for comment in lines if EXEMPT in comment.text)
    texts = [*_docstring_texts(corpus, path, nodes, exempt), *_comment_texts(corpus, path, lines, exempt)]
    if folder in _PRODUCT:
        texts += _message_texts(path, nodes, tree, exempt)
    return texts, list(name_hits(path, nodes))


# --- Other files

_FENCE = re.compile(r"\s*(?:>\s*)?(?:[-*+]\s+|\d+[.)]\s+)?(?:```|~~~)")
_JSON_TEXT = re.compile(r'^\s*"(?:summary|description)": (".*?"),?$')
_YAML_TEXT = re.compile(r"^(\s*)(?:AlarmDescription|Description): *(.*(?:\n\1 +\S.*)*)", re.MULTILINE)
_HASH_COMMENT = re.compile(r"^(.*?)(?:^|(?<=\s))#+(?:\s+(.*))?$")


def read_markdown(path: str, source: str) -> Iterator[Text]:
    """Yield the prose of a Markdown page, without its code blocks, as one text."""
    lines = source.split("\n")
    exempt = frozenset(number for number, line in enumerate(lines, 1) if EXEMPT in line)
    inside = False
    for place, line in enumerate(lines):
        fence = _FENCE.match(line)
        inside = inside != bool(fence)
        if fence or inside:
            lines[place] = ""
    yield Text("docs", path, 1, "\n".join(lines), exempt=exempt)


def read_openapi(path: str, source: str) -> Iterator[Text]:
    """Yield each summary and description of the API's document."""
    for number, line in enumerate(source.split("\n"), 1):
        match = _JSON_TEXT.match(line)
        if match:
            yield Text("openapi", path, number, json.loads(match[1]), opens=True)


def read_configuration(path: str, source: str) -> Iterator[Text]:
    """Yield the descriptions of a template, and the comments of any file that has them behind number signs."""
    if path.endswith(".yaml") and "/" not in path:
        for match in _YAML_TEXT.finditer(source):
            text = match[2].lstrip(">-|!Sub \"'")
            yield Text("alarms", path, source.count("\n", 0, match.start()) + 1, text, opens=True)
    lines = []
    for number, line in enumerate(source.split("\n"), 1):
        comment = _HASH_COMMENT.match(line)
        if comment and comment[2]:
            lines.append(Comment(number, comment[2], not comment[1].strip()))
    exempt = frozenset(comment.line for comment in lines if EXEMPT in comment.text)
    yield from _comment_texts("configuration", path, lines, exempt)


def read(path: str, source: str) -> tuple[list[Text], list[Hit]]:
    """Return the prose of a file and the hits among its names, by the file's type."""
    if path.endswith(".py"):
        return read_python(path, source)
    if path.endswith(".md"):
        return list(read_markdown(path, source)), []
    if path.endswith(".json"):
        return list(read_openapi(path, source)), []
    return list(read_configuration(path, source)), []


def files(root: Path, paths: list[str]) -> Iterator[Path]:
    """Yield the files to check: those named, or all of the tree that have prose."""
    tops = [root / path for path in paths] or [root / folder for folder in FOLDERS]
    for top in tops:
        yield from (
            [top] if top.is_file() else (f for s in ("*.py", "*.md") for f in sorted(top.rglob(s)) if _own(f, root))
        )
    if not paths:
        yield from (f for f in (*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))))
        yield from (f for f in sorted((root / ".github").rglob("*")) if f.suffix in {".md", ".yml", ".yaml"})
        listed = ("docs/openapi.json", "template.yaml", "alarms.yaml", "Makefile", "pyproject.toml", ".ci/run")
        yield from (root / name for name in listed if (root / name).exists())
        yield from sorted((root / "statemachines").glob("*.yaml"))


def _own(path: Path, root: Path) -> bool:
    return not SKIPPED_FOLDERS & set(path.relative_to(root).parts)


def check(root: Path, paths: list[str]) -> Report:
    """Read the files and return every hit."""
    hits: list[Hit] = []
    words: Counter[str] = Counter()
    for path in files(root, paths):
        texts, named = read(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        hits += named
        for text in texts:
            words[text.corpus] += len(_WORD.findall(prose(text.text)))
            hits += text_hits(text)
    return Report(sorted(hits, key=lambda hit: (hit.path, hit.line)), words)


# --- Output


def table(report: Report) -> Iterator[str]:
    """Yield the lines of the figures' tables."""
    for title, corpora in (("per 1,000 words", RATED), ("hits, user-facing", USER_FACING)):
        yield f"{title:20} {'words':>7} " + " ".join(f"{name:>11}" for name in TEXT_CATEGORIES)
        for corpus in (name for name in corpora if report.words[name]):
            figures = (report.figure(corpus, name) for name in TEXT_CATEGORIES)
            form = "11.1f" if corpus in RATED else "11.0f"
            yield f"{corpus:20} {report.words[corpus]:7} " + " ".join(f"{figure:{form}}" for figure in figures)
    yield "identifiers: " + ", ".join(f"{name} {report.figure(NAMES, name):.0f}" for name in NAME_CATEGORIES)


def excesses(report: Report, limits: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str, float, float]]:
    """Yield corpus, category, figure and limit wherever a figure is above its limit."""
    for corpus, row in limits.items():
        for category, limit in row.items():
            figure = report.figure(corpus, category)
            if figure > limit + 1e-9:
                yield corpus, category, figure, limit


def limits_table(report: Report) -> Iterator[str]:
    """Yield today's figures, rounded up, as the limits of pyproject.toml."""
    yield "[tool.prose.limits]"
    for corpus in (*RATED, *USER_FACING, NAMES):
        names = NAME_CATEGORIES if corpus == NAMES else TEXT_CATEGORIES
        places = 10 if corpus in RATED else 1
        figures = (math.ceil(report.figure(corpus, name) * places - 1e-9) / places for name in names)
        yield f'"{corpus}" = {{ ' + ", ".join(f"{n} = {f:g}" for n, f in zip(names, figures, strict=True)) + " }"


def limits(root: Path) -> Mapping[str, Mapping[str, float]]:
    """Return the limits in pyproject.toml; the aims if it has none."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    table: Mapping[str, Mapping[str, float]] = settings.get("tool", {}).get("prose", {}).get("limits", AIMS)
    return table


def main(arguments: list[str], root: Path) -> int:
    """Print the report and return 1 if a figure is above its limit. With paths, list every hit instead."""
    flags = {argument for argument in arguments if argument.startswith("-")}
    if flags - {"--aim", "--list", "--limits"}:
        print(USAGE, file=sys.stderr)
        return 2
    paths = [argument for argument in arguments if argument not in flags]
    report = check(root, paths)
    if "--limits" in flags:
        print("\n".join(limits_table(report)))
        return 0
    allowed = AIMS if "--aim" in flags else {} if paths else limits(root)
    over = list(excesses(report, allowed))
    failed = defaultdict(set)
    for corpus, category, _, _ in over:
        failed[corpus].add(category)
    for hit in report.hits:
        if "--list" in flags or paths or hit.category in failed[hit.corpus]:
            print(f'{hit.path}:{hit.line}: "{hit.word}" ({hit.category}): use {hit.instead}')
    print("\n".join(table(report)))
    for corpus, category, figure, limit in over:
        print(f"FAILED {corpus}: {category} {figure:.1f} is above {limit:g}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
