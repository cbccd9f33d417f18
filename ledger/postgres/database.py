"""The connections of one process, and what their failures mean."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING

import asyncpg

from ledger.domain.errors import Unavailable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]  # takes a parameter for a type checker only
else:
    Connection = asyncpg.Connection

CONNECT_SECONDS = 3.0
"""How long a connection may take to be made."""

STATEMENT_SECONDS = 15.0
"""How long a statement may take. A writer that waits longer than this for the head row gives up."""

PAUSE_AFTER_REFUSAL = 0.25
"""After a connection could not be made, how long requests are refused at once before it is tried again, in seconds."""

SESSION = {
    "application_name": "token-ledger",
    "timezone": "UTC",
    # The log rests on each statement after the head lock seeing what was committed before it was taken.
    "default_transaction_isolation": "read committed",
    # A process that stops in the middle of a transaction must not keep the head row from the others.
    "idle_in_transaction_session_timeout": "10s",
    # Every read has its index, in the order that is asked for, on the far side of a join too. Without these a plan that
    # was made while a table is small, or not yet analysed, would be kept as it grows.
    "enable_seqscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""Errors that say something about the database or the way to it, not about what was asked."""


class Database:
    """Lends the connections of one process, and refuses at once for a moment after none could be made.

    The one that came back last is lent first, because it has prepared what is asked again and again. This is less than
    asyncpg's pool does, and much cheaper: see docs/decisions/0016-own-connection-pool.md.
    """

    def __init__(self, dsn: str, *, pool_size: int = 8) -> None:
        """Nothing is connected before it is needed."""
        self._dsn = dsn
        self._pool_size = pool_size
        self._slots = asyncio.Semaphore(pool_size)
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._refuse_until = 0.0

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection, waiting in line while all are lent.

        Raises Unavailable when there is none, and in place of any connection error of what runs inside.
        """
        return _Loan(self)

    async def acquire(self) -> Connection:
        """Take a connection; `connection` gives it back. Raises Unavailable."""
        if time.monotonic() < self._refuse_until:
            msg = "The database could not be reached a moment ago."
            raise Unavailable(msg)
        await self._slots.acquire()
        try:
            connection = self._take_idle() or await self._connect()
        except BaseException:
            self._slots.release()
            raise
        self._lent.add(connection)
        return connection

    def release(self, connection: Connection, *, broken: bool) -> None:
        """Take a connection back. One that is broken, or still in a transaction, is ended."""
        self._lent.discard(connection)
        if broken or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)
        self._slots.release()

    async def close(self) -> None:
        """Close every connection, once it has come back; after some seconds those in use are terminated."""
        with suppress(*CONNECTION_ERRORS):
            async with asyncio.timeout(CONNECT_SECONDS):
                for _ in range(self._pool_size):
                    await self._slots.acquire()
                while self._idle:
                    await self._idle.pop().close()
        for connection in (*self._idle, *self._lent):
            connection.terminate()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> Connection:
        try:
            return await asyncpg.connect(
                self._dsn, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=SESSION
            )
        except CONNECTION_ERRORS as error:
            self._refuse_until = time.monotonic() + PAUSE_AFTER_REFUSAL
            raise _unavailable(error) from error


class _Loan(AbstractAsyncContextManager[Connection]):
    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Connection:
        self._connection = await self._database.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        of_connection = isinstance(error, CONNECTION_ERRORS)
        # A statement that was cancelled may still run.
        cancelled = error is not None and not isinstance(error, Exception)
        self._database.release(self._connection, broken=of_connection or cancelled)
        if of_connection and not isinstance(error, ValueError):  # a ValueError is a defect of ours, not an outage
            assert error is not None
            raise _unavailable(error) from error


def _unavailable(error: BaseException) -> Unavailable:
    # The server's own words may quote a DSN or a statement; only the kind of failure is passed on.
    return Unavailable(f"The database cannot be reached or does not answer ({type(error).__name__}).")
