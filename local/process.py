"""Control of the runtime's process: start, look-up and stop."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.place import HOST, ROOT, LocalError, Place

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 20.0
POLL_SECONDS = 0.05


def running_pid(place: Place) -> int | None:
    """Return the process id of the stack's runtime; None if it does not run.

    The lock on the pid file decides, not the number in it, which can belong to another process by now.
    """
    try:
        with place.pid_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0) or None
    except FileNotFoundError:
        pass
    return None


def start(place: Place, environment: dict[str, str]) -> int:
    """Start the runtime as a daemon and wait until it responds. Raises LocalError.

    An interruption of the wait leaves no process behind.
    """
    check_port_is_free(place.port)
    place.directory.mkdir(parents=True, exist_ok=True)
    with place.log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.runtime", str(place.port)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Its own session: Ctrl-C in the terminal does not reach it, and its group contains its workers.
            start_new_session=True,
        )
    try:
        _await_ready(place, process)
    except BaseException:
        _end_group(process.pid)
        process.wait()
        place.pid_file.unlink(missing_ok=True)
        raise
    # The daemon outlives this object, which must not wait for it.
    process.returncode = 0
    return process.pid


def _await_ready(place: Place, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalError(f"the runtime ended at once:\n{log_tail(place)}")
        if answers(f"{place.endpoint}/_ministack/ready"):
            return
        time.sleep(POLL_SECONDS)
    raise LocalError(
        f"the runtime was not ready after {READY_WITHIN_SECONDS:.0f} s; see {place.log_file}\n{log_tail(place)}"
    )


def answers(url: str) -> bool:
    """Return True if a GET returns a 2xx."""
    # Ignore a proxy from the environment for loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def log_tail(place: Place, lines: int = 20) -> str:
    """Return the last lines of the runtime's log."""
    try:
        return "\n".join(place.log_file.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def stop(place: Place, *, keep: bool = True) -> bool:
    """End the stack's runtime and all its workers. Return True if it was running.

    With `keep` the runtime has time to save its state; after a deadline it is killed.
    """
    pid = running_pid(place)
    if pid is None:
        place.pid_file.unlink(missing_ok=True)
        return False
    os.kill(pid, signal.SIGTERM if keep else signal.SIGUSR1)
    deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
    while running_pid(place) is not None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _end_group(pid)
    place.pid_file.unlink(missing_ok=True)
    return True


def _end_group(leader: int) -> None:
    """Kill the remaining processes of a group and wait until all have ended."""
    deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
    while True:
        _reap(leader)
        if not group_members(leader):
            return
        if time.monotonic() > deadline:
            raise LocalError(f"processes {group_members(leader)} of the stack do not end")
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(POLL_SECONDS)


def _reap(pid: int) -> None:
    # A child of a test would stay a zombie, and a count of processes would include it.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def group_members(leader: int) -> list[int]:
    """Return the living processes of a group; zombies do not count."""
    return [pid for pid, group, state in _processes() if group == leader and state != "Z"]


def _processes() -> list[tuple[int, int, str]]:
    if not Path("/proc/self/stat").exists():
        listing = subprocess.run(
            [shutil.which("ps") or "/bin/ps", "-axo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
        )
        rows = (line.split() for line in listing.stdout.splitlines())
        return [(int(pid), int(group), state[:1]) for pid, group, state in rows]
    processes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command is in parentheses and can contain any character, so fields are counted after it.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        processes.append((int(entry.name), int(fields[2]), fields[0]))
    return processes


def check_port_is_free(port: int) -> None:
    """Raise LocalError if another process listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if probe.connect_ex((HOST, port)) != 0:
            return
    holder = port_holder(port)
    by = f" by {holder}" if holder else ""
    raise LocalError(f"port {port} is taken{by}; stop that, or take another: HANGTAG_PORT={port + 1} make up")


def port_holder(port: int) -> str | None:
    """Return the process that listens on a port of this machine, as `name (process id)`; None if unknown."""
    if Path("/proc/net/tcp").exists():
        return _holder_by_proc(port)
    lsof = shutil.which("lsof")
    if lsof:
        listing = subprocess.run(
            [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
            capture_output=True,
            text=True,
            check=False,
        )
        fields = {line[:1]: line[1:] for line in listing.stdout.splitlines()}
        return f"{fields.get('c', '?')} (process {fields['p']})" if "p" in fields else None
    return None


def _holder_by_proc(port: int) -> str | None:
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for row in rows:
            fields = row.split()
            # 0A is LISTEN; the local address ends in the port, in hexadecimal.
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    for pid, _, _ in _processes():
        try:
            opened = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue
        if opened & sockets:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            return f"`{words[:80]}` (process {pid})"
    return None
