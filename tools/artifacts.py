"""Checks of the artifacts of `sam build`: size, platform, and the import of each function.

python -m tools.artifacts .aws-sam/build             for Lambda: wheels, processor, size
python -m tools.artifacts --import .aws-sam/build    for the host (HANGTAG_LAYER_TARGET=host): imports
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

# A function's code and its layers, unzipped: Lambda's quota.
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
ELF_MAGIC = b"\x7fELF"
ELF_MACHINE = slice(18, 20)
AARCH64 = (183).to_bytes(2, "little")
IMPORT_WITHIN_SECONDS = 60
_PARAMETER = re.compile(r"\$\{([^}]+)\}")

# Isolated and without `site`, the path is the standard library's alone.
PROBE = """
import importlib, sys
module, name, *folders = sys.argv[1:]
sys.path[:0] = folders
if not callable(getattr(importlib.import_module(module), name, None)):
    sys.exit(f"{module} has no function {name}")
"""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A built function. Its folder precedes its layers' on Lambda's path."""

    name: str
    handler: str
    folder: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]

    def unzipped_bytes(self) -> int:
        """Return the size that counts against Lambda's quota."""
        files = (path for folder in (self.folder, *self.layers) for path in folder.rglob("*"))
        return sum(path.stat().st_size for path in files if path.is_file())


def artifacts(build: Path) -> list[Artifact]:
    """Return the functions of a build folder, as its template describes them."""
    template: dict[str, Any] = yaml_parse((build / "template.yaml").read_text())
    shared = template.get("Globals", {}).get("Function", {})
    defaults = {name: body.get("Default", "") for name, body in template.get("Parameters", {}).items()}
    resources = template["Resources"]
    built = []
    for name, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = {**shared, **resource["Properties"]}
        layers = [*shared.get("Layers", []), *resource["Properties"].get("Layers", [])]
        built.append(
            Artifact(
                name=name,
                handler=properties["Handler"],
                folder=build / properties["CodeUri"],
                layers=tuple(build / resources[layer["Ref"]]["Properties"]["ContentUri"] for layer in layers),
                environment=_variables(shared, defaults) | _variables(resource["Properties"], defaults),
            )
        )
    return built


def _variables(properties: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, str]:
    """Return a function's environment: parameters by their default, "unknown" for values of a deployment."""
    variables = properties.get("Environment", {}).get("Variables", {})
    return {name: _value(value, defaults) for name, value in variables.items()}


def _value(value: Any, defaults: Mapping[str, Any]) -> str:
    if not isinstance(value, dict):
        return str(value)
    text = value.get("Fn::Sub")
    if isinstance(text, str):
        return _PARAMETER.sub(lambda match: str(defaults.get(match[1], "unknown")), text)
    return str(defaults.get(value.get("Ref", ""), "unknown"))


def import_fault(artifact: Artifact) -> str | None:
    """Import the handler with only the standard library, the artifact and its layers. Return the error, or None."""
    module, name = artifact.handler.rsplit(".", 1)
    folders = [artifact.folder, *(layer / "python" for layer in artifact.layers)]
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", PROBE, module, name, *map(str, folders)],
        # The complete environment: a developer's variables must not help.
        env={"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", **artifact.environment},
        cwd=artifact.folder,
        capture_output=True,
        text=True,
        timeout=IMPORT_WITHIN_SECONDS,
        check=False,
    )
    return f"{artifact.name} does not import: {ran.stderr.strip()}" if ran.returncode else None


def platform_faults(layer: Path) -> list[str]:
    """Return the files of a layer that are not for Python 3.13 on arm64."""
    wheels = sorted(layer.rglob("*.dist-info/WHEEL"))
    faults = [f"{path.parent.name} is a wheel for {tags}" for path in wheels if (tags := _foreign_tags(path))]
    libraries = sorted(layer.rglob("*.so*"))
    faults += [f"{path.relative_to(layer)} is not for arm64" for path in libraries if not _is_arm64(path)]
    return faults if wheels else [f"{layer.name} holds no wheel"]


def _foreign_tags(wheel: Path) -> str:
    tags = [line.removeprefix("Tag: ") for line in wheel.read_text().splitlines() if line.startswith("Tag: ")]
    return "" if any(_fits(tag) for tag in tags) else ", ".join(tags)


def _fits(tag: str) -> bool:
    pythons, abi, platform = tag.split("-", 2)
    if (abi, platform) == ("none", "any"):
        return "py3" in pythons.split(".")
    native = abi == "abi3" or (pythons, abi) == ("cp313", "cp313")
    return native and platform.startswith("manylinux") and platform.endswith("_aarch64")


def _is_arm64(library: Path) -> bool:
    with library.open("rb") as file:
        header = file.read(ELF_MACHINE.stop)
    return header.startswith(ELF_MAGIC) and header[ELF_MACHINE] == AARCH64


def faults(build: Path, *, try_import: bool) -> list[str]:
    """Return all faults of a build: with `try_import` of one for the host, otherwise of one for Lambda."""
    built = artifacts(build)
    messages = [
        f"{artifact.name} has {size} bytes with its layers, over Lambda's {MAX_UNZIPPED_BYTES}"
        for artifact in built
        if (size := artifact.unzipped_bytes()) > MAX_UNZIPPED_BYTES
    ]
    if try_import:
        return messages + [fault for artifact in built if (fault := import_fault(artifact))]
    layers = {layer for artifact in built for layer in artifact.layers}
    return messages + [fault for layer in sorted(layers) for fault in platform_faults(layer)]


def main(arguments: list[str]) -> int:
    """Print sizes and faults. Return the exit code."""
    paths = [Path(argument) for argument in arguments if not argument.startswith("-")]
    if len(paths) != 1 or not (paths[0] / "template.yaml").is_file():
        sys.stderr.write("Pass the build folder of `sam build`, such as .aws-sam/build.\n")
        return 2
    for artifact in artifacts(paths[0]):
        megabytes = artifact.unzipped_bytes() / 1024 / 1024
        sys.stdout.write(f"{artifact.name}: {megabytes:.1f} MB with its layers, of 250\n")
    messages = faults(paths[0], try_import="--import" in arguments)
    sys.stdout.write("".join(f"{fault}\n" for fault in messages))
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
