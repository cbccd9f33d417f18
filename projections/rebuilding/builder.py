"""Fold a log into the tables of a build, page by page, with the projection's own `fold`.

While one page is written the next ones are read and decoded. A page is one transaction, to which the caller may add a
checkpoint.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from ledger.domain.errors import StoredDataError
from ledger.domain.recording import RecordedEvent
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, ArchiveSource, read_archives
from ledger.postgres.database import CONNECTION_ERRORS
from ledger.postgres.statements import load_statements
from projections.following.skips import skipped_positions
from projections.projection import LogRow, Projected, Projection
from projections.rebuilding.archived_pages import ArchivedPages
from projections.rebuilding.connections import BuildConnection
from projections.rebuilding.errors import BuildRefused, EventNotFolded
from projections.rebuilding.throttle import Throttle

SQL = load_statements("projections.rebuilding", "log_pages.sql")

DECODE_SLICE = 250
"""Events decoded before the event loop may handle the database's responses."""

PAGES_AHEAD = 2
"""Pages decoded while one is written, so that neither side waits for the other."""

Progress = Callable[[int], None]
"""Called with the number of positions done since the last call."""


def ignore_progress(*_counts: int) -> Progress:
    """Start a progress display that shows nothing."""
    return lambda _positions: None


async def _no_checkpoint(_log_id: int, _position: int) -> None:
    pass


async def read_heads(connection: BuildConnection) -> dict[int, int]:
    """Read the head of every log that has events."""
    return {row["log_id"]: row["position"] for row in await connection.fetch(SQL["heads"])}


class ProjectionBuilder:
    """Folds events into the tables that the writing connection finds by name.

    `checkpoint` is called in the transaction of each page, with the log and the position up to which it is folded.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        reader: BuildConnection,
        writer: BuildConnection,
        progress: Progress = lambda _positions: None,
        expired_by: int | None = None,
        archives: ArchiveSource | None = None,
    ) -> None:
        """Both connections belong to this object while it works. Rows that expired by `expired_by` are left out."""
        self.projection = projection
        self.reader = reader
        self.writer = writer
        self.progress = progress
        self.checkpoint: Callable[[int, int], Awaitable[None]] = _no_checkpoint
        self.throttle = Throttle(self._count_events)
        self._expired_by = expired_by
        self._topics = sorted(projection.topics)
        self._archive_source = archives
        self._archived: dict[int, ArchivedPages] = {}

    async def fill(self, log_id: int, after: int, until: int) -> None:
        """Fold the events in (after, until]. Raises EventNotFolded, ArchivesRequired, InvalidArchive."""
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        writing: deque[asyncio.Task[None]] = deque()
        last: asyncio.Task[None] | None = None
        try:
            with without_garbage_collection():
                while after < until:
                    upper = min(after + self.throttle.page_size, until)
                    events = await self._read_events(log_id, after, upper, skipped)
                    while len(writing) >= (1 if self.throttle.busy else PAGES_AHEAD):
                        await writing.popleft()
                    await self.throttle.rest()
                    last = asyncio.create_task(self._write_page(last, log_id, events, after, upper))
                    writing.append(last)
                    await asyncio.sleep(0)
                    after = upper
                if last is not None:
                    await last
        finally:
            if last is not None and not last.done():
                last.cancel()
            await asyncio.gather(*writing, return_exceptions=True)

    async def apply(self, log_id: int, after: int, until: int) -> None:
        """Fold a few events in (after, until], within a transaction of the writing connection."""
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        await self._fold(log_id, await self._read_events(log_id, after, until, skipped), until)
        self.progress(until - after)

    async def fill_streams(self, log_id: int, positions: Sequence[int], until: int) -> list[UUID]:
        """Fold the streams of the events at some positions, up to `until`; return the streams.

        Raises BuildRefused, EventNotFolded.
        """
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        found = await self.reader.fetch(SQL["streams_at"], log_id, positions, self._topics)
        streams = [row["stream_id"] for row in found]
        records = await self.reader.fetch(SQL["of_streams"], log_id, streams, until, self._topics)
        if positions and min(positions) <= (archived := await self._read_archived_until(log_id)):
            msg = f"Log {log_id} was archived up to position {archived} during the read: retry."
            raise BuildRefused(msg)
        await self._write(log_id, await self._decode(log_id, [LogRow(*record) for record in records], skipped), until)
        self.progress(len(positions))
        return streams

    async def _read_events(self, log_id: int, after: int, until: int, skipped: frozenset[int]) -> Sequence[Projected]:
        records = await self.reader.fetch(SQL["page"], log_id, after, until, self._topics)
        rows: list[LogRow | RecordedEvent] = [LogRow(*record) for record in records]
        # Check after reading: events archived during the read may be missing from it.
        if after < (archived := await self._read_archived_until(log_id)):
            rows = [row for row in rows if row.position > archived]
            rows = [*self._archived[log_id].read_page(after, min(until, archived), self._topics), *rows]
        return await self._decode(log_id, rows, skipped)

    async def _read_archived_until(self, log_id: int) -> int:
        """The last position whose events may be in an archive only."""
        if REMOVABLE_TOPICS.isdisjoint(self._topics):
            return 0
        archives = await read_archives(self.reader, log_id)
        known = self._archived.get(log_id)
        if known is None or known.until != (archives[-1].last if archives else 0):
            self._archived[log_id] = ArchivedPages(log_id, archives, self._archive_source)
        return self._archived[log_id].until

    async def _decode(
        self, log_id: int, rows: Sequence[LogRow | RecordedEvent], skipped: frozenset[int]
    ) -> Sequence[Projected]:
        if skipped:
            rows = [row for row in rows if row.position not in skipped]
        events: list[Projected] = []
        try:
            for start in range(0, len(rows), DECODE_SLICE):
                events += self.projection.read(rows[start : start + DECODE_SLICE])
                await asyncio.sleep(0)
        except StoredDataError:
            for row in rows:
                try:
                    self.projection.read([row])
                except StoredDataError as error:
                    raise EventNotFolded(self.projection.name, log_id, row.position, row.topic, error) from error
            raise
        return events if self._expired_by is None else self.projection.without_expired(events, self._expired_by)

    async def _write_page(
        self, before: asyncio.Task[None] | None, log_id: int, events: Sequence[Projected], after: int, until: int
    ) -> None:
        """Write a page after the one before it, unless that failed."""
        if before is not None:
            await before
        await self._write(log_id, events, until)
        self.progress(until - after)

    async def _write(self, log_id: int, events: Sequence[Projected], until: int) -> None:
        try:
            async with self.writer.transaction():
                await self._fold(log_id, events, until)
        except Exception as error:
            if isinstance(error, CONNECTION_ERRORS) and not isinstance(error, ValueError):
                raise
            await self._raise_for_failing_event(log_id, events, error)

    async def _fold(self, log_id: int, events: Sequence[Projected], until: int) -> None:
        if events:
            await self.projection.fold(self.writer, log_id, events)
        await self.checkpoint(log_id, until)

    async def _raise_for_failing_event(self, log_id: int, events: Sequence[Projected], error: Exception) -> None:
        """Fold one by one, roll back, and raise EventNotFolded for the first event that fails."""
        trial = self.writer.transaction()
        await trial.start()
        try:
            for projected in events:
                try:
                    await self.projection.fold(self.writer, log_id, [projected])
                except Exception as first:
                    row = projected.row
                    raise EventNotFolded(self.projection.name, log_id, row.position, row.topic, first) from first
        finally:
            await trial.rollback()
        raise error

    async def _count_events(self) -> int:
        count: int = await self.reader.fetchval(SQL["all_positions"])
        return count


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector: a build creates millions of objects without cycles, and it took half the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
