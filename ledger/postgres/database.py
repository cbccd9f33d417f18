"""The connections of one process, and what their failures mean."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from ledger.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    # The library's types take parameters for a type checker only.
    Pool = asyncpg.Pool[asyncpg.Record]
    PooledConnection = PoolConnectionProxy[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PooledConnection
else:
    Pool = PooledConnection = Connection = asyncpg.Connection

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
    """A pool that is made when it is first needed and again after the database was away."""

    def __init__(self, dsn: str, *, pool_size: int = 8) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._pool: Pool | None = None
        self._making = asyncio.Lock()
        self._refuse_until = 0.0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection.

        Raises Unavailable when none can be had, and in place of any connection error of what runs inside.
        """
        if time.monotonic() < self._refuse_until:
            msg = "The database could not be reached a moment ago."
            raise Unavailable(msg)
        try:
            pool, connection = await self._acquire()
            try:
                yield connection
            finally:
                await pool.release(connection)
        except CONNECTION_ERRORS as error:
            if isinstance(error, ValueError):  # an argument that does not fit its statement: a defect, not an outage
                raise
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Let go of every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), CONNECT_SECONDS)
            except CONNECTION_ERRORS:
                pool.terminate()

    async def _acquire(self) -> tuple[Pool, PooledConnection]:
        try:
            pool = self._pool or await self._make_pool()
            return pool, await pool.acquire()
        except CONNECTION_ERRORS:
            self._refuse_until = time.monotonic() + PAUSE_AFTER_REFUSAL
            raise

    async def _make_pool(self) -> Pool:
        async with self._making:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=self._pool_size,
                    max_inactive_connection_lifetime=0,
                    timeout=CONNECT_SECONDS,
                    command_timeout=STATEMENT_SECONDS,
                    server_settings=SESSION,
                    reset=_keep_session,
                )
            return self._pool


async def _keep_session(_connection: Connection) -> None:
    """Nothing to reset: no statement of the service changes its session, and a round trip is saved."""


def _unavailable(error: BaseException) -> Unavailable:
    # The server's own words may quote a DSN or a statement; only the kind of failure is passed on.
    return Unavailable(f"The database cannot be reached or does not answer ({type(error).__name__}).")
