"""Folding a log, page by page, by the projection itself: while one page is written the next are read and decoded.

A page is a transaction, which the caller may add a checkpoint to.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from ledger.domain.errors import StoredDataError
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, ArchivedRange, ArchiveSource
from ledger.postgres.database import CONNECTION_ERRORS
from ledger.postgres.statements import load_statements
from projections.following.skips import skipped_positions
from projections.projection import LogRow, Projected, Projection
from projections.rebuilding.archived_pages import ArchivedPages
from projections.rebuilding.connections import BuildConnection, LiveSchema
from projections.rebuilding.errors import BuildRefused, EventNotFolded
from projections.rebuilding.throttle import Throttle

SQL = load_statements("projections.rebuilding", "log_pages.sql")

SLICE = 250
"""Events that are decoded without looking whether the database has answered."""

AHEAD = 2
"""Pages that are decoded while one is written: neither side is to wait for the other."""

Progress = Callable[[int], None]
"""Told how many positions more are done."""

Checkpoint = Callable[[int, int], Awaitable[None]]
"""Called within the transaction of a page, with the log and the position up to which its rows are there."""


async def no_checkpoint(_log_id: int, _position: int) -> None:
    """For what is thrown away when it is interrupted."""


class ProjectionBuilder:
    """Folds events into the tables that the writing connection finds by their names."""

    def __init__(
        self,
        projection: Projection,
        live: LiveSchema,
        *,
        reader: BuildConnection,
        writer: BuildConnection,
        checkpoint: Checkpoint = no_checkpoint,
        progress: Progress,
        expired_by: int | None = None,
        archives: ArchiveSource | None = None,
    ) -> None:
        """Both connections are this object's alone while it works. What expired by then is left out.

        `archives` is where those of the logs are.
        """
        self.projection = projection
        self.live = live
        self.reader = reader
        self.writer = writer
        self._checkpoint = checkpoint
        self._progress = progress
        self._expired_by = expired_by
        self._topics = sorted(projection.topics)
        self._page = live(SQL["page"])
        self._folder = archives
        self._archived: dict[int, ArchivedPages] = {}
        self.throttle = Throttle(self._all_positions)

    async def heads(self) -> dict[int, int]:
        """Where each log ends now."""
        return {row["log_id"]: row["position"] for row in await self.reader.fetch(self.live(SQL["heads"]))}

    async def archived_until(self, log_id: int) -> int:
        """Up to where what this projection reads of a log may be in archives only. From there on it is in the log."""
        if REMOVABLE_TOPICS.isdisjoint(self._topics):
            return 0
        archives = [ArchivedRange(**row) for row in await self.reader.fetch(self.live(SQL["archives"]), log_id)]
        known = self._archived.get(log_id)
        if known is None or known.until != (archives[-1].last if archives else 0):
            self._archived[log_id] = ArchivedPages(log_id, archives, self._folder)
        return self._archived[log_id].until

    async def fill(self, log_id: int, after: int, until: int) -> None:
        """Fold the events in (after, until]. Raises EventNotFolded, ArchivesRequired, InvalidExport."""
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        writing: deque[asyncio.Task[None]] = deque()
        last: asyncio.Task[None] | None = None
        try:
            with without_garbage_collection():
                while after < until:
                    upper = min(after + self.throttle.page, until)
                    events = await self._events(log_id, after, upper, skipped)
                    while len(writing) >= (1 if self.throttle.busy else AHEAD):
                        await writing.popleft()
                    await self.throttle.rest()
                    last = asyncio.create_task(self._write_after(last, log_id, events, after, upper))
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
        """The same for a few events, within a transaction of the writing connection."""
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        await self._fold(log_id, await self._events(log_id, after, until, skipped), until)
        self._progress(until - after)

    async def fill_by_sample(self, log_id: int, positions: Sequence[int], until: int) -> list[UUID]:
        """Fold the streams, up to a position, of the events at some; returns these streams. Raises EventNotFolded."""
        skipped = await skipped_positions(self.reader, log_id, self.projection.name)
        found = await self.reader.fetch(self.live(SQL["streams_at"]), log_id, positions, self._topics)
        streams = [row["stream_id"] for row in found]
        records = await self.reader.fetch(self.live(SQL["of_streams"]), log_id, streams, until, self._topics)
        if positions and min(positions) <= (archived := await self.archived_until(log_id)):
            msg = f"Log {log_id} was archived up to position {archived} while it was read: do this again."
            raise BuildRefused(msg)
        await self._write(log_id, await self._read(log_id, [LogRow(*record) for record in records], skipped), until)
        self._progress(len(positions))
        return streams

    async def _events(self, log_id: int, after: int, until: int, skipped: frozenset[int]) -> Sequence[Projected]:
        records = await self.reader.fetch(self._page, log_id, after, until, self._topics)
        rows = [LogRow(*record) for record in records]
        # After the reading: what was archived before it was over may be missing.
        if after < (archived := await self.archived_until(log_id)):
            rows = [row for row in rows if row.position > archived]
            rows = self._archived[log_id].page(after, min(until, archived), self._topics) + rows
        return await self._read(log_id, rows, skipped)

    async def _read(self, log_id: int, rows: Sequence[LogRow], skipped: frozenset[int]) -> Sequence[Projected]:
        if skipped:
            rows = [row for row in rows if row.position not in skipped]
        events: list[Projected] = []
        try:
            for start in range(0, len(rows), SLICE):
                events += self.projection.read(rows[start : start + SLICE])
                await asyncio.sleep(0)
        except StoredDataError as error:
            row = next(row for row in rows if not self._is_readable(row))
            raise EventNotFolded(self.projection.name, log_id, row.position, row.topic, error) from error
        return events if self._expired_by is None else self.projection.without_expired(events, self._expired_by)

    def _is_readable(self, row: LogRow) -> bool:
        try:
            self.projection.read([row])
        except StoredDataError:
            return False
        return True

    async def _write_after(
        self, before: asyncio.Task[None] | None, log_id: int, events: Sequence[Projected], after: int, until: int
    ) -> None:
        """Pages are written in their order: none after one that was not."""
        if before is not None:
            await before
        await self._write(log_id, events, until)
        self._progress(until - after)

    async def _write(self, log_id: int, events: Sequence[Projected], until: int) -> None:
        try:
            async with self.writer.transaction():
                await self._fold(log_id, events, until)
        except Exception as error:
            if isinstance(error, CONNECTION_ERRORS) and not isinstance(error, ValueError):
                raise
            await self._blame(log_id, events, error)

    async def _fold(self, log_id: int, events: Sequence[Projected], until: int) -> None:
        if events:
            await self.projection.fold(self.writer, log_id, events)
        await self._checkpoint(log_id, until)

    async def _blame(self, log_id: int, events: Sequence[Projected], error: Exception) -> None:
        """Raises EventNotFolded for the first event that cannot be applied after those before it."""
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

    async def _all_positions(self) -> int:
        count: int = await self.reader.fetchval(self.live(SQL["all_positions"]))
        return count


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Millions of objects come and go here, none of them in cycles: looking for cycles took half of the decoding."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
