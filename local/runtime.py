"""Process that emulates AWS on this machine: ministack, bound to loopback, with workarounds for its gaps.

Run by `local.process.start` as `python -m local.runtime <port>`. Ends itself and its workers on
SIGTERM, on SIGINT and after HANGTAG_MAX_SECONDS (12 hours unless set), saving the services' state; on SIGUSR1 without.
"""

import asyncio
import fcntl
import importlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import uvicorn
import uvloop

from local import faults, gaps
from local.place import ACCOUNT, HOST, REGION, Place

MAX_SECONDS = 12 * 3600
# Time that work in progress has after the signal.
DRAIN_SECONDS = 5.0

logger = logging.getLogger("local.runtime")


def environment(place: Place) -> dict[str, str]:
    """Return the environment of ministack and of the functions' workers."""
    variables = {
        "GATEWAY_PORT": str(place.port),
        # By default it listens on all interfaces, without a password.
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # Not credentials: an account id as the key is that account's root user, with any secret.
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Policies are enforced: a permission that is missing in the template is missing here too.
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(place.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(place.objects),
        # Workers use about 50 MB each and are unlimited by default; `gaps` makes calls wait.
        "LAMBDA_ACCOUNT_CONCURRENCY": os.environ.get("HANGTAG_WORKERS", "8"),
        "LAMBDA_WARM_TTL_SECONDS": "60",
        "LAMBDA_EXECUTOR": "local",
        # Listeners of services that Hangtag does not use.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Docker must not be used: the runtime would search for its own containers to remove.
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        # The temporary folder contains its pid file and its workers' folders.
        "TMPDIR": str(place.temporary),
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
    }
    fault_endpoint = os.environ.get("HANGTAG_FAULT_ENDPOINT")
    if fault_endpoint:
        variables["AWS_ENDPOINT_URL"] = fault_endpoint
    return variables


def main() -> None:
    """Serve until a signal, or until the time is up."""
    place = Place(int(sys.argv[1]))
    lock = _claim(place)
    _prepare(place)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(place))
    finally:
        lock.close()


def _claim(place: Place) -> TextIO:
    """Write the pid file and lock it, which marks this process as running."""
    place.directory.mkdir(parents=True, exist_ok=True)
    file = place.pid_file.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another runtime has {place.pid_file}")
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _prepare(place: Place) -> None:
    """Set the environment. Must run before ministack is imported, which reads it at import."""
    shutil.rmtree(place.temporary, ignore_errors=True)
    place.temporary.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    # Workers import the package from the layer, as on AWS, not from the checkout.
    os.environ.pop("PYTHONPATH", None)
    os.environ.update(environment(place))
    tempfile.tempdir = None


class _Server(uvicorn.Server):
    """HTTP server of the runtime. `listening` is set when it serves; `_until_ended` ends it, not a signal.

    The runtime's own server parses HTTP in Python, which takes nearly half of the runtime's time.
    """

    def __init__(self, app: Any, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=HOST,
                port=port,
                http="httptools",
                ws="websockets-sansio",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
                log_config=None,
                access_log=False,
                # The runtime sets these headers like AWS.
                server_header=False,
                date_header=False,
            )
        )
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not handle signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        self.listening.set()


async def _serve(place: Place) -> None:
    # Imported late, see _prepare.
    app: Any = importlib.import_module("ministack.app").app
    bridged = gaps.bridge()
    _log_functions(place)
    faults.install(os.environ.get("HANGTAG_FAULT_ENDPOINT"))
    server = _Server(app, place.port)
    ending = asyncio.create_task(_until_ended(bridged, server))
    await server.serve()
    ending.cancel()
    _leave(place)


def _log_functions(place: Place) -> None:
    handler = logging.FileHandler(place.functions_log, mode="w")
    handler.setFormatter(logging.Formatter("%(message)s"))
    output = logging.getLogger("hangtag.functions")
    output.addHandler(handler)
    output.setLevel(logging.INFO)
    output.propagate = False


async def _until_ended(bridged: gaps.Bridged, server: _Server) -> None:
    """Resume the executions of the last run, wait for a signal or the time limit, and finish work in progress."""
    await server.listening.wait()
    bridged.resume_executions()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def end_and_save_nothing() -> None:
        importlib.import_module("ministack.app").PERSIST_STATE = False  # type: ignore[attr-defined]
        ended.set()

    # `process.stop` sends this signal if the data is not needed any more.
    loop.add_signal_handler(signal.SIGUSR1, end_and_save_nothing)
    loop.call_later(float(os.environ.get("HANGTAG_MAX_SECONDS", MAX_SECONDS)), ended.set)
    await ended.wait()
    logger.info("ending")
    bridged.paused.set()
    lambdas = importlib.import_module("ministack.services.lambda_svc")
    deadline = loop.time() + DRAIN_SECONDS
    while lambdas.executions_in_flight()[0] and loop.time() < deadline:
        await asyncio.sleep(0.05)
    server.should_exit = True


def _leave(place: Place) -> None:
    """End the workers, then the process at once.

    Executions wait in threads for a token that can take hours, and would block a normal exit.
    """
    importlib.import_module("ministack.core.lambda_runtime").reset()
    shutil.rmtree(place.temporary, ignore_errors=True)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
