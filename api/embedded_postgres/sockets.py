"""Where the server's socket is: in its folder, or elsewhere when its path is no address for a socket."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres.account import Account
from api.embedded_postgres.errors import EmbeddedPostgresError

PORT = 5432
MAX_BYTES = 103
"""The longest address of a Unix socket on macOS; Linux has 107."""

SEPARATOR = ","
"""What a client takes to stand between two hosts, even in the path of a socket."""


@dataclass(frozen=True)
class Socket:
    """Where a server listens: the folder, and the port that names the socket in it."""

    folder: Path
    port: int


def make_socket_folder(directory: Path, name: str, account: Account, *, port: int = PORT) -> Path:
    """The folder for the socket, which only the account can enter: that is what keeps others from the database.

    To be called when no server runs: what a killed one left there is removed. Its successor would not start while any
    process has the number of the killed one, were it the dead process itself whose parent has not asked after it.
    Raises EmbeddedPostgresError when no place is short enough or the place is taken by somebody else.
    """
    for folder in (directory / "socket", Path(tempfile.gettempdir()).resolve() / name, Path("/tmp") / name):  # noqa: S108
        if len(os.fsencode(folder / f".s.PGSQL.{port}")) <= MAX_BYTES and SEPARATOR not in str(folder):
            break
    else:
        msg = f"No folder for a socket is short enough. Choose a folder with a shorter path than {directory}."
        raise EmbeddedPostgresError(msg)
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid:
        msg = f"{folder}, the folder for the socket, belongs to somebody else. Remove it, or choose another folder."
        raise EmbeddedPostgresError(msg)
    folder.chmod(0o700)
    for left in (f".s.PGSQL.{port}", f".s.PGSQL.{port}.lock"):
        (folder / left).unlink(missing_ok=True)
    account.reach(folder)
    return folder


def recorded_socket(data: Path) -> Socket | None:
    """Where the running server listens, by its own word (lines four and five of postmaster.pid)."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return None
    return Socket(Path(lines[4]), int(lines[3])) if len(lines) > 4 and lines[4] else None  # noqa: PLR2004
