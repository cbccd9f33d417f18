"""The location of the server's socket: in its folder, or elsewhere when that path cannot be a socket address."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres.account import Account
from api.embedded_postgres.errors import EmbeddedPostgresError

PORT = 5432
MAX_BYTES = 103
"""Maximum length of a Unix socket address on macOS; Linux allows 107."""

SEPARATOR = ","
"""Clients split a host parameter at commas, even the path of a socket."""


@dataclass(frozen=True)
class Socket:
    """The folder of the socket, and the port in the name of the socket file."""

    folder: Path
    port: int


def create_socket_folder(directory: Path, name: str, account: Account, *, port: int = PORT) -> Path:
    """Create the socket folder, which only the account can enter: that keeps other users from the database.

    Call it only while no server runs, because it removes socket files of a killed server: the next server would refuse
    to start while any process has the old process id, even a zombie. Raises EmbeddedPostgresError when no path is short
    enough or another user owns the folder.
    """
    for folder in (directory / "socket", Path(tempfile.gettempdir()).resolve() / name, Path("/tmp") / name):  # noqa: S108
        if len(os.fsencode(folder / f".s.PGSQL.{port}")) <= MAX_BYTES and SEPARATOR not in str(folder):
            break
    else:
        msg = f"No socket path is short enough. Choose a folder with a shorter path than {directory}."
        raise EmbeddedPostgresError(msg)
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid:
        msg = f"The socket folder {folder} belongs to another user. Remove it, or choose another folder."
        raise EmbeddedPostgresError(msg)
    folder.chmod(0o700)
    for file in (f".s.PGSQL.{port}", f".s.PGSQL.{port}.lock"):
        (folder / file).unlink(missing_ok=True)
    account.ensure_reachable(folder)
    return folder


def read_recorded_socket(data: Path) -> Socket | None:
    """Return the socket that the running server recorded in lines four and five of postmaster.pid."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return None
    return Socket(Path(lines[4]), int(lines[3])) if len(lines) > 4 and lines[4] else None  # noqa: PLR2004
