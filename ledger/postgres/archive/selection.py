"""Choose the next range of a log to archive, and record it once its file is written and verified."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from msgspec import Struct

from ledger.domain.errors import NotArchivable
from ledger.domain.recording import LogHead
from ledger.postgres.archive.catalogue import LOG, SQL, ArchivedRange, compute_running_sha256, read_archives
from ledger.postgres.database import Connection
from ledger.postgres.log_verification import verify_log
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import LogBounds, Progress, read_log_bounds

MIN_AGE = timedelta(hours=1)
"""Younger events are not archived: the clock of no serving process lags that much."""

DURABLE_COMMIT = "SET LOCAL lock_timeout = '5s'; SET LOCAL synchronous_commit = on"
"""For recording a range: followers wait only briefly, and the record is on disk before any row is removed."""


class RangeToArchive(Struct, frozen=True):
    """The next range to archive: positions after `after` and up to `end`.

    `continues` is the running checksum of the archives before it.
    """

    after: int
    end: LogHead
    continues: str
    closed_before: datetime

    def file_name(self, log: str) -> str:
        """The name of its archive file. Names sort in position order."""
        return f"{log.replace('/', '.')}.{self.after + 1:012}-{self.end.position:012}.ndjson.gz"


@asynccontextmanager
async def lock_archiving(log: Log) -> AsyncIterator[tuple[Connection, LogBounds]]:
    """Lock out other archiving processes. Gives the connection that holds the lock, and the log's bounds.

    Raises NotArchivable, NoLog, Unavailable.
    """
    log_id = (await read_log_bounds(log)).log_id
    async with log.database.connection() as connection:
        if not await connection.fetchval(SQL["may_archive"]):
            msg = "this role cannot archive: pass the DSN of the role that owns the tables as --owner-dsn"
            raise NotArchivable(msg)
        if not await connection.fetchval(SQL["lock_archiving"], log_id):
            msg = f"log {log.name!r} is being archived by another process: let that finish"
            raise NotArchivable(msg)
        try:
            # Read again: another process may have archived a range before it released the lock.
            yield connection, await read_log_bounds(log)
        finally:
            if not connection.is_closed():
                await connection.execute(SQL["unlock_archiving"], log_id)


async def choose_next_range(
    connection: Connection, bounds: LogBounds, before: datetime, followers: Sequence[str]
) -> RangeToArchive | None:
    """The events recorded before an instant that are not archived yet, None when there are none.

    Raises NotArchivable while a projection has not read them.
    """
    now = await connection.fetchval(SQL["clock"])
    if before > now - MIN_AGE:
        msg = f"only events older than an hour can be archived; the server's clock says {now:%Y-%m-%d %H:%M:%S} UTC"
        raise NotArchivable(msg)
    until = await connection.fetchval(LOG["position_at"], bounds.log_id, before - timedelta(microseconds=1))
    if until is None or until <= bounds.archived_until:
        return None
    await _check_followers(connection, bounds.log_id, until, followers)
    recorded_at = await connection.fetchval(LOG["recorded_at"], bounds.log_id, until)
    continues = bounds.archives[-1].running_sha256 if bounds.archives else ""
    return RangeToArchive(bounds.archived_until, LogHead(until, recorded_at), continues, before)


async def check_log_is_sound(log: Log, bounds: LogBounds, part: RangeToArchive, progress: Progress) -> None:
    """Raises NotArchivable unless the log is sound up to the end of the range."""
    up_to_end = LogBounds(bounds.log_id, part.end, part.end.position, bounds.archives)
    found = await verify_log(log, up_to_end, limit=1, progress=progress)
    if not found.sound:
        first = found.findings[0]
        msg = f"the log is not sound, so it is not archived: position {first.position}: {first.what}. Run 'log verify'."
        raise NotArchivable(msg)


async def record_archive(
    connection: Connection,
    bounds: LogBounds,
    part: RangeToArchive,
    *,
    file_name: str,
    checksums: tuple[str, str],
    followers: Sequence[str],
) -> ArchivedRange:
    """Record a range as archived. `checksums` are those of the file and of the events in it.

    Raises NotArchivable if a projection has started to follow and has not read the range.
    """
    file_sha256, events_sha256 = checksums
    async with connection.transaction():
        await connection.execute(DURABLE_COMMIT)
        await connection.execute(SQL["lock_checkpoints"])
        await _check_followers(connection, bounds.log_id, part.end.position, followers)
        await connection.execute(
            SQL["record_archive"],
            bounds.log_id,
            part.after + 1,
            part.end.position,
            part.end.recorded_at,
            file_name,
            file_sha256,
            events_sha256,
            compute_running_sha256(part.continues, events_sha256),
            part.closed_before,
        )
    return (await read_archives(connection, bounds.log_id))[-1]


async def _check_followers(connection: Connection, log_id: int, until: int, followers: Sequence[str]) -> None:
    lagging = await connection.fetch(SQL["lagging_projections"], log_id, followers, until)
    if lagging:
        positions = ", ".join(f"{row['name']} is at {row['position']}" for row in lagging)
        msg = f"not every projection has read up to position {until}: {positions}. See 'projections status'."
        raise NotArchivable(msg)
