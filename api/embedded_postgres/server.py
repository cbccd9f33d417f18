"""The embedded server: started by its first user, shared by all, stopped by its last.

Who uses it is known by locks on a file in the folder, which the operating system releases for a process that was
killed. The server runs in a session of its own: Ctrl-C in a terminal goes to the programs of its foreground group, and
the database must stay up while the service drains.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from api.embedded_postgres.cluster import SUPERUSER, Cluster
from api.embedded_postgres.errors import EmbeddedPostgresError
from api.embedded_postgres.sockets import PORT, Socket

OWNER = "token_ledger_owner"
SERVICE = "token_ledger_service"
DATABASE = "token_ledger"

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_line_prefix": "%m [%p] %u@%d ",
}

NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}

# Run at every start: whoever started first may have been killed before it was done.
SET_UP = f"""
SELECT format('CREATE ROLE %I LOGIN', r) FROM unnest(ARRAY['{OWNER}', '{SERVICE}']) AS r
 WHERE r NOT IN (SELECT rolname FROM pg_roles) \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""  # noqa: S608 (every name is a constant above)


class EmbeddedPostgres:
    """A PostgreSQL server on a folder, shared by everyone who starts it there.

    The folder holds `data`, `server.log`, two lock files and, unless its path is too long, `socket`. An object is for
    one thread; objects and processes may be many.
    """

    def __init__(self, directory: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        """`durable=False` gives up the data's survival of a power cut for speed; `settings` go to the server as well.

        Both take effect only where start finds no server running on the folder.
        """
        self._directory = directory.resolve()
        self._settings = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        self._user: tuple[int, int] | None = None
        self._socket: Socket | None = None

    def start(self) -> None:
        """Start the server or attach to the one that runs here; on the first start make the roles and the database.

        Blocks: for a second or two on the first start, a fraction of one later. Raises EmbeddedPostgresError, which
        says what to do, when the extra `embedded` is not installed or the folder or the system user is not fit.
        """
        if self._user is not None:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with self._transition():
                lock = os.open(self._directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH)
                    cluster = Cluster(self._directory)
                    socket = cluster.run(self._settings)
                    cluster.execute(socket, SET_UP)
                except BaseException:
                    with suppress(EmbeddedPostgresError):
                        self._halt_unless_used(lock)
                    os.close(lock)
                    raise
                self._user, self._socket = (os.getpid(), lock), socket
        except OSError as error:
            msg = f"The folder {self._directory} cannot hold an embedded PostgreSQL: {error}. Choose another folder."
            raise EmbeddedPostgresError(msg) from error

    def stop(self) -> None:
        """Let go of the server, and stop it if nobody else uses it; the connections it still has are closed then.

        Does nothing when not started. Raises EmbeddedPostgresError when the server does not stop.
        """
        if self._user is None:
            return
        (starter, lock), self._user, self._socket = self._user, None, None
        try:
            if starter != os.getpid():  # a fork shares the lock of its parent, who is the user
                return
            with self._transition():
                self._halt_unless_used(lock)
        finally:
            os.close(lock)

    @property
    def owner_dsn(self) -> str:
        """For migrations: the owner of the database, no superuser. Valid between start and stop."""
        return self._dsn(OWNER, DATABASE)

    @property
    def service_dsn(self) -> str:
        """For the service: no right but those the migrations grant. Valid between start and stop."""
        return self._dsn(SERVICE, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        """For administration and tests, in the database `postgres`. Valid between start and stop."""
        return self._dsn(SUPERUSER, "postgres")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _dsn(self, user: str, database: str) -> str:
        if self._socket is None:
            msg = "The embedded PostgreSQL has no address before start() and after stop()."
            raise EmbeddedPostgresError(msg)
        where = urlencode(
            {"host": str(self._socket.folder), "port": self._socket.port, "user": user}, quote_via=quote, safe="/"
        )
        return f"postgresql:///{database}?{where}"

    def _halt_unless_used(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody else holds it too
            return
        Cluster(self._directory).halt()

    @contextmanager
    def _transition(self) -> Iterator[None]:
        """One at a time starts or stops the server."""
        lock = os.open(self._directory / "transition.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
