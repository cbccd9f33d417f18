"""Finds the processes of a server by its cluster name, which is on the command line of each of them."""

import hashlib
import time
from pathlib import Path

from api.embedded_postgres.errors import EmbeddedPostgresError

ORPHAN_SECONDS = 20.0
POLL_SECONDS = 0.02


def cluster_name(data: Path) -> str:
    """Return the setting `cluster_name` for a data folder; it depends only on the path."""
    return f"token-ledger-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"


def find_server_pid(data: Path) -> int | None:
    """Return the process id of the server that runs on a data folder, or None.

    The number in postmaster.pid is not sufficient: after a reboot or in a new container, another process can have it.
    """
    pid = _recorded_pid(data)
    return pid if pid is not None and _belongs(pid, cluster_name(data)) else None


def clean_up_after_crash(data: Path) -> None:
    """Prepare the folder of a killed server for the next start; does nothing after a clean stop.

    Waits until the children of the killed server have ended. Raises EmbeddedPostgresError when they do not end.
    """
    pid = _recorded_pid(data)
    if pid is None:
        return
    import psutil  # noqa: PLC0415 (the extra `embedded` is not installed in production)

    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := [child for child in psutil.pids() if _belongs(child, cluster_name(data))]:
        if time.monotonic() > deadline:
            msg = f"A server on {data} was killed and its processes {orphans} do not end. Stop them, then try again."
            raise EmbeddedPostgresError(msg)
        time.sleep(POLL_SECONDS)
    # PostgreSQL ignores a process id that no process has. It refuses to start when another process has the id, or when
    # the dead server is a zombie whose parent has not waited for it.
    if psutil.pid_exists(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _recorded_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _belongs(pid: int, name: str) -> bool:
    import psutil  # noqa: PLC0415 (as above)

    try:
        return any(name in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
