"""One PostgreSQL data folder: initialise it, start its server, stop it. The caller serialises these operations."""

import shlex
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from api.embedded_postgres.account import find_account
from api.embedded_postgres.binaries import MAJOR_VERSION, find_binaries
from api.embedded_postgres.errors import EmbeddedPostgresError
from api.embedded_postgres.processes import clean_up_after_crash, cluster_name, find_server_pid
from api.embedded_postgres.sockets import Socket, create_socket_folder, read_recorded_socket

SUPERUSER = "postgres"

START_SECONDS = 120
"""How long a start may take; after a crash the server first replays its write-ahead log."""

STOP_SECONDS = 60
POLL_SECONDS = 0.02

LOG_BYTES = 10 * 1024 * 1024
"""A server log larger than this is rotated at the next start."""

LOG_LINES = 12
"""How many lines of the log an error quotes."""


class Cluster:
    """The folder `data` in a directory that also holds the server's log and socket."""

    def __init__(self, directory: Path) -> None:
        """Raises EmbeddedPostgresError when PostgreSQL or a system user for it is missing."""
        self._directory = directory
        self._data = directory / "data"
        self._binaries = find_binaries()
        self._account = find_account(self._data)

    def start(self, settings: Mapping[str, str]) -> Socket:
        """Start the server, or attach to the running one, which keeps its settings and port. Returns its socket.

        Raises EmbeddedPostgresError.
        """
        self._binaries.ensure_executable(self._account)
        self._account.ensure_reachable(self._directory)
        if not self._data.exists():
            self._initialise(sync=settings.get("fsync") != "off")
        self._check_version()
        self._account.own_tree(self._data)
        return self._attach() or self._launch(settings)

    def stop(self) -> None:
        """Stop a running server and close its connections. Raises EmbeddedPostgresError."""
        for mode in ("fast", "immediate"):
            if find_server_pid(self._data) is None:
                return
            self._pg_ctl("stop", "-t", str(STOP_SECONDS), "-m", mode)
        if (pid := find_server_pid(self._data)) is not None:
            msg = f"The embedded PostgreSQL (process {pid}) on {self._data} did not stop.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)

    def execute(self, socket: Socket, script: str) -> None:
        """Run a psql script as the superuser. Raises EmbeddedPostgresError with the output of psql."""
        command = self._binaries.command(
            "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username", SUPERUSER, "--dbname=postgres"
        )
        result = self._binaries.run(command, account=self._account, environment=_address(socket), text=script)
        if result.returncode != 0:
            msg = f"A script failed on {self._data}. Output of psql:\n{result.stdout.strip()}"
            raise EmbeddedPostgresError(msg)

    def _initialise(self, *, sync: bool) -> None:
        if (self._directory / "PG_VERSION").exists():
            msg = f"{self._directory} is itself a PostgreSQL data folder. Choose an empty or a new folder."
            raise EmbeddedPostgresError(msg)
        # A different name until it is complete: a killed first start must not leave an incomplete data folder.
        unfinished = self._directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._account.own(unfinished)
        options = [
            f"--username={SUPERUSER}",
            "--auth-local=trust",  # access to the socket is the permission
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        if not sync:
            options.append("--no-sync")
        result = self._binaries.run(
            self._binaries.command("initdb", *options), account=self._account, environment={"PGDATA": str(unfinished)}
        )
        if result.returncode != 0:
            msg = f"The data folder {self._data} cannot be created. Output of initdb:\n{result.stdout.strip()}"
            raise EmbeddedPostgresError(msg)
        unfinished.rename(self._data)

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            msg = f"{self._data} is not a PostgreSQL data folder. Choose another folder."
            raise EmbeddedPostgresError(msg) from None
        if found != MAJOR_VERSION:
            msg = (
                f"{self._data} was written by PostgreSQL {found}; the embedded version {MAJOR_VERSION} cannot read it. "
                "Choose another folder, or migrate the data with pg_dump of the old version."
            )
            raise EmbeddedPostgresError(msg)

    def _attach(self) -> Socket | None:
        """Wait until a running server accepts connections. Returns its socket; None when no server runs."""
        deadline = time.monotonic() + START_SECONDS
        while (pid := find_server_pid(self._data)) is not None:
            socket = read_recorded_socket(self._data)
            if socket is not None and self._is_ready(socket):
                return socket
            if time.monotonic() > deadline:
                msg = f"The server (process {pid}) on {self._data} does not accept connections.\n{self._log_tail()}"
                raise EmbeddedPostgresError(msg)
            time.sleep(POLL_SECONDS)
        return None

    def _launch(self, settings: Mapping[str, str]) -> Socket:
        clean_up_after_crash(self._data)
        name = cluster_name(self._data)
        port = int(settings["port"])
        folder = create_socket_folder(self._directory, name, self._account, port=port)
        quoted_folder = '"' + str(folder).replace('"', '""') + '"'
        settings = {**settings, "cluster_name": name, "unix_socket_directories": quoted_folder}
        options = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in settings.items())
        log_file = self._rotate_log()
        with log_file.open("ab") as log:
            result = self._pg_ctl("start", "-t", str(START_SECONDS), "-o", options, log=log.fileno())
        if result != 0:
            msg = f"The embedded PostgreSQL on {self._data} did not start.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)
        return Socket(folder, port)

    def _pg_ctl(self, *arguments: str, log: int | None = None) -> int:
        # The folder is passed in the environment: pg_ctl passes its options to a shell, which would interpret a path.
        command = self._binaries.command("pg_ctl", *arguments, "--wait", "--silent")
        return self._binaries.run(
            command, account=self._account, environment={"PGDATA": str(self._data)}, output=log
        ).returncode

    def _is_ready(self, socket: Socket) -> bool:
        command = self._binaries.command("pg_isready", "--quiet", "--username", SUPERUSER)
        return self._binaries.run(command, account=self._account, environment=_address(socket)).returncode == 0

    def _rotate_log(self) -> Path:
        log = self._directory / "server.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name("server.log.1"))
        return log

    def _log_tail(self) -> str:
        log = self._directory / "server.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"{log} ends with:", *lines[-LOG_LINES:]])


def _address(socket: Socket) -> dict[str, str]:
    return {"PGHOST": str(socket.folder), "PGPORT": str(socket.port)}
