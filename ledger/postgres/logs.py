"""Which log an issuer has, and how a new issuer gets one."""

import asyncpg

from ledger.domain.errors import Unavailable
from ledger.postgres.database import Database
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

ATTEMPTS = 10

NO_LEDGER = "The database has no ledger in it yet: run 'token-ledger migrate'."


NO_LOG = 0
"""The number that no log has: nothing is found under it."""


class Log:
    """The log of one issuer, by name. It is found when it is first read, and created when it is first written.

    So a process can start while the database is away, and a look at an issuer that does not exist leaves no trace.
    """

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.name = name
        self._log_id: int | None = None

    async def to_read(self) -> int:
        """The number of the log, NO_LOG while there is none. Once given it never changes. Raises Unavailable."""
        if self._log_id is None:
            self._log_id = await find_log(self.database, self.name)
        return NO_LOG if self._log_id is None else self._log_id

    async def to_write(self) -> int:
        """The number of the log, which is created when there is none. Raises Unavailable."""
        if self._log_id is None:
            self._log_id = await ensure_log(self.database, self.name)
        return self._log_id


async def find_log(database: Database, name: str) -> int | None:
    """The number of a log, or None when no issuer of that name was ever served here. Raises Unavailable."""
    async with database.connection() as connection:
        try:
            log_id: int | None = await connection.fetchval(SQL["find_log"], name)
        except asyncpg.UndefinedTableError as error:
            raise Unavailable(NO_LEDGER) from error
    return log_id


async def ensure_log(database: Database, name: str) -> int:
    """The number of a log, which is created when there is none. Safe on several processes at once.

    Raises Unavailable.
    """
    for _ in range(ATTEMPTS):
        async with database.connection() as connection:
            try:
                if await connection.fetchval(SQL["find_log"], name) is None:
                    await connection.execute(SQL["create_log"], name)
                log_id: int | None = await connection.fetchval(SQL["find_log"], name)
                if log_id is not None:
                    return log_id
            except asyncpg.UniqueViolationError:
                continue
            except asyncpg.UndefinedTableError as error:
                raise Unavailable(NO_LEDGER) from error
    msg = f"log {name!r} could not be created: other processes kept taking its number"
    raise Unavailable(msg)
