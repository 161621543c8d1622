"""Port and files of an embedded stack."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 4566
# Details of the stack that was started by hand; other stacks have their own file, see `Place.stack_file`.
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
    """Port of one stack, and the folder with all its files."""

    port: int

    @property
    def directory(self) -> Path:
        """Folder `.local/<port>`; removing it deletes the stack's data."""
        return ROOT / ".local" / str(self.port)

    @property
    def stack_file(self) -> Path:
        """Details of the running stack, as JSON."""
        return self.directory / "stack.json"

    @property
    def pid_file(self) -> Path:
        """File with the runtime's process id, locked by the runtime while it runs."""
        return self.directory / "runtime.pid"

    @property
    def log_file(self) -> Path:
        """Output of the runtime."""
        return self.directory / "runtime.log"

    @property
    def functions_log(self) -> Path:
        """Output of the functions."""
        return self.directory / "functions.log"

    @property
    def temporary(self) -> Path:
        """Temporary folder of the runtime alone, which avoids collisions and leftovers."""
        return self.directory / "tmp"

    @property
    def state(self) -> Path:
        """State of the services, written when the runtime stops."""
        return self.directory / "state"

    @property
    def objects(self) -> Path:
        """Contents of the buckets."""
        return self.directory / "objects"

    @property
    def endpoint(self) -> str:
        """URL of the runtime, for AWS clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """Base URL of Hangtag's API, identical in every run."""
        return f"{self.endpoint}/_aws/execute-api/{API_ID}"

    @property
    def connections(self) -> str:
        """URL under which functions send to the connections of the live channel."""
        return f"{self.endpoint}/_aws/execute-api/{LIVE_API_ID}/{LIVE_STAGE}"

    @property
    def live(self) -> str:
        """URL of the live channel, identical in every run."""
        return self.connections.replace("http://", "ws://")


class LocalError(Exception):
    """A problem with this machine or its stack; the message is shown to the person who ran the command."""


def port_from_environment() -> int:
    """Return `HANGTAG_PORT`, or the default. Raises LocalError."""
    text = os.environ.get("HANGTAG_PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise LocalError(f"HANGTAG_PORT={text} is not a port between 1024 and 65535")
    return int(text)
