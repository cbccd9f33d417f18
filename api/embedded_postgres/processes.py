"""Which processes belong to a server, told by a name that it carries on its command line and gives to its children."""

import hashlib
import time
from pathlib import Path

from api.embedded_postgres.errors import EmbeddedPostgresError

ORPHAN_SECONDS = 20.0
POLL_SECONDS = 0.02


def cluster_name(data: Path) -> str:
    """The name of the server of a data folder, for `cluster_name`: the same for the same path."""
    return f"token-ledger-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"


def server_pid(data: Path) -> int | None:
    """The process id of the server that runs on a data folder, or None.

    The number in postmaster.pid is not enough: after a reboot, or in a new container, it can be anybody's.
    """
    pid = _recorded_pid(data)
    return pid if pid is not None and _belongs(pid, cluster_name(data)) else None


def clear_after_crash(data: Path) -> None:
    """Make the folder of a server that was killed ready for the next one; does nothing after a clean stop.

    Waits for the children of the killed server to notice and end. Raises EmbeddedPostgresError when they do not.
    """
    pid = _recorded_pid(data)
    if pid is None:
        return
    import psutil  # noqa: PLC0415 (it comes with the extra `embedded`, which a deployed service does not have)

    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := [child for child in psutil.pids() if _belongs(child, cluster_name(data))]:
        if time.monotonic() > deadline:
            msg = f"A server on {data} was killed and its processes {orphans} do not end. End them, then try again."
            raise EmbeddedPostgresError(msg)
        time.sleep(POLL_SECONDS)
    # PostgreSQL itself forgets a number that nobody has. It would not start if another process now has it, or if its
    # parent never asked what became of it.
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
