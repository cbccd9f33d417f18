"""Expired rows leave `active_tokens` while the service runs. Nothing rests on it: every read compares the expiry.

The sweep walks over the pages of the table, round and round, a few at a time, and needs no index for it: what is issued
pays nothing. Where it is stands in a row of `expiry_sweep`, with when the next step is due. Any number of processes
look; whoever locks the row takes the step, and the others pass. One that is killed leaves the row as it was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic

import asyncpg
import structlog
from msgspec import Struct

from ledger.domain.errors import Unavailable
from ledger.postgres.database import Connection, Database
from ledger.postgres.statements import load_statements

SQL = load_statements("projections", "expiry_sweep.sql")

GRACE_SECONDS = 10
"""How long a row stays at least: a host whose clock is behind the database's takes the token for active until then."""

PAGES = 32
"""Pages that are looked at in one step: about a thousand rows."""

LONGEST_REST = 60.0
"""Between two steps over a table of a few pages, in seconds: by then it may have many."""

WORK_SHARE = 0.25
"""How much of the time the walk may be at work. Over a table too large for that it takes longer than it should."""

LOOK_SECONDS = 1.0
"""After another process was at it, or the database was away."""

TRANSACTION = """
    -- What a crash brings back is swept again.
    SET LOCAL synchronous_commit = off;
    -- It gives way: to a request that has one of the rows, and to a rebuild that puts another table here.
    SET LOCAL lock_timeout = '20ms';
    -- A process that is paused in the middle must not keep the others from going on.
    SET LOCAL idle_in_transaction_session_timeout = '2s';
"""

NO_TABLE = "This release needs a newer schema: run 'token-ledger migrate'."


class SweepCounts(Struct):
    """What the sweep of one process has done since it started."""

    rows: int = 0
    steps: int = 0


def rest_seconds(*, pages: int, walk: float, worked: float) -> float:
    """How long to rest after a step, so that the whole table takes `walk` seconds; `worked` is what the step took."""
    even = walk * PAGES / max(pages, PAGES)
    return max(min(even, LONGEST_REST), worked * (1 / WORK_SHARE - 1))


class ExpirySweep:
    """Takes its turn at the sweep of a database, for all of its logs."""

    def __init__(
        self, database: Database, *, within: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`within`: how many seconds after its expiry a row is to be gone."""
        self._database = database
        self._walk = max(within - GRACE_SECONDS, LOOK_SECONDS)
        self._sleep = sleep
        self._told = ""
        self._logger = structlog.get_logger()
        self.counts = SweepCounts()

    async def run(self) -> None:
        """Sweep until cancelled, whatever happens to the database."""
        while True:
            seconds = LOOK_SECONDS
            try:
                seconds = await self.step()
                self._told = ""
            except (Unavailable, asyncpg.LockNotAvailableError):
                pass
            except Exception as error:
                # It must go on for as long as the process does, and not tell the same again and again.
                if repr(error) != self._told:
                    self._logger.exception("expired rows are not swept")
                    self._told = repr(error)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # It came while a connection broke, and the error that made took its place.
                raise asyncio.CancelledError
            await self._sleep(seconds)

    async def step(self) -> float:
        """Take the next step, if it is due and nobody is at it; returns in how many seconds to look again.

        Raises Unavailable, LockNotAvailableError.
        """
        async with self._database.connection() as connection:
            try:
                due: float = await connection.fetchval(SQL["look"])
            except asyncpg.UndefinedTableError as error:
                raise Unavailable(NO_TABLE) from error
            if due > 0:
                return min(due, LONGEST_REST)
            async with connection.transaction():
                await connection.execute(TRANSACTION)
                return await self._step(connection)

    async def _step(self, connection: Connection) -> float:
        started = monotonic()
        row = await connection.fetchrow(SQL["take"])
        if row is None:
            return LOOK_SECONDS
        first, beyond = row["block"], row["block"] + PAGES
        gone = await connection.execute(SQL["sweep"], (first, 0), (beyond, 0), row["now"] - GRACE_SECONDS)
        rest = rest_seconds(pages=row["pages"], walk=self._walk, worked=monotonic() - started)
        at = beyond if beyond < row["pages"] else 0
        await connection.execute(SQL["done"], first, at, timedelta(seconds=rest))
        self.counts.rows += int(gone.removeprefix("DELETE "))
        self.counts.steps += 1
        return rest


async def read_sweep_lag(database: Database) -> float:
    """How many seconds ago the last whole walk began: what had expired by then is gone. Raises Unavailable."""
    async with database.connection() as connection:
        try:
            seconds: float = await connection.fetchval(SQL["behind"])
        except asyncpg.UndefinedTableError as error:
            raise Unavailable(NO_TABLE) from error
    return seconds
