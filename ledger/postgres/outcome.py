"""What became of a batch whose connection broke during commit.

The session of that connection is ended before looking: its server process may not have noticed, and the commit may
still be on its way to it. Then the head lock is taken, in case that it was another's session, of a pooler between. What
is not in the log after that will never be.
"""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from ledger.domain.conflicts import results_after
from ledger.domain.errors import OutcomeUnknown, Unavailable
from ledger.domain.recording import NewEvent, VersionConflict, Write, WriteResult
from ledger.postgres.database import Database
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

ATTEMPTS = 20
PAUSE_SECONDS = 0.3

Place = tuple[UUID, int]


async def find_outcome(
    database: Database,
    log_id: int,
    session: int,
    results: Sequence[WriteResult | VersionConflict],
    survivors: Sequence[Write],
) -> Sequence[WriteResult | VersionConflict]:
    """What to answer for a batch whose commit was not answered, if it was recorded.

    `session` is the server process of the connection that broke. `results` has its conflicts, and places for what the
    log has of the `survivors`; without it all of the writes survive.
    Raises Unavailable when it was not, OutcomeUnknown when the log cannot be asked for some seconds.
    """
    for _ in range(ATTEMPTS):
        try:
            recorded = await _look(database, log_id, session, survivors)
        except Unavailable:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if recorded is None:
            msg = "The database went away during commit; nothing was recorded."
            raise Unavailable(msg)
        if not results:
            return recorded
        following = iter(recorded)
        return [result if isinstance(result, VersionConflict) else next(following) for result in results]
    msg = "The database went away during commit and has not come back: it is not known whether this was recorded."
    raise OutcomeUnknown(msg)


async def _look(database: Database, log_id: int, session: int, writes: Sequence[Write]) -> Sequence[WriteResult] | None:
    firsts = [write.events[0] for write in writes]
    async with database.connection() as connection:
        if await connection.fetchval(SQL["end_session"], session) is False:
            msg = "The session of a connection that broke does not end."
            raise Unavailable(msg)
        async with connection.transaction():
            await connection.fetchrow(SQL["lock_head"], log_id)
            rows = await connection.fetch(
                SQL["find_recorded"],
                log_id,
                [event.stream_id for event in firsts],
                [event.stream_version for event in firsts],
            )
    found: Mapping[Place, asyncpg.Record] = {(row["stream_id"], row["stream_version"]): row for row in rows}
    # One transaction: all of it is there, one write after the other, or none. Another process may have taken one of the
    # places since.
    before = 0
    for write, first in zip(writes, firsts, strict=True):
        row = _if_ours(found.get((first.stream_id, first.stream_version)), first)
        if row is not None:
            return results_after(row["position"] - 1 - before, writes, row["recorded_at"])
        before += len(write.events)
    return None


def _if_ours(row: asyncpg.Record | None, event: NewEvent) -> asyncpg.Record | None:
    request_id = event.request_id
    if row is not None and row["payload"] == event.payload and row["request_id"] == request_id:
        return row
    return None
