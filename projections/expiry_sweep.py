"""Delete expired rows from `active_tokens` while the service runs. Correctness does not depend on it.

The sweep walks over the pages of the table in small steps, again and again, and needs no index. Its position and the
time of the next step are in a row of `expiry_sweep`. Any number of processes poll; the one that locks the row takes the
step, the others skip it. A process that is killed leaves the row unchanged.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
from msgspec import Struct

from ledger.domain.errors import Unavailable
from ledger.postgres.database import Database
from ledger.postgres.statements import load_statements
from projections.background import repeat_steps

SQL = load_statements("projections", "expiry_sweep.sql")

GRACE_SECONDS = 10
"""Rows stay this long after their expiry: a host whose clock is slow takes the token for active until then."""

STEP_PAGES = 32
"""Pages per step: about a thousand rows."""

MAX_REST_SECONDS = 60.0
"""Longest rest between two steps: a small table may grow in the meantime."""

REST_PER_WORK = 3.0
"""Rest this many times as long as a step took, so that the sweep works a quarter of the time at most."""

POLL_SECONDS = 1.0
"""Pause while another process takes the step, or the database is away."""

TRANSACTION = """
    -- Rows that a crash brings back are deleted again.
    SET LOCAL synchronous_commit = off;
    -- Give way to requests that have locked a row, and to a rebuild that swaps the table.
    SET LOCAL lock_timeout = '20ms';
    -- A process that is paused in a step must not block the others.
    SET LOCAL idle_in_transaction_session_timeout = '2s';
"""

OLD_SCHEMA = "This release needs a newer schema: run 'token-ledger migrate'."


class SweepCounts(Struct):
    """Counters of the sweep of one process since it started."""

    rows: int = 0
    steps: int = 0


def rest_seconds(*, pages: int, walk: float) -> float:
    """The rest after a step, so that a walk over the whole table takes `walk`. In seconds."""
    return min(walk * STEP_PAGES / max(pages, STEP_PAGES), MAX_REST_SECONDS)


class ExpirySweep:
    """Takes steps of the sweep of a database, over all of its logs."""

    def __init__(
        self, database: Database, *, within: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Rows are deleted `within` this many seconds after their expiry."""
        self._database = database
        self._walk = max(within - GRACE_SECONDS, POLL_SECONDS)
        self._sleep = sleep
        self.counts = SweepCounts()

    async def run(self) -> None:
        """Sweep until cancelled, whatever happens to the database."""
        await repeat_steps(self.step, task="expiry sweep", poll=POLL_SECONDS, sleep=self._sleep)

    async def step(self) -> float:
        """Take the next step if it is due and no other process takes it; return in how many seconds to poll again.

        Raises Unavailable, LockNotAvailableError.
        """
        async with self._database.connection() as connection:
            try:
                due: float = await connection.fetchval(SQL["read_due"])
            except asyncpg.UndefinedTableError as error:
                raise Unavailable(OLD_SCHEMA) from error
            if due > 0:
                return min(due, MAX_REST_SECONDS)
            async with connection.transaction():
                await connection.execute(TRANSACTION)
                rest = rest_seconds(pages=await connection.fetchval(SQL["read_pages"]), walk=self._walk)
                step = await connection.fetchrow(SQL["sweep"], STEP_PAGES, GRACE_SECONDS, rest, REST_PER_WORK)
        assert step is not None, "the function returns one row"
        if step["deleted"] is None:
            return POLL_SECONDS
        self.counts.rows += step["deleted"]
        self.counts.steps += 1
        next_step: float = step["rest"]
        return next_step


async def read_sweep_lag(database: Database) -> float:
    """Read how many seconds ago the last complete walk began. Raises Unavailable."""
    async with database.connection() as connection:
        try:
            seconds: float = await connection.fetchval(SQL["read_lag"])
        except asyncpg.UndefinedTableError as error:
            raise Unavailable(OLD_SCHEMA) from error
    return seconds
