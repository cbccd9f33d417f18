"""One PostgreSQL data folder: initialise it, start its server, stop it. The caller serialises these operations."""

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from api.embedded_postgres.programs import (
    MAJOR_VERSION,
    EmbeddedPostgresError,
    find_account,
    find_programs,
    run_program,
)

SUPERUSER = "postgres"

START_SECONDS = 120
"""How long a start may take; after a crash the server first replays its write-ahead log."""

STOP_SECONDS = 60
ORPHAN_SECONDS = 20
"""How long the processes of a killed server may take to end."""

POLL_SECONDS = 0.02

MAX_SOCKET_BYTES = 103
"""Maximum length of a Unix socket address on macOS; Linux allows 107."""

LOG_LINES = 12
"""How many lines of the log an error quotes."""


class Socket(NamedTuple):
    """The folder of the socket, and the port in the name of the socket file."""

    folder: Path
    port: int


class Cluster:
    """The folder `data` in a directory that also holds the server's log and socket."""

    def __init__(self, directory: Path) -> None:
        """Raises EmbeddedPostgresError when PostgreSQL or a system user for it is missing."""
        self._directory = directory
        self._data = directory / "data"
        self._log = directory / "server.log"
        # The setting `cluster_name`. It depends only on the path, and is on the command line of each process.
        self._name = f"token-ledger-{hashlib.sha256(bytes(self._data)).hexdigest()[:12]}"
        self._programs = find_programs()
        self._account = find_account(self._data)

    def start(self, settings: Mapping[str, str]) -> Socket:
        """Start the server, or attach to the running one, which keeps its settings and port. Returns its socket.

        Raises EmbeddedPostgresError.
        """
        if not self._data.exists():
            self._initialise(sync=settings.get("fsync") != "off")
        version = self._data / "PG_VERSION"
        found = version.read_text(encoding="utf-8").strip() if version.exists() else None
        if found != MAJOR_VERSION:
            reason = "is not a PostgreSQL data folder"
            if found is not None:
                reason = f"was written by PostgreSQL {found}; the embedded version {MAJOR_VERSION} cannot read it"
            msg = f"{self._data} {reason}. Choose another folder, or migrate the data with pg_dump of the old version."
            raise EmbeddedPostgresError(msg)
        if self._data.stat().st_uid != self._account.uid:  # root has copied it here, for example
            for path in (self._data, *self._data.rglob("*")):
                os.chown(path, *self._account, follow_symlinks=False)
        return self._attach() or self._launch(settings)

    def stop(self) -> None:
        """Stop a running server and close its connections. Raises EmbeddedPostgresError."""
        for mode in ("fast", "immediate"):
            if self._find_server() is None:
                return
            self._pg_ctl("stop", "-t", str(STOP_SECONDS), "-m", mode)
        if (pid := self._find_server()) is not None:
            msg = f"The embedded PostgreSQL (process {pid}) on {self._data} did not stop.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)

    def execute(self, socket: Socket, script: str) -> None:
        """Run a psql script as the superuser. Raises EmbeddedPostgresError with the output of psql."""
        options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--username={SUPERUSER}", "--dbname=postgres")
        self._run("psql", *options, environment=_address(socket), text=script)

    def _initialise(self, *, sync: bool) -> None:
        if (self._directory / "PG_VERSION").exists():
            msg = f"{self._directory} is itself a PostgreSQL data folder. Choose an empty or a new folder."
            raise EmbeddedPostgresError(msg)
        # A different name until it is complete: a killed first start must not leave an incomplete data folder.
        unfinished = self._directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, *self._account)
        options = [
            f"--username={SUPERUSER}",
            "--auth-local=trust",  # access to the socket is the permission
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(() if sync else ("--no-sync",)),
        ]
        self._run("initdb", *options, environment={"PGDATA": str(unfinished)})
        unfinished.rename(self._data)

    def _attach(self) -> Socket | None:
        """Wait until a running server accepts connections. Returns its socket; None when no server runs."""
        deadline = time.monotonic() + START_SECONDS
        while (pid := self._find_server()) is not None:
            match self._read_pid_file():
                case [_, _, _, port, folder, *_] if folder and self._is_ready(found := Socket(Path(folder), int(port))):
                    return found
            if time.monotonic() > deadline:
                msg = f"The server (process {pid}) on {self._data} does not accept connections.\n{self._log_tail()}"
                raise EmbeddedPostgresError(msg)
            time.sleep(POLL_SECONDS)
        return None

    def _is_ready(self, socket: Socket) -> bool:
        # A server that was just killed can still have a process and a pid file, so only a connection tells.
        program, options = self._programs / "pg_isready", ("--quiet", f"--username={SUPERUSER}")
        return run_program(program, *options, account=self._account, environment=_address(socket)).returncode == 0

    def _launch(self, settings: Mapping[str, str]) -> Socket:
        self._clean_up_after_crash()
        socket = self._create_socket_folder(int(settings["port"]))
        quoted_folder = '"' + str(socket.folder).replace('"', '""') + '"'
        settings = {**settings, "cluster_name": self._name, "unix_socket_directories": quoted_folder}
        options = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in settings.items())
        with suppress(FileNotFoundError):
            self._log.replace(self._log.with_name("server.log.1"))
        with self._log.open("wb") as log:
            started = self._pg_ctl("start", "-t", str(START_SECONDS), "-o", options, log=log.fileno())
        if not started:
            msg = f"The embedded PostgreSQL on {self._data} did not start.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)
        return socket

    def _create_socket_folder(self, port: int) -> Socket:
        """Create the socket folder, which only the account can enter: that keeps other users from the database.

        It also removes socket files of a killed server: the next server would refuse to start while any process has the
        old process id, even a zombie. Raises EmbeddedPostgresError when another user owns the folder.
        """
        folder, file = self._directory / "socket", f".s.PGSQL.{port}"
        # Clients split a host parameter at commas, even the path of a socket.
        if len(os.fsencode(folder / file)) > MAX_SOCKET_BYTES or "," in str(folder):
            folder = Path("/tmp").resolve() / self._name  # noqa: S108 (its owner is checked)
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, *self._account)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._account.uid:
                msg = f"The socket folder {folder} belongs to another user. Remove it, or choose another folder."
                raise EmbeddedPostgresError(msg) from None
        folder.chmod(0o700)
        for stale in (file, f"{file}.lock"):
            (folder / stale).unlink(missing_ok=True)
        return Socket(folder, port)

    def _clean_up_after_crash(self) -> None:
        """Wait until the processes of a killed server have ended, and remove its pid file if it blocks a start."""
        if not (lines := self._read_pid_file()):
            return
        import psutil  # noqa: PLC0415 (the extra `embedded` is not installed in production)

        deadline = time.monotonic() + ORPHAN_SECONDS
        while orphans := [pid for pid in psutil.pids() if self._owns_process(pid)]:
            if time.monotonic() > deadline:
                msg = f"A server on {self._data} was killed; its processes {orphans} do not end. Stop them, then retry."
                raise EmbeddedPostgresError(msg)
            time.sleep(POLL_SECONDS)
        # PostgreSQL ignores a process id that no process has. It refuses to start when another process has the id, or
        # when the dead server is a zombie whose parent has not waited for it.
        if psutil.pid_exists(int(lines[0])):
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _find_server(self) -> int | None:
        """Return the process id of the running server, or None.

        The pid file is not sufficient: after a reboot or in a new container, another process can have its number.
        """
        lines = self._read_pid_file()
        return int(lines[0]) if lines and self._owns_process(int(lines[0])) else None

    def _read_pid_file(self) -> list[str]:
        """Return the lines of postmaster.pid: process id, data folder, start, port, socket folder and others."""
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _owns_process(self, pid: int) -> bool:
        import psutil  # noqa: PLC0415 (as above)

        try:
            return any(self._name in word for word in psutil.Process(pid).cmdline())
        except psutil.Error:
            return False

    def _pg_ctl(self, *arguments: str, log: int = subprocess.PIPE) -> bool:
        # The folder is passed in the environment: pg_ctl passes its options to a shell, which would interpret a path.
        pg_ctl, options = self._programs / "pg_ctl", (*arguments, "--wait", "--silent")
        environment = {"PGDATA": str(self._data)}
        return run_program(pg_ctl, *options, account=self._account, environment=environment, output=log).returncode == 0

    def _run(self, program: str, *options: str, environment: Mapping[str, str], text: str = "") -> None:
        path = self._programs / program
        result = run_program(path, *options, account=self._account, environment=environment, text=text)
        if result.returncode != 0:
            msg = f"{program} failed on {self._data}. Its output:\n{result.stdout.strip()}"
            raise EmbeddedPostgresError(msg)

    def _log_tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        return "\n".join([f"{self._log} ends with:", *lines[-LOG_LINES:]])


def _address(socket: Socket) -> dict[str, str]:
    return {"PGHOST": str(socket.folder), "PGPORT": str(socket.port)}
