"""Connections for work that takes minutes, without the service's time limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from ledger.domain.errors import Unavailable
from ledger.postgres.database import CONNECT_SECONDS, CONNECTION_ERRORS
from ledger.postgres.logs import NO_LEDGER
from ledger.postgres.statements import load_statements

if TYPE_CHECKING:
    BuildConnection = asyncpg.Connection[asyncpg.Record]  # takes a parameter for a type checker only
else:
    BuildConnection = asyncpg.Connection

SQL = load_statements("projections.rebuilding", "tables.sql")

SESSION = {
    "application_name": "token-ledger builds",
    "timezone": "UTC",
    "jit": "off",
    # Rows and progress are lost together in a crash, and folded again.
    "synchronous_commit": "off",
    "work_mem": "64MB",
    "temp_buffers": "64MB",
    "maintenance_work_mem": "256MB",
    # The service needs the other cores.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # Pages are read by index, even from a table that was never analyzed.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


class LiveSchema(Struct, frozen=True):
    """The schema of the live tables; `quoted` is its name as SQL takes it."""

    name: str
    quoted: str

    def qualify(self, statement: str) -> str:
        """Fill in the schema, for a connection that searches the schema of a build only."""
        return statement.replace("{live}", self.quoted)


@asynccontextmanager
async def connect(dsn: str) -> AsyncIterator[BuildConnection]:
    """Open a connection. Raises Unavailable, also for connection errors inside the block."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=SESSION)
        try:
            yield connection
        finally:
            # Do not wait for a statement that still runs: its result is not needed.
            connection.terminate()
    except CONNECTION_ERRORS as error:
        if isinstance(error, ValueError):
            raise
        # The server's message may quote a DSN or a statement.
        msg = f"The database cannot be reached or does not respond ({type(error).__name__})."
        raise Unavailable(msg) from error


async def find_live_schema(connection: BuildConnection) -> LiveSchema:
    """Find the schema of the ledger. Raises Unavailable if there is none."""
    row = await connection.fetchrow(SQL["live_schema"])
    if row is None:
        raise Unavailable(NO_LEDGER)
    return LiveSchema(row["name"], row["quoted"])
