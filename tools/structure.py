"""Structure lint of the repository's Python: `python -m tools.structure [--report]`.

Checks the number of modules in a folder of the package, the lines of a module in each top folder and the median length
of a function against the table `tool.structure` in pyproject.toml. `--report` prints the same figures and returns 0.
"""

import ast
import statistics
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

USAGE = "python -m tools.structure [--report]"
PACKAGE = "layers/common/hangtag"
SKIPPED = {"__pycache__", "build"}


class Module(NamedTuple):
    """The size of one module."""

    path: str
    lines: int
    functions: tuple[int, ...]


class Limits(NamedTuple):
    """The table `tool.structure` of pyproject.toml."""

    modules_per_folder: int
    module_lines: Mapping[str, int]
    median_function_lines: float


def measure(path: str, source: str) -> Module:
    """Return the size of a module: its lines, and those of each function without decorators and docstring."""
    functions = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return Module(path, len(source.splitlines()), tuple(map(_length, functions)))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if len(node.body) == 1 or ast.get_docstring(node) is None:
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)


def folders(modules: Iterable[Module]) -> Mapping[str, int]:
    """Return the number of modules in each folder, `__init__.py` included."""
    return Counter(module.path.rpartition("/")[0] for module in modules)


def faults(modules: list[Module], limits: Limits) -> Iterator[str]:
    """Yield a sentence for each figure above its limit."""
    for folder, number in sorted(folders(modules).items()):
        if f"{folder}/".startswith(f"{PACKAGE}/") and number > limits.modules_per_folder:
            yield f"{folder}: {number} modules in one folder; the limit is {limits.modules_per_folder}"
    for module in modules:
        limit = limits.module_lines[module.path.partition("/")[0]]
        if module.lines > limit:
            yield f"{module.path}: {module.lines} lines; the limit is {limit}"
    if median(modules) > limits.median_function_lines:
        yield f"functions have a median of {median(modules):g} lines; the limit is {limits.median_function_lines:g}"


def median(modules: Iterable[Module]) -> float:
    """Return the median number of lines of a function; 0 without functions."""
    lengths = [length for module in modules for length in module.functions]
    return statistics.median(lengths) if lengths else 0


def read(root: Path, trees: Iterable[str]) -> list[Module]:
    """Measure every module in the trees."""
    return [
        measure(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for tree in trees
        for path in sorted((root / tree).rglob("*.py"))
        if not SKIPPED & set(path.relative_to(root).parts)
    ]


def figures(modules: list[Module]) -> Iterator[str]:
    """Yield the figures, the largest of each kind first."""
    functions = [length for module in modules for length in module.functions]
    largest = sorted(folders(modules).items(), key=lambda item: -item[1])[:5]
    longest = sorted(modules, key=lambda module: -module.lines)[:5]
    yield f"{len(modules)} modules, {sum(module.lines for module in modules)} lines, {len(functions)} functions"
    yield f"function lines: median {median(modules):g}, longest {max(functions, default=0)}"
    yield "modules per folder: " + ", ".join(f"{folder} {number}" for folder, number in largest)
    yield "module lines: " + ", ".join(f"{module.path} {module.lines}" for module in longest)


def main(arguments: list[str], root: Path) -> int:
    """Print the figures; return 1 if one is above its limit, unless `--report` is set."""
    if set(arguments) - {"--report"}:
        print(USAGE, file=sys.stderr)
        return 2
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    limits = Limits(**settings["tool"]["structure"])
    modules = read(root, limits.module_lines)
    over = list(faults(modules, limits))
    print("\n".join((*figures(modules), *over)))
    return 1 if over and "--report" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
