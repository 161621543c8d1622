"""Coverage-guided fuzzing of one provider's `verify` and `parse`.

`python tests/fuzz/fuzz_provider.py KEY CORPUS`, followed by libFuzzer's own options, such as -runs=20000. The corpus is
a folder, initially filled with the messages of the provider's stories. Any error except the declared ones is a finding:
libFuzzer prints it and exits with a non-zero code. `make fuzz` runs all providers for a while.
"""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hangtag.providers"]):
    from hangtag.providers import load
    from hangtag.providers.base import PayloadError, SignatureError, VerificationKeys, WebhookRequest

from local.simulator.pbx import load as load_pbx
from local.simulator.story import load_stories, message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://hooks.example.com/hooks/x/token"
CONTENT_TYPES = (
    "application/x-www-form-urlencoded",
    "application/json",
    "application/x-www-form-urlencoded; charset=windows-1251",
    "",
)
KEY = "whsec_" + "a" * 43 + "="
MADE = {"planfix_token": "p" * 32, "crm_token": "c" * 32, "signing_key": KEY, "verification_token": KEY}
# Separates a message and its headers; this byte does not occur in a PBX's body.
_BETWEEN = b"\xff"


def seed(provider: str, corpus: Path) -> None:
    """Add the requests of the simulated PBX to the corpus."""
    pbx = load_pbx(provider)
    number = 0
    for story in load_stories(provider):
        for event in story.events:
            sent = message(event, {"call": "A1", "call2": "B2"}, NOON, NOON)
            signed = pbx.request(URL, sent, {**pbx.CREDENTIALS, **MADE}, NOON)
            kind = 1 if signed.body.startswith(b"{") else 0
            content = _BETWEEN.join([bytes([kind]), *_headers(dict(signed.headers)), signed.body])
            (corpus / f"{number:03}").write_bytes(content)
            number += 1


def _headers(headers: dict[str, str]) -> list[bytes]:
    return [f"{name}:{value}".encode() for name, value in sorted(headers.items()) if name.lower() != "content-type"]


def request_of(data: bytes) -> WebhookRequest:
    """Build a webhook request from bytes: the content type, headers, the body."""
    kind, *headers, body = data.split(_BETWEEN) if _BETWEEN in data else (b"\0", data)
    read = [header.decode("utf-8", "surrogateescape").partition(":") for header in headers]
    content_type = CONTENT_TYPES[(kind[0] if kind else 0) % len(CONTENT_TYPES)]
    return WebhookRequest(
        method="GET" if kind[:1] == b"G" else "POST",
        path="/hooks/x/***",
        query=body.decode("utf-8", "replace") if kind[:1] == b"G" else "",
        headers={"content-type": content_type} | {name.lower(): value for name, _, value in read},
        body=body,
        arrived_at=NOON,
        url=URL,
    )


def main(provider: str, corpus: str, *options: str) -> None:
    """Fuzz until a finding, or until a limit in the options of libFuzzer."""
    seed(provider, Path(corpus))
    pbx = load_pbx(provider)
    with atheris.instrument_imports(include=["hangtag.providers"]):
        module = load(provider)
    credentials = {**pbx.CREDENTIALS, **MADE}
    keys = VerificationKeys(
        hashes=dict.fromkeys(MADE, ("0" * 64,)), credentials={name: (value,) for name, value in credentials.items()}
    )

    def run(data: bytes) -> None:
        request = request_of(data)
        with suppress(SignatureError, PayloadError):
            module.verify(request, keys)
        with suppress(PayloadError):
            for event in module.parse(request, pbx.SETTINGS).events:
                event.digest()

    atheris.Setup([sys.argv[0], corpus, *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
