"""The connections of one process, and what their failures mean."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import asyncpg

from ledger.domain.errors import Unavailable
from ledger.postgres.pool import Connection, Pool

__all__ = ["CONNECTION_ERRORS", "Connection", "Database"]

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
    """Lends the connections of one process, and refuses at once for a moment after none could be made."""

    def __init__(self, dsn: str, *, pool_size: int = 8) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._pool: Pool | None = None
        self._refuse_until = 0.0

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection.

        Raises Unavailable when none can be had, and in place of any connection error of what runs inside.
        """
        return _Loan(self)

    async def acquire(self) -> tuple[Pool, Connection]:
        """A connection, and the pool it goes back to. Raises Unavailable. Others use `connection`."""
        if time.monotonic() < self._refuse_until:
            msg = "The database could not be reached a moment ago."
            raise Unavailable(msg)
        pool = self._pool
        if pool is None:
            pool = self._pool = Pool(self._connect, self._pool_size)
        try:
            return pool, await pool.acquire()
        except CONNECTION_ERRORS as error:
            self._refuse_until = time.monotonic() + PAUSE_AFTER_REFUSAL
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Let go of every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), CONNECT_SECONDS)
            except CONNECTION_ERRORS:
                pool.terminate()

    async def _connect(self) -> Connection:
        return await asyncpg.connect(
            self._dsn, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=SESSION
        )


class _Loan(AbstractAsyncContextManager[Connection]):
    __slots__ = ("_connection", "_database", "_pool")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Connection:
        self._pool, self._connection = await self._database.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        of_connection = isinstance(error, CONNECTION_ERRORS)
        # A statement that was cancelled may still run.
        left_midway = error is not None and not isinstance(error, Exception)
        self._pool.release(self._connection, broken=of_connection or left_midway)
        if of_connection and not isinstance(error, ValueError):  # a ValueError is a defect of ours, not an outage
            assert error is not None
            raise _unavailable(error) from error


def _unavailable(error: BaseException) -> Unavailable:
    # The server's own words may quote a DSN or a statement; only the kind of failure is passed on.
    return Unavailable(f"The database cannot be reached or does not answer ({type(error).__name__}).")
