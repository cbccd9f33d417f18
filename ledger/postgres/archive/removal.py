"""Remove archived grants from the log, a few streams at a time, so that appends wait only briefly."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from ledger.archive.closed_grants import find_closed_grants
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.catalogue import LOG, SQL, ArchivedRange
from ledger.postgres.database import Connection
from ledger.postgres.rows import recorded_event
from ledger.postgres.whole_log import Progress

STREAMS = 200
"""Streams removed while the head lock is held, which takes a few milliseconds."""

REST = 1.0
"""Pause after each page, as a multiple of the time that the page took."""

ASYNC_COMMIT = """
    -- A crash undoes recent removals, and the next run repeats them. Do not wait for the disk under the head lock.
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
    """Remove the closed grants up to the end of an archive, including those that were still open in earlier ones.

    Returns the number of removed events. After Unavailable it can be repeated.
    """
    skipped = {row["position"] for row in await connection.fetch(SQL["skipped_positions"], log_id, archive.last)}
    removed = position = 0
    while rows := await connection.fetch(SQL["page_of_grants"], log_id, position, archive.last, STREAMS):
        started = monotonic()
        streams = await connection.fetch(SQL["streams"], log_id, [row["stream_id"] for row in rows])
        closed = find_closed_grants(
            map(recorded_event, streams), mapper, until=archive.last, before=archive.closed_before, needed=skipped
        )
        if closed:
            async with connection.transaction():
                await connection.execute(ASYNC_COMMIT)
                # No one else can append under the head lock, so no stream grows between the check and the removal.
                await connection.fetch(LOG["lock_head"], log_id)
                removed += await connection.fetchval(SQL["remove_streams"], log_id, closed, archive.last)
        progress(rows[-1]["position"] - position)
        position = rows[-1]["position"]
        await sleep((monotonic() - started) * REST)
    progress(archive.last - position)
    await connection.execute(SQL["mark_removed"], log_id, archive.first)
    return removed
