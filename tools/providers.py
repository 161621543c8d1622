"""Makes docs/providers.md from what the providers say of themselves: `python -m tools.providers [--check]`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hangtag.limits import Limit
from hangtag.providers import load
from hangtag.providers.catalog import ProviderInfo, catalog

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "providers.md"
_URL = "*webhook_url*"
_ABILITIES = {
    "originate": "click to call",
    "recording": "recordings",
    "history": "history",
    "extensions": "list of extensions",
    "ping": "test",
    "setup": "set-up by itself",
}
_HEAD = """\
# The PBXs

Written from the code (`make docs`); `make check` fails when it is not what the code says.

Facts on each PBX come from the sources that its section names; no live account was used. What is *unconfirmed* was
written without a source that could be checked: the adapter is tolerant there, and the first calls of a new integration
are kept to be looked at (`GET /v1/integrations/{id}/deliveries`).

Of a delivery that is not signed, or not wholly, the secret address is what protects; a double changes nothing.
"""


def page() -> str:
    """The whole page."""
    by_module: dict[str, list[ProviderInfo]] = {}
    for info in catalog():
        by_module.setdefault(load(info.key).key, []).append(info)
    parts = [_HEAD, "\n".join(_table(list(by_module.values())))]
    parts += ["\n".join(_section(infos)) for infos in by_module.values()]
    return "\n".join(parts)


def _table(groups: Sequence[Sequence[ProviderInfo]]) -> Iterator[str]:
    yield "| PBX | keys | " + " | ".join(_ABILITIES.values()) + " | how it signs |"
    yield "|---" * (len(_ABILITIES) + 3) + "|"
    for infos in groups:
        first = infos[0]
        can = load(first.key).capabilities()
        keys = ", ".join(f"`{info.key}`" for info in infos)
        cells = [f"[{first.name}](#{_anchor(first.name)})", keys]
        cells += ["yes" if ability in can else "" for ability in _ABILITIES]
        yield "| " + " | ".join([*cells, first.signs]) + " |"
    yield ""


def _anchor(name: str) -> str:
    return "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c == "-")


def _section(infos: Sequence[ProviderInfo]) -> Iterator[str]:
    first = infos[0]
    yield f"## {first.name}"
    yield ""
    if len(infos) > 1:
        yield "Also, as presets of the same module: " + ", ".join(f"{info.name} (`{info.key}`)" for info in infos[1:])
        yield ""
    yield f"*Genuine by*: {first.signs}."
    if first.unsigned is not None:
        yield f"*Not covered*: {first.unsigned.parts}. *Instead*: {first.unsigned.instead}."
    yield ""
    yield from _needs(first)
    yield "Set-up:"
    yield ""
    yield from (f"{number}. {step}" for number, step in enumerate(first.instructions(_URL), start=1))
    yield ""
    yield from _rest(infos)


def _needs(info: ProviderInfo) -> Iterator[str]:
    yield "| credential or setting | needed | secret | what it is |"
    yield "|---|---|---|---|"
    for model, kind in ((info.credentials, "credentials"), (info.settings, "settings")):
        for name, field in model.model_fields.items():
            secret = "yes" if "SecretStr" in str(field.annotation) else ""
            needed = "yes" if field.is_required() else ""
            yield f"| `{kind}.{name}` | {needed} | {secret} | {field.description or ''} |"
    made = [*info.made_secrets, *info.made_keys]
    if made:
        yield f"| {', '.join(f'`{name}`' for name in made)} | | yes | made by Hangtag, shown once, for the PBX |"
    yield ""


def _rest(infos: Sequence[ProviderInfo]) -> Iterator[str]:
    first = infos[0]
    limits = load(first.key).limits
    if limits:
        told = [
            f"{limit.count} {name or 'requests'} in {limit.seconds:g} s" if name else _general(limit)
            for name, limit in limits.items()
        ]
        yield f"- Limits that are kept, for all functions together: {'; '.join(told)}."
    if first.not_given:
        yield f"- Never told: {', '.join(f'`{name}`' for name in first.not_given)}."
    for story, why in first.lacks.items():
        yield f"- No `{story}`: {why}."
    unconfirmed = dict.fromkeys(said for info in infos for said in _of(info, infos))
    if unconfirmed:
        yield "- Unconfirmed:"
        yield from (f"  - {said}" for said in unconfirmed)
    yield f"- Sources: {'; '.join(first.sources)}."
    yield ""


def _general(limit: Limit) -> str:
    return f"{limit.count} requests in {limit.seconds:g} s"


def _of(info: ProviderInfo, infos: Sequence[ProviderInfo]) -> Iterator[str]:
    """What is unconfirmed of a preset, with its name before what is so of it alone."""
    for said in info.unconfirmed:
        is_everybodys = all(said in other.unconfirmed for other in infos)
        yield said if is_everybodys or len(infos) == 1 else f"{info.name}: {said}"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check see whether it is up to date; 0 if it is."""
    new = page()
    if "--check" in arguments:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == new:
            return 0
        print("docs/providers.md is not what the code says (make docs)")
        return 1
    FILE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
