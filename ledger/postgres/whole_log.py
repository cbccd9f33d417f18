"""Read a whole log page by page; only one page is in memory at a time."""

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from operator import itemgetter
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.domain.errors import NoLog, Unavailable
from ledger.domain.log_checks import ReportFault, check_stream
from ledger.domain.recording import LogHead, RecordedEvent
from ledger.postgres.archive.catalogue import (
    ArchivedRange,
    ArchiveSource,
    build_archived_error,
    read_archived_events,
    read_archived_until,
    read_archives,
)
from ledger.postgres.database import Connection
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "whole_log.sql")

PAGE = 5000
"""Events a page: a few megabytes, read well within the statement timeout."""

BEFORE_ALL_STREAMS = (UUID(int=0), 0)

Progress = Callable[[int], None]
"""Called with the number of events just processed."""


class LogBounds(Struct, frozen=True):
    """How far a log reached at one moment: its head, the newest position in the table, and its archives."""

    log_id: int
    head: LogHead
    newest: int
    archives: Sequence[ArchivedRange] = ()

    @property
    def archived_end(self) -> LogHead | None:
        """The last archived event, None when nothing is archived. Up to there the log has gaps."""
        return LogHead(self.archives[-1].last, self.archives[-1].last_recorded_at) if self.archives else None

    @property
    def archived_until(self) -> int:
        """The position of the last archived event, 0 when nothing is archived."""
        return self.archives[-1].last if self.archives else 0


async def read_log_bounds(log: Log) -> LogBounds:
    """The current bounds of a log. Raises NoLog, Unavailable."""
    log_id = await log.find_id()
    async with log.database.connection() as connection:
        row = await connection.fetchrow(SQL["head_and_newest"], log_id)
        archives = await read_archives(connection, log_id)
    if log_id == NO_LOG or row is None:
        msg = f"there is no log {log.name!r} in this database: nothing was recorded for this issuer"
        raise NoLog(msg)
    return LogBounds(log_id, LogHead(row["position"], row["recorded_at"]), row["newest"], archives)


async def check_bounds_unchanged(log: Log, bounds: LogBounds) -> None:
    """Raises Unavailable if events were archived during a read, which may have missed them."""
    async with log.database.connection() as connection:
        until = await read_archived_until(connection, bounds.log_id)
    if until != bounds.archived_until:
        msg = f"log {log.name!r} was archived up to position {until} while it was read: run this again"
        raise Unavailable(msg)


async def read_pages(
    log: Log, statement: str, log_id: int, after: int, until: int
) -> AsyncIterator[list[asyncpg.Record]]:
    """Pages of rows after `after` and up to `until`; the statement takes both and a limit. Raises Unavailable."""
    async with log.database.connection() as connection:
        while rows := await connection.fetch(statement, log_id, after, until, PAGE):
            yield rows
            after = rows[-1]["position"]


async def read_event_pages(
    log: Log, bounds: LogBounds, after: int, until: int, folder: ArchiveSource | None = None
) -> AsyncIterator[list[RecordedEvent]]:
    """All events after `after` and up to `until`; archived ones are read from `folder`.

    Raises Archived if some are archived and there is no folder, InvalidExport, and Unavailable (also at the end).
    """
    if after < bounds.archived_until:
        if folder is None:
            raise build_archived_error(bounds.archived_until)
        events = read_archived_events(bounds.archives, folder, after, until)
        while page := list(islice(events, PAGE)):
            yield page
    async for page in read_remaining_pages(log, bounds, max(after, bounds.archived_until), until):
        yield page
    await check_bounds_unchanged(log, bounds)


async def read_remaining_pages(
    log: Log, bounds: LogBounds, after: int, until: int
) -> AsyncIterator[list[RecordedEvent]]:
    """Events in the table after `after` and up to `until`, without those removed. Raises Unavailable."""
    async for rows in read_pages(log, SQL["page_of_events"], bounds.log_id, after, until):
        yield [recorded_event(row) for row in rows]


async def check_streams(
    connection: Connection, log_id: int, until: int, report: ReportFault, progress: Progress
) -> None:
    """Report every event up to `until` that does not follow its predecessor in its stream."""
    reached = BEFORE_ALL_STREAMS
    read_again = 0
    while rows := await connection.fetch(SQL["page_of_streams"], log_id, *reached, until, PAGE):
        rows.sort(key=itemgetter("row"))
        last = rows[-1]
        for row in rows:
            if row["row"] == 1 and read_again:  # the last row of the previous page, already checked
                continue
            fault = check_stream(row["stream_version"], row["position"], row["version_before"], row["position_before"])
            if fault is not None:
                report(row["position"], fault)
        progress(last["row"] - read_again)
        if last["row"] < PAGE:
            return
        reached = (last["stream_id"], last["stream_version"])
        read_again = 1
