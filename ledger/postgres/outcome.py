"""Find out what became of an append whose connection broke, or whose commit was not confirmed by the standby.

The session of that connection is ended first: its server process may not have noticed, and its commit may still be on
its way. Then the head lock is taken, in case the session was another's, of a pooler in between. What is not in the log
after that will never be.
"""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from ledger.domain.errors import OutcomeUnknown, Unavailable
from ledger.domain.recording import VersionConflict, Write, WriteResult
from ledger.postgres.append import watch_commit
from ledger.postgres.database import Database
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

ATTEMPTS = 20
PAUSE_SECONDS = 0.3

RowsByPlace = Mapping[tuple[UUID, int], asyncpg.Record]
"""Rows by stream and version."""


async def find_outcome(
    database: Database, log_id: int, session: int, writes: Sequence[Write]
) -> Sequence[WriteResult | VersionConflict]:
    """The result of each write of a batch, if the batch was recorded. `session` is the server process that ran it.

    Raises Unavailable when nothing was recorded, OutcomeUnknown when the log cannot be read for some seconds.
    """
    for _ in range(ATTEMPTS):
        try:
            results = await _look(database, log_id, session, writes)
        except Unavailable:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if results is None:
            msg = "The database went away during commit; nothing was recorded."
            raise Unavailable(msg)
        return results
    msg = "The database went away during commit and has not come back: it is not known whether this was recorded."
    raise OutcomeUnknown(msg)


async def _look(
    database: Database, log_id: int, session: int, writes: Sequence[Write]
) -> Sequence[WriteResult | VersionConflict] | None:
    firsts = [write.events[0] for write in writes]
    async with database.connection() as connection:
        if await connection.fetchval(SQL["end_session"], session) is False:
            msg = "The session of a connection that broke does not end."
            raise Unavailable(msg)
        rows = await connection.fetch(
            SQL["find_recorded_events"],
            log_id,
            [event.stream_id for event in firsts],
            [event.stream_version for event in firsts],
        )
        found: RowsByPlace = {(row["stream_id"], row["stream_version"]): row for row in rows}
        # Another process may have taken one of the places since: the salt tells its event from ours.
        places = [found.get((event.stream_id, event.stream_version)) for event in firsts]
        ours = [
            row if row is not None and row["salt"] == event.salt else None
            for row, event in zip(places, firsts, strict=True)
        ]
        if not any(ours):
            return None
        # A session that was killed while it waited for the standby has committed locally. A later commit that waits
        # for the standby confirms it.
        with watch_commit(connection) as commit:
            await connection.execute(SQL["confirm_durability"])
        if not commit.confirmed:
            msg = "The standby did not confirm a commit."
            raise Unavailable(msg)
    # One transaction: what is missing was in conflict.
    return [
        VersionConflict(write.events[0].stream_id, version=write.events[0].stream_version)
        if row is None
        else WriteResult(range(row["position"], row["position"] + len(write.events)), row["recorded_at"])
        for write, row in zip(writes, ours, strict=True)
    ]
