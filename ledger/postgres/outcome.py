"""What became of a batch whose connection broke during commit.

The head lock is taken before looking. The broken transaction may still hold it in a server process that has not
noticed; once it can be had that transaction is over, and what is not in the log then will never be.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.postgres.database import Database
from ledger.postgres.statements import load_statements
from ledger.recording import EventToStore, StoredEvent, VersionConflict, Write, WriteResult, stream_id

SQL = load_statements("ledger.postgres", "event_log.sql")

ATTEMPTS = 20
PAUSE_SECONDS = 0.3

Place = tuple[UUID, int]


async def find_outcome(
    database: Database,
    log_id: int,
    results: Sequence[WriteResult | VersionConflict],
    survivors: Sequence[Write],
) -> Sequence[WriteResult | VersionConflict]:
    """What to answer for a batch whose commit was not answered: its results, if it was recorded, with the instant.

    Raises Unavailable when it was not, OutcomeUnknown when the log cannot be asked for some seconds.
    """
    for _ in range(ATTEMPTS):
        try:
            recorded_at = await _look(database, log_id, [write.events[0] for write in survivors])
        except Unavailable:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if recorded_at is None:
            msg = "The database went away during commit; nothing was recorded."
            raise Unavailable(msg)
        return [WriteResult(r.positions, recorded_at) if isinstance(r, WriteResult) else r for r in results]
    msg = "The database went away during commit and has not come back: it is not known whether this was recorded."
    raise OutcomeUnknown(msg)


async def _look(database: Database, log_id: int, firsts: Sequence[StoredEvent]) -> datetime | None:
    async with database.connection() as connection, connection.transaction():
        await connection.fetchrow(SQL["lock_head"], log_id)
        rows = await connection.fetch(
            SQL["find_recorded"],
            log_id,
            [event.originator_id for event in firsts],
            [event.originator_version for event in firsts],
        )
    found: Mapping[Place, asyncpg.Record] = {(row["stream_id"], row["stream_version"]): row for row in rows}
    # One transaction: all of it is there or none of it. Another process may have taken one of the places since.
    ours = (_if_ours(found.get((stream_id(e), e.originator_version)), e) for e in firsts)
    return next((row["recorded_at"] for row in ours if row is not None), None)


def _if_ours(row: asyncpg.Record | None, event: StoredEvent) -> asyncpg.Record | None:
    request_id = event.request_id if isinstance(event, EventToStore) else None
    if row is not None and row["payload"] == event.state and row["request_id"] == request_id:
        return row
    return None
