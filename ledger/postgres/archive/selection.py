"""Moving the closed, old history of a log to a file.

In this order: the next part is chosen and proved sound; it is written, as an export is; the file is read back and
compared with the table, row by row; it is written down in `log_archives`; and only then are rows removed, a few streams
at a time. Killed anywhere, it left either all rows, or a file that holds them: the next run goes on from there.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from msgspec import Struct

from ledger.archive.export_format import ExportHeader, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.errors import InvalidExport, NotArchivable
from ledger.domain.recording import LogHead
from ledger.postgres.archive.catalogue import SQL, ArchivedRange, compute_running_sha256, read_archives
from ledger.postgres.database import Connection
from ledger.postgres.log_verification import verify_log
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.postgres.whole_log import LogBounds, Progress, read_log_bounds, read_remaining_pages

LOG = load_statements("ledger.postgres", "event_log.sql")

LEAST_AGE = timedelta(hours=1)
"""How old what is archived is at least: no clock of a process that serves is as far behind."""

FOR_GOOD = "SET LOCAL lock_timeout = '5s'; SET LOCAL synchronous_commit = on"
"""How it is written down: without keeping followers waiting for long, and on the disk before anything is removed."""


class RangeToArchive(Struct, frozen=True):
    """The part of a log that is to be archived next: the positions after `after` and up to that of `end`."""

    after: int
    end: LogHead
    continues: str
    closed_before: datetime

    def header(self, *, issuer: str, log: str, head: int, exported_at: datetime) -> ExportHeader:
        """The first line of its file."""
        return build_header(
            issuer=issuer,
            log=log,
            head=head,
            exported_at=exported_at,
            after=self.after,
            until=self.end.position,
            continues=self.continues,
        )

    def file_name(self, log: str) -> str:
        """What its file is called. Names sort as positions do."""
        return f"{log.replace('/', '.')}.{self.after + 1:012}-{self.end.position:012}.ndjson.gz"


@asynccontextmanager
async def lock_archiving(log: Log) -> AsyncIterator[tuple[Connection, LogBounds]]:
    """The connection of the one process that archives a log, and how far the log reaches.

    Raises NotArchivable, NoLog, Unavailable.
    """
    bounds = await read_log_bounds(log)
    async with log.database.connection() as connection:
        if not await connection.fetchval(SQL["may_archive"]):
            msg = "this role may not archive: give the DSN of the role that owns the tables as --owner-dsn"
            raise NotArchivable(msg)
        if not await connection.fetchval(SQL["lock_archiving"], bounds.log_id):
            msg = f"log {log.name!r} is being archived by another process: let that finish"
            raise NotArchivable(msg)
        try:
            # What another process wrote down before it let go.
            yield connection, await read_log_bounds(log)
        finally:
            if not connection.is_closed():
                await connection.execute(SQL["unlock_archiving"], bounds.log_id)


async def choose_next_range(
    connection: Connection, bounds: LogBounds, before: datetime, followers: Sequence[str]
) -> RangeToArchive | None:
    """What was recorded before an instant and is not archived yet, None when there is nothing.

    Raises NotArchivable while one of the projections that follow has not read it.
    """
    now = await connection.fetchval(SQL["clock"])
    if before > now - LEAST_AGE:
        msg = f"only what is older than an hour is history: it is {now:%Y-%m-%d %H:%M:%S} UTC here"
        raise NotArchivable(msg)
    until = await connection.fetchval(LOG["position_at"], bounds.log_id, before - timedelta(microseconds=1))
    if until is None or until <= bounds.archived_until:
        return None
    await _check_read(connection, bounds.log_id, until, followers)
    recorded_at = await connection.fetchval(LOG["recorded_at"], bounds.log_id, until)
    continues = bounds.archives[-1].running_sha256 if bounds.archives else ""
    return RangeToArchive(bounds.archived_until, LogHead(until, recorded_at), continues, before)


async def check_log_is_sound(log: Log, bounds: LogBounds, part: RangeToArchive, progress: Progress) -> None:
    """Raises NotArchivable unless all that `log verify` checks holds of the log up to the end of the part."""
    up_to = LogBounds(bounds.log_id, part.end, part.end.position, bounds.archives)
    found = await verify_log(log, up_to, limit=1, progress=progress)
    if not found.sound:
        first = found.findings[0]
        msg = f"the log is not sound, and so not archived: position {first.position}: {first.what}. Run 'log verify'."
        raise NotArchivable(msg)


async def compare_with_log(
    log: Log, bounds: LogBounds, part: RangeToArchive, reader: ExportReader, progress: Progress
) -> str:
    """Compare a file, row by row, with the log. Returns the checksum of its events. Raises InvalidExport."""
    if (reader.header.log, reader.header.after, reader.header.until) != (log.name, part.after, part.end.position):
        msg = "it is of another part, or another log"
        raise InvalidExport(msg)
    if (reader.header.continues or "") != part.continues:
        msg = "it does not continue the archive before it"
        raise InvalidExport(msg)
    events = reader.events()
    async for page in read_remaining_pages(log, bounds, part.after, part.end.position):
        for row in page:
            if next(events, None) != row:
                msg = f"position {row.position} is not as in the log"
                raise InvalidExport(msg)
        progress(len(page))
    for event in events:
        raise reader.build_error(event.position, "it is not in the log")
    return reader.end.events_sha256


async def record_archive(
    connection: Connection,
    bounds: LogBounds,
    part: RangeToArchive,
    *,
    file_name: str,
    file_sha256: str,
    events_sha256: str,
    followers: Sequence[str],
) -> ArchivedRange:
    """From here on the part counts as archived. Raises NotArchivable when a projection began to follow meanwhile."""
    async with connection.transaction():
        await connection.execute(FOR_GOOD)
        await connection.execute(SQL["keep_followers_off"])
        await _check_read(connection, bounds.log_id, part.end.position, followers)
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


async def _check_read(connection: Connection, log_id: int, until: int, followers: Sequence[str]) -> None:
    behind = await connection.fetch(SQL["behind"], log_id, followers, until)
    if behind:
        who = ", ".join(f"{row['name']} is at {row['position']}" for row in behind)
        msg = f"not every projection has read up to position {until}: {who}. See 'projections status'."
        raise NotArchivable(msg)
