"""Connections for work that takes minutes: as the role that may do it, without the service's limits of time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from ledger.domain.errors import Unavailable
from ledger.postgres.database import CONNECT_SECONDS, CONNECTION_ERRORS
from ledger.postgres.logs import NO_LEDGER
from ledger.postgres.statements import load_statements

if TYPE_CHECKING:
    BuildConnection = asyncpg.Connection[asyncpg.Record]  # takes a parameter for a type checker only
else:
    BuildConnection = asyncpg.Connection

TABLES = load_statements("projections.rebuilding", "tables.sql")

SESSION = {
    "application_name": "token-ledger builds",
    "timezone": "UTC",
    "jit": "off",
    # A page that a crash takes along is folded again.
    "synchronous_commit": "off",
    "work_mem": "64MB",
    "temp_buffers": "64MB",
    "maintenance_work_mem": "256MB",
    # What has two cores is to serve meanwhile.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # Pages are read in the order of their index, also from a table that was never analyzed.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


class LiveSchema:
    """Where the live tables are."""

    def __init__(self, name: str, quoted: str) -> None:
        self.schema = name
        self._quoted = quoted

    def __call__(self, statement: str) -> str:
        """A statement on the ledger's own tables, which a build does not find by their names alone."""
        return statement.replace("{live}", self._quoted)


@asynccontextmanager
async def connect(dsn: str) -> AsyncIterator[BuildConnection]:
    """A connection. Raises Unavailable, also in place of connection errors of what runs inside."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=SESSION)
        try:
            yield connection
        finally:
            # What runs on it is of no use any more, and is not waited for.
            connection.terminate()
    except CONNECTION_ERRORS as error:
        if isinstance(error, ValueError):
            raise
        # The server's words may quote a DSN or a statement.
        msg = f"The database cannot be reached or does not answer ({type(error).__name__})."
        raise Unavailable(msg) from error


async def find_live_schema(connection: BuildConnection) -> LiveSchema:
    """Where the ledger is. Raises Unavailable where there is none."""
    row = await connection.fetchrow(TABLES["live_schema"])
    if row is None:
        raise Unavailable(NO_LEDGER)
    return LiveSchema(row["name"], row["quoted"])
