"""The embedded server: its first user starts it, its last user stops it.

Each user holds a lock on a file in the folder, which the operating system releases when the process is killed. The
server runs in its own session: Ctrl-C in a terminal reaches the foreground process group, and the database must stay up
while the service drains.
"""

import fcntl
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote, urlencode

from api.embedded_postgres.cluster import SUPERUSER, Cluster, Socket
from api.embedded_postgres.programs import EmbeddedPostgresError

OWNER = "token_ledger_owner"
SERVICE = "token_ledger_service"
PROJECTOR = "token_ledger_projector"
DATABASE = "token_ledger"

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
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

# Run at every start, because the process that started first may have been killed before it finished.
SETUP_SCRIPT = f"""
SELECT format('CREATE ROLE %I LOGIN', r) FROM unnest(ARRAY['{OWNER}', '{SERVICE}', '{PROJECTOR}']) AS r
 WHERE r NOT IN (SELECT rolname FROM pg_roles) \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""  # noqa: S608 (every name is a constant above)


class EmbeddedPostgres:
    """A PostgreSQL server on a folder, shared by all objects and processes that start it there.

    The folder contains `data`, `server.log`, two lock files and, unless its path is too long, `socket`. An object is
    not thread-safe.
    """

    def __init__(self, directory: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        """`durable=False` trades safety in a power cut for speed; `settings` are passed to the server.

        Both apply only if `start` finds no running server on the folder.
        """
        self._directory = directory.resolve()
        self._settings = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        self._user: tuple[int, int] | None = None
        self._socket: Socket | None = None

    def start(self) -> None:
        """Start the server or attach to the running one; the first start creates the roles and the database.

        Blocks for one or two seconds on the first start, for less than a second later. Raises EmbeddedPostgresError
        when the extra `embedded` is not installed, or the folder or the system user cannot be used.
        """
        if self._user is not None:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with self._lock_transition(), ExitStack() as undo:
                lock = self._open_lock("users.lock")
                undo.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_SH)
                undo.callback(self._stop_unless_used, lock)
                cluster = Cluster(self._directory)
                socket = cluster.start(self._settings)
                cluster.execute(socket, SETUP_SCRIPT)
                self._user, self._socket = (os.getpid(), lock), socket
                undo.pop_all()
        except OSError as error:
            msg = f"The folder {self._directory} cannot hold an embedded PostgreSQL: {error}. Choose another folder."
            raise EmbeddedPostgresError(msg) from error

    def stop(self) -> None:
        """Stop the server and close its connections, unless another user still needs it.

        Does nothing when not started. Raises EmbeddedPostgresError when the server does not stop.
        """
        if self._user is None:
            return
        (starter, lock), self._user, self._socket = self._user, None, None
        with ExitStack() as stack:
            stack.callback(os.close, lock)
            if starter == os.getpid():  # otherwise the lock belongs to the parent of this fork
                stack.enter_context(self._lock_transition())
                self._stop_unless_used(lock)

    @property
    def owner_dsn(self) -> str:
        """DSN of the owner of the database, for migrations. Valid between start and stop."""
        return self._dsn(OWNER, DATABASE)

    @property
    def service_dsn(self) -> str:
        """DSN of the service role, whose only privileges the migrations grant. Valid between start and stop."""
        return self._dsn(SERVICE, DATABASE)

    @property
    def projector_dsn(self) -> str:
        """DSN of the role that writes catch-up projections. Valid between start and stop."""
        return self._dsn(PROJECTOR, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        """DSN of the superuser and the database `postgres`. Valid between start and stop."""
        return self._dsn(SUPERUSER, "postgres")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _dsn(self, user: str, database: str) -> str:
        if self._socket is None:
            msg = "The embedded PostgreSQL has no DSN before start() and after stop()."
            raise EmbeddedPostgresError(msg)
        where = urlencode(
            {"host": str(self._socket.folder), "port": self._socket.port, "user": user}, quote_via=quote, safe="/"
        )
        return f"postgresql:///{database}?{where}"

    def _stop_unless_used(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another user holds it too
            return
        Cluster(self._directory).stop()

    def _lock_transition(self) -> IO[str]:
        """Let one process at a time start or stop the server, until the file is closed."""
        lock = os.fdopen(self._open_lock("transition.lock"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def _open_lock(self, name: str) -> int:
        return os.open(self._directory / name, os.O_RDWR | os.O_CREAT, 0o600)
