"""Writes the start of a new provider: `python -m tools.new_provider KEY [ROOT]`, or `make provider KEY=acme`.

The result is a provider with a signed JSON webhook, its simulated PBX and one call story. docs/adding-a-pbx.md explains
the next steps.
"""

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
_KEY = re.compile(r"[a-z][a-z0-9_]{1,30}")

_CLASS = '''\
"""{name}: a signed JSON webhook. TODO: name the vendor's documentation."""

from collections.abc import Mapping
from typing import Any

from hangtag.providers.base import ParseResult, WebhookRequest
from hangtag.providers.signing import HmacWebhookProvider

__all__ = ["{cls}"]


class {cls}(HmacWebhookProvider):
    """{name}."""

    key = "{key}"
    # TODO: the vendor's signature scheme.
    header = "X-{name}-Signature"
    timestamp_header = "X-{name}-Timestamp"
    tolerance = 300
    secret = "webhook_secret"  # noqa: S105 - the name of the credential

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one event."""
        from hangtag.providers.{key} import webhook

        return webhook.parse(request)
'''
_WEBHOOK = '''\
"""{name}'s webhook: a JSON object per event. TODO: the vendor's fields."""

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import ParseResult, PayloadError, WebhookRequest
from hangtag.providers.reading import json_object, moment, need, outcome_of, plausible, text, whole

__all__ = ["parse"]

_KINDS = {{"ringing": Kind.RINGING, "answered": Kind.ANSWERED, "ended": Kind.ENDED}}
_DIRECTIONS = {{"in": Direction.IN, "out": Direction.OUT}}
_RESULTS = {{"answered": Outcome.SUCCESS, "no_answer": Outcome.NO_ANSWER, "busy": Outcome.BUSY}}


def parse(request: WebhookRequest) -> ParseResult:
    """Return the event of one request."""
    payload = json_object(request)
    kind = _KINDS.get(need(payload, "event"))
    if kind is None:
        return ParseResult(unknown=True)
    direction = _DIRECTIONS.get(need(payload, "direction"))
    if direction is None:
        raise PayloadError("Field direction is neither in nor out.")
    extension = text(payload, "extension")
    sent_at = plausible(moment(text(payload, "time")), request.arrived_at)
    is_end = kind is Kind.ENDED
    event = CallEvent(
        call_id=need(payload, "call_id"),
        kind=kind,
        at=sent_at or request.arrived_at,
        at_is_arrival=sent_at is None,
        leg=extension,
        direction=direction,
        external=text(payload, "number"),
        line=text(payload, "line") or None,
        extension=extension or None,
        outcome=outcome_of(_RESULTS, text(payload, "result"), direction) if is_end else None,
        talk_seconds=whole(payload, "talk_seconds") if is_end else None,
        recording=(text(payload, "recording", 2048) or None) if is_end else None,
    )
    return ParseResult((event,))
'''
_FORM = '''\
"""The form of {name}."""

from pydantic import Field, SecretStr

from hangtag.providers.forms import Credentials, IntegrationSettings, ProviderInfo

__all__ = ["INFOS"]


class {cls}Credentials(Credentials):
    """The secret that signs the webhook."""

    webhook_secret: SecretStr = Field(min_length=8, max_length=256, description="Webhook signing secret")


def _instructions(webhook_url: str) -> tuple[str, ...]:
    return (
        f"Enter this address as the webhook of {name}: {{webhook_url}}",
        "Enter the webhook's signing secret here as webhook_secret.",
    )


INFOS = (
    ProviderInfo(
        key="{key}",
        name="{name}",
        credentials={cls}Credentials,
        settings=IntegrationSettings,
        verified_with=("webhook_secret",),
        instructions=_instructions,
        signature="header `X-{name}-Signature`: hexadecimal HMAC-SHA256 of time and body; five minutes old at most",
        # Stories that this PBX cannot report, each with the reason: "transfer_within_call": "no event for a transfer".
        missing_stories={{}},
        limitations=("TODO: behaviour without a source",),
        sources=("TODO: the vendor's documentation",),
    ),
)
'''
_SIMULATOR = '''\
"""The webhook sender of {name}."""

from local.simulator.pbx.signed import SignedPbx
from local.simulator.story import Message

PBX = SignedPbx(key="{key}", unknown=Message(body={{"event": "parked", "call_id": "c1"}}))
'''
_STORY = """\
about: A known contact calls, the employee answers, both talk.
source: "TODO: the page of {name}'s documentation that shows these events"
events:
  - after: 0
    body: {{event: ringing, call_id: "{{call}}", direction: in, extension: "101", time: "{{time:iso}}",
           number: "+79101234567", line: "74951230001"}}
  - after: 6
    body: {{event: answered, call_id: "{{call}}", direction: in, extension: "101", time: "{{time:iso}}",
           number: "+79101234567", line: "74951230001"}}
  - after: 62
    hangup: true
    body: {{event: ended, call_id: "{{call}}", direction: in, extension: "101", time: "{{time:iso}}",
           number: "+79101234567", line: "74951230001", result: answered, talk_seconds: 62}}
"""


class KeyRejectedError(Exception):
    """A key that cannot be used; the message contains the reason."""


def files(key: str) -> Mapping[str, str]:
    """Return the files of a new provider, by path."""
    name = "".join(part.capitalize() for part in key.split("_"))
    package, simulator = f"layers/common/hangtag/providers/{key}", f"local/simulator/providers/{key}"
    templates = {
        f"{package}/__init__.py": _CLASS,
        f"{package}/webhook.py": _WEBHOOK,
        f"{package}/form.py": _FORM,
        f"{simulator}/__init__.py": '"""{name}, simulated."""\n',
        f"{simulator}/pbx.py": _SIMULATOR,
        f"events/{key}/answered_incoming.yaml": _STORY,
    }
    return {path: template.format(key=key, name=name, cls=name) for path, template in templates.items()}


def check(key: str, root: Path) -> None:
    """Raise KeyRejectedError unless the key is free and can be the name of a package."""
    if not _KEY.fullmatch(key) or keyword.iskeyword(key):
        raise KeyRejectedError(
            f"{key!r} is not a valid key. Use 2 to 31 lower-case letters, digits and underscores, beginning with a "
            "letter, such as acme."
        )
    providers = root / "layers/common/hangtag/providers"
    if (providers / f"{key}.py").exists():
        raise KeyRejectedError(f"{key!r} is the name of a shared module in {providers}. Choose another key.")
    for package in providers.glob("*/__init__.py"):
        if package.parent.name == key or f'"{key}"' in package.read_text(encoding="utf-8"):
            raise KeyRejectedError(f"The provider {key!r} already exists in {package.parent}. Choose another key.")
    existing = [path for path in files(key) if (root / path).exists()]
    if existing:
        raise KeyRejectedError(f"{existing[0]} already exists. Remove it or choose another key.")


def create(key: str, root: Path = ROOT) -> tuple[str, ...]:
    """Write the files of a new provider and return their paths. Raises KeyRejectedError and then writes nothing."""
    check(key, root)
    for path, content in files(key).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    return tuple(files(key))


def main(arguments: Sequence[str]) -> int:
    """Write the provider; return 0, or 2 for a rejected key."""
    if not arguments:
        print("Name the provider's key: make provider KEY=acme", file=sys.stderr)
        return 2
    key, root = arguments[0], Path(arguments[1]) if len(arguments) > 1 else ROOT
    try:
        paths = create(key, root)
    except KeyRejectedError as error:
        print(error, file=sys.stderr)
        return 2
    print(*paths, sep="\n")
    print(f"\nNext: make contract PBX={key}. It lists the call stories that are not written yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
