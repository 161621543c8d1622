"""Structure lint: the figures of a tree, and the limits."""

from pathlib import Path

import pytest

from tools.structure import Limits, faults, folders, main, measure, median

LIMITS = Limits(modules_per_folder=2, module_lines={"clients": 5, "layers": 5}, median_function_lines=2)
TABLE = "[tool.structure]\nmodules_per_folder = 2\nmodule_lines = { functions = 5 }\nmedian_function_lines = 2\n"


def test_function_length_excludes_docstring_and_decorators() -> None:
    source = '@cached\ndef a():\n    """Return one.\n\n    Always.\n    """\n    return 1\n\n\ndef b(): ...\n'
    assert measure("a.py", source).functions == (2, 1)


def test_function_of_a_docstring_alone_counts_whole() -> None:
    assert measure("a.py", 'def a():\n    """Return None."""\n').functions == (2,)


def test_methods_and_nested_functions_count() -> None:
    source = "class A:\n    def a(self):\n        def b(): ...\n        return b\n"
    assert sorted(measure("a.py", source).functions) == [1, 3]


def test_package_folder_with_too_many_modules_is_a_fault() -> None:
    names = ("__init__", "a", "b")
    modules = [measure(f"layers/common/hangtag/store/{name}.py", "") for name in names]
    assert folders(modules) == {"layers/common/hangtag/store": 3}
    assert list(faults(modules, LIMITS)) == [
        "layers/common/hangtag/store: 3 modules in one folder; the limit is 2",
    ]
    assert list(faults(modules[:2], LIMITS)) == []


def test_folder_limit_is_the_package_only() -> None:
    assert list(faults([measure(f"clients/{name}.py", "") for name in "abc"], LIMITS)) == []


def test_long_module_is_a_fault() -> None:
    assert list(faults([measure("clients/a.py", "A = 1\n" * 5)], LIMITS)) == []
    assert list(faults([measure("clients/a.py", "A = 1\n" * 6)], LIMITS)) == ["clients/a.py: 6 lines; the limit is 5"]


def test_median_of_functions_over_the_limit_is_a_fault() -> None:
    source = "def a():\n    b = 1\n    return b\n"
    assert list(faults([measure("clients/a.py", source)], LIMITS)) == [
        "functions have a median of 3 lines; the limit is 2"
    ]
    assert median([]) == 0


@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--report"], 0), (["--fix"], 2)])
def test_exit_status_is_one_with_any_fault(tmp_path: Path, arguments: list[str], status: int) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "app.py").write_text("A = 1\n" * 6)
    assert main(arguments, tmp_path) == status


def test_figures_and_faults_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "app.py").write_text("def a():\n    return 1\n" * 3)
    main([], tmp_path)
    printed = capsys.readouterr().out
    assert "1 modules, 6 lines, 3 functions" in printed
    assert "function lines: median 2, longest 2" in printed
    assert "functions/app.py: 6 lines; the limit is 5" in printed
