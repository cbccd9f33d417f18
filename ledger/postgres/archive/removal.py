"""Removing what is archived from the log: a few streams at a time, so that nobody who appends waits for long."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from ledger.archive.closed_grants import find_closed_grants
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.catalogue import SQL, ArchivedRange
from ledger.postgres.database import Connection
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.postgres.whole_log import Progress

LOG = load_statements("ledger.postgres", "event_log.sql")

STREAMS = 200
"""How many streams are removed while the head lock is held: for some milliseconds."""

REST = 1.0
"""How long a rest is, measured in the work before it."""

QUICKLY = """
    -- What a crash takes along is removed again, and nobody waits for the disk while the head lock is held.
    SET LOCAL synchronous_commit = off;
"""


async def remove_archived_streams(
    connection: Connection,
    log_id: int,
    archive: ArchivedRange,
    mapper: EventMapper,
    progress: Progress,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Remove the closed grants of an archive, and those that earlier ones left because they were not closed then.

    Returns how many events are gone. Raises Unavailable; then it can be done again.
    """
    skipped = {row["position"] for row in await connection.fetch(SQL["skipped"], log_id, archive.last)}
    removed = position = 0
    while rows := await connection.fetch(SQL["page_of_grants"], log_id, position, archive.last, STREAMS):
        started = monotonic()
        streams = await connection.fetch(SQL["streams"], log_id, [row["stream_id"] for row in rows])
        closed = find_closed_grants(
            map(recorded_event, streams), mapper, until=archive.last, before=archive.closed_before, needed=skipped
        )
        if closed:
            async with connection.transaction():
                await connection.execute(QUICKLY)
                # Under it nobody appends, so no grant goes on between the look and the removal.
                await connection.fetch(LOG["lock_head"], log_id)
                removed += await connection.fetchval(SQL["remove"], log_id, closed, archive.last)
        progress(rows[-1]["position"] - position)
        position = rows[-1]["position"]
        await sleep((monotonic() - started) * REST)
    progress(archive.last - position)
    await connection.execute(SQL["removed"], log_id, archive.first)
    return removed
