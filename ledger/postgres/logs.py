"""Find or create the log of an issuer."""

import asyncpg

from ledger.domain.errors import Unavailable
from ledger.postgres.database import Connection, Database
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

NO_LEDGER = "The database is not migrated: run 'token-ledger migrate'."

NO_LOG = 0
"""The id of no log. Queries for it find no rows."""


class Log:
    """The log of one issuer, by name.

    Its id is looked up at the first read, and the log is created at the first write. So a process can start while the
    database is down, and reading an issuer that has no log creates nothing.
    """

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.name = name
        self._log_id: int | None = None

    async def find_id(self) -> int:
        """The id of the log, NO_LOG while there is none. Cached once found. Raises Unavailable."""
        if self._log_id is None:
            async with self.database.connection() as connection:
                self._log_id = await self._find(connection)
        return NO_LOG if self._log_id is None else self._log_id

    async def ensure_id(self) -> int:
        """The id of the log, created if there is none. Raises Unavailable."""
        if self._log_id is None:
            self._log_id = await self._create()
        return self._log_id

    async def _create(self) -> int:
        async with self.database.connection() as connection:
            log_id = await self._find(connection)
            if log_id is None:
                log_id = await connection.fetchval(SQL["create_log"], self.name)
        return log_id

    async def _find(self, connection: Connection) -> int | None:
        try:
            log_id: int | None = await connection.fetchval(SQL["find_log"], self.name)
        except asyncpg.UndefinedTableError as error:
            raise Unavailable(NO_LEDGER) from error
        return log_id
