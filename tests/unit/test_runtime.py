"""The settings that a function reads from its environment variables."""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from hangtag.runtime import Settings

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
# Empty in stacks without an outside issuer or without e-mail.
OPTIONAL = {"EMAIL_FROM", "OIDC_AUDIENCE", "OIDC_EMPLOYEE_CLAIM", "OIDC_ISSUER", "OIDC_ROLE_CLAIM", "OIDC_TENANT_CLAIM"}
FUNCTIONS = {
    Path(resource["Properties"]["CodeUri"]).name: resource["Properties"]
    for resource in TEMPLATE["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
}


def required_by(function: str) -> set[str]:
    """Return the variables that a function's `Settings.read` call requires."""
    tree = ast.parse((ROOT / "functions" / function / "app.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Settings.read":
            return {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    return set()


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_requires_the_variables_of_its_template(function: str) -> None:
    variables = set(FUNCTIONS[function].get("Environment", {}).get("Variables", {})) | {"TABLE_NAME"}
    assert required_by(function) == variables - OPTIONAL


def test_a_missing_environment_variable_is_named_at_the_start() -> None:
    with pytest.raises(RuntimeError, match=r"missing environment variables: PUBLIC_URL, TOKEN_KEY"):
        Settings.read({"TABLE_NAME": "t"}, "TABLE_NAME", "PUBLIC_URL", "TOKEN_KEY")


def test_environment_values_are_converted_to_their_types() -> None:
    settings = Settings.read({"TABLE_NAME": "t", "SWEEP_AFTER_SECONDS": "60", "OUTBOUND_LOOPBACK": "true"})
    assert (settings.table, settings.sweep_after, settings.loopback) == ("t", timedelta(minutes=1), True)


def test_an_empty_environment_variable_leaves_the_default() -> None:
    assert Settings.read({"OIDC_TENANT_CLAIM": ""}).oidc_tenant_claim == "tenant"


def test_only_functions_read_the_environment() -> None:
    package = ROOT / "layers" / "common" / "hangtag"
    assert [path.name for path in package.rglob("*.py") if "os.environ" in path.read_text()] == []
