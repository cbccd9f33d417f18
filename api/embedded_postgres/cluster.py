"""One data folder of PostgreSQL: made, served, halted. Who may do so when is for the caller to see to."""

import shlex
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from api.embedded_postgres.account import account_for
from api.embedded_postgres.binaries import MAJOR_VERSION, find_binaries
from api.embedded_postgres.errors import EmbeddedPostgresError
from api.embedded_postgres.processes import clear_after_crash, cluster_name, server_pid
from api.embedded_postgres.sockets import Socket, make_socket_folder, recorded_socket

SUPERUSER = "postgres"

START_SECONDS = 120
"""How long a start may take; after a crash the server first replays what was not yet in its tables."""

STOP_SECONDS = 60
POLL_SECONDS = 0.02

LOG_BYTES = 10 * 1024 * 1024
"""Past this size the server's log is set aside when the server starts."""

LOG_LINES = 12
"""How much of the log an error quotes."""


class Cluster:
    """The data folder `data` below a directory, with its log and its socket beside it."""

    def __init__(self, directory: Path) -> None:
        """Raises EmbeddedPostgresError when there is no PostgreSQL, or no system user to run it as."""
        self._directory = directory
        self._data = directory / "data"
        self._binaries = find_binaries()
        self._account = account_for(self._data)

    def run(self, settings: Mapping[str, str]) -> Socket:
        """Have a server running that answers; its socket. One that runs keeps the settings it has, the port too.

        Raises EmbeddedPostgresError.
        """
        self._binaries.make_readable(self._account)
        self._account.reach(self._directory)
        if not self._data.exists():
            self._initialise(sync=settings.get("fsync") != "off")
        self._check_version()
        self._account.own_tree(self._data)
        return self._attach() or self._launch(settings)

    def halt(self) -> None:
        """Stop the server if one runs; connections it still has are closed. Raises EmbeddedPostgresError."""
        for mode in ("fast", "immediate"):
            if server_pid(self._data) is None:
                return
            self._pg_ctl("stop", "-t", str(STOP_SECONDS), "-m", mode)
        if (pid := server_pid(self._data)) is not None:
            msg = f"The embedded PostgreSQL (process {pid}) on {self._data} does not stop.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)

    def execute(self, socket: Socket, script: str) -> None:
        """Run a script of psql as the superuser. Raises EmbeddedPostgresError with what psql said."""
        command = self._binaries.command(
            "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username", SUPERUSER, "--dbname=postgres"
        )
        result = self._binaries.run(command, account=self._account, environment=_address(socket), text=script)
        if result.returncode != 0:
            msg = f"A script failed on {self._data}. psql said:\n{result.stdout.strip()}"
            raise EmbeddedPostgresError(msg)

    def _initialise(self, *, sync: bool) -> None:
        if (self._directory / "PG_VERSION").exists():
            msg = f"{self._directory} is itself a data folder of PostgreSQL. Choose an empty folder, or a new one."
            raise EmbeddedPostgresError(msg)
        # Under another name until it is done, so that a first start that is killed leaves no half of a data folder.
        unfinished = self._directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._account.own(unfinished)
        options = [
            f"--username={SUPERUSER}",
            "--auth-local=trust",  # who reaches the socket is who may use it
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
            msg = f"The data folder {self._data} could not be made. initdb said:\n{result.stdout.strip()}"
            raise EmbeddedPostgresError(msg)
        unfinished.rename(self._data)

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            msg = f"{self._data} is not a data folder of PostgreSQL. Choose another folder."
            raise EmbeddedPostgresError(msg) from None
        if found != MAJOR_VERSION:
            msg = (
                f"{self._data} was written by PostgreSQL {found}; the embedded one is {MAJOR_VERSION} and cannot read "
                "it. Choose another folder, or bring the data over with pg_dump of the old version."
            )
            raise EmbeddedPostgresError(msg)

    def _attach(self) -> Socket | None:
        """The socket once the server that runs here answers; None when none runs, or it was just ending."""
        deadline = time.monotonic() + START_SECONDS
        while (pid := server_pid(self._data)) is not None:
            socket = recorded_socket(self._data)
            if socket is not None and self._answers(socket):
                return socket
            if time.monotonic() > deadline:
                msg = f"A server (process {pid}) runs on {self._data} but does not answer.\n{self._log_tail()}"
                raise EmbeddedPostgresError(msg)
            time.sleep(POLL_SECONDS)
        return None

    def _launch(self, settings: Mapping[str, str]) -> Socket:
        clear_after_crash(self._data)
        name = cluster_name(self._data)
        port = int(settings["port"])
        folder = make_socket_folder(self._directory, name, self._account, port=port)
        quoted_folder = '"' + str(folder).replace('"', '""') + '"'
        settings = {**settings, "cluster_name": name, "unix_socket_directories": quoted_folder}
        options = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in settings.items())
        log_file = self._log_file()
        with log_file.open("ab") as log:
            result = self._pg_ctl("start", "-t", str(START_SECONDS), "-o", options, log=log.fileno())
        if result != 0:
            msg = f"The embedded PostgreSQL on {self._data} did not start.\n{self._log_tail()}"
            raise EmbeddedPostgresError(msg)
        return Socket(folder, port)

    def _pg_ctl(self, *arguments: str, log: int | None = None) -> int:
        # The folder goes by the environment: pg_ctl hands its options to a shell, which would read a path.
        command = self._binaries.command("pg_ctl", *arguments, "--wait", "--silent")
        return self._binaries.run(
            command, account=self._account, environment={"PGDATA": str(self._data)}, output=log
        ).returncode

    def _answers(self, socket: Socket) -> bool:
        command = self._binaries.command("pg_isready", "--quiet", "--username", SUPERUSER)
        return self._binaries.run(command, account=self._account, environment=_address(socket)).returncode == 0

    def _log_file(self) -> Path:
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
