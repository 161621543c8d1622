"""Objects of one process: its settings, its logger and its caches.

`functions/<name>/app.py` reads the settings from the environment and binds them once. No other module of the package
reads the environment: a missing variable fails when the function starts, and the error contains its name. On the
webhook's path: loads only the logger of Powertools.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from aws_lambda_powertools.logging import Logger

__all__ = ["VARIABLES", "Settings", "TtlCache", "bind", "logger", "settings"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Structured JSON. Service and level come from POWERTOOLS_SERVICE_NAME and LOG_LEVEL. Events, bodies and whole phone
# numbers are never logged.
logger = Logger()


class Settings(NamedTuple):
    """Settings of one function. A field without an environment variable keeps its empty default.

    `token_keys` are the stack's keys for tokens; the first one signs. `public_url` is the base URL that PBXs reach the
    stack under. `loopback`: outbound requests can reach this machine (embedded stack only).
    """

    table: str = ""
    public_url: str = ""
    live_url: str = ""
    connections_url: str = ""
    token_keys: str = ""
    operator_token: str = ""
    credentials_key_id: str = ""
    state_machine_arn: str = ""
    amend_queue_url: str = ""
    crm_queue_url: str = ""
    fallback_queue_url: str = ""
    reconciliation_queue_url: str = ""
    jobs_queue_url: str = ""
    originate_queue_url: str = ""
    recordings_queue_url: str = ""
    settle_queue_url: str = ""
    files_bucket: str = ""
    recordings_bucket: str = ""
    recording_max_bytes: int = 0
    email_from: str = ""
    hangup_timeout: timedelta = timedelta(hours=4)
    sweep_after: timedelta = timedelta(minutes=5)
    loopback: bool = False
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_tenant_claim: str = "tenant"
    oidc_role_claim: str = "role"
    oidc_employee_claim: str = "employee"

    @classmethod
    def read(cls, environment: Mapping[str, str], *required: str) -> "Settings":
        """Read the settings from environment variables. Raises RuntimeError that lists the missing required ones."""
        missing = [name for name in required if name not in environment]
        if missing:
            raise RuntimeError(f"missing environment variables: {', '.join(missing)}")
        values: dict[str, Any] = {}
        for name, field in _FIELDS.items():
            text = environment.get(name)
            if text:
                values[field] = _READERS[field](text) if field in _READERS else text
        return cls(**values)


_FIELDS = {field.upper(): field for field in Settings._fields} | {
    "TABLE_NAME": "table",
    "TOKEN_KEY": "token_keys",
    "HANGUP_TIMEOUT_SECONDS": "hangup_timeout",
    "SWEEP_AFTER_SECONDS": "sweep_after",
    "OUTBOUND_LOOPBACK": "loopback",
}


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text))


_READERS: Mapping[str, Callable[[str], Any]] = {
    "recording_max_bytes": int,
    "hangup_timeout": _seconds,
    "sweep_after": _seconds,
    "loopback": lambda text: text == "true",
}
# All environment variables that a function can have.
VARIABLES = tuple(_FIELDS)
_bound = Settings()


def bind(values: Settings) -> Settings:
    """Make these the settings of the process, and return them."""
    global _bound  # noqa: PLW0603 - the only binding of the process settings
    _bound = values
    return values


def settings() -> Settings:
    """Return the settings of the process."""
    return _bound


class TtlCache(Generic[K, V]):
    """Cache of at most `size` values, each for `seconds` after loading; the least recently used one is evicted first.

    None is a value like any other, so absences are cached too.
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get_or(self, key: K, load: Callable[[], V]) -> V:
        """Return the value of a key, loading it if it is not cached. Errors of `load` propagate and are not cached."""
        now = self._clock()
        entry = self._entries.get(key)
        if entry is not None and now < entry[0]:
            self._entries.move_to_end(key)
            return entry[1]
        value = load()
        self._entries[key] = (now + self._seconds, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return value

    def discard(self, key: K) -> None:
        """Drop a key after this process changed its value."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop all keys."""
        self._entries.clear()
