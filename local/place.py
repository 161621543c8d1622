"""Where an embedded stack lives: its port and its files."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 4566
# What the stack says of itself that was brought up by hand; one beside it has its own, see `Place.stack_file`.
COMMON_STACK_FILE = ROOT / ".local" / "stack.json"
HOST = "127.0.0.1"
REGION = "us-east-1"
# The account of the runtime's default credentials. Not a real one.
ACCOUNT = "000000000000"
STACK_NAME = "hangtag"
API_ID = "hangtag"
LIVE_API_ID = "hangtag-live"
LIVE_STAGE = "live"


@dataclass(frozen=True, slots=True)
class Place:
    """One stack's port, and the folder that holds all it writes."""

    port: int

    @property
    def directory(self) -> Path:
        """`.local/<port>`: removing it forgets the stack."""
        return ROOT / ".local" / str(self.port)

    @property
    def stack_file(self) -> Path:
        """What `up` says of the running stack, as JSON."""
        return self.directory / "stack.json"

    @property
    def pid_file(self) -> Path:
        """Holds the runtime's process id, and is locked by it for as long as it lives."""
        return self.directory / "runtime.pid"

    @property
    def log_file(self) -> Path:
        """What the runtime prints."""
        return self.directory / "runtime.log"

    @property
    def functions_log(self) -> Path:
        """What the functions print."""
        return self.directory / "functions.log"

    @property
    def temporary(self) -> Path:
        """The runtime's own temporary folder, so that nothing of it collides or stays behind."""
        return self.directory / "tmp"

    @property
    def state(self) -> Path:
        """The services' state, written when the runtime stops."""
        return self.directory / "state"

    @property
    def objects(self) -> Path:
        """The contents of buckets."""
        return self.directory / "objects"

    @property
    def endpoint(self) -> str:
        """The URL of the runtime, for AWS clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """The base URL of Hangtag's API; the same for every run."""
        return f"{self.endpoint}/_aws/execute-api/{API_ID}"

    @property
    def connections(self) -> str:
        """Where functions reach the connections of the live channel."""
        return f"{self.endpoint}/_aws/execute-api/{LIVE_API_ID}/{LIVE_STAGE}"

    @property
    def live(self) -> str:
        """The URL of the live channel; the same for every run."""
        return self.connections.replace("http://", "ws://")


class LocalError(Exception):
    """What is wrong with this machine or the stack on it, in words for whoever ran the command."""


def port_from_environment() -> int:
    """`HANGTAG_PORT`, or the default. Raises LocalError."""
    text = os.environ.get("HANGTAG_PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise LocalError(f"HANGTAG_PORT={text} is no port between 1024 and 65535")
    return int(text)
