"""Restore a log from its export: the whole log in one transaction under the head lock, or nothing."""

from collections.abc import Sequence
from itertools import islice
from operator import attrgetter
from typing import ClassVar, Protocol

import asyncpg

from ledger.archive.export_reader import ExportReader
from ledger.domain.errors import InvalidExport, LogNotEmpty, OutcomeUnknown, Unavailable
from ledger.domain.recording import RecordedEvent
from ledger.postgres.append import OtherProjectionVersion
from ledger.postgres.archive.catalogue import LOG
from ledger.postgres.database import Connection
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import PAGE, SQL, Progress, check_streams

COLUMNS = (
    "log_id",
    "position",
    "recorded_at",
    "stream_id",
    "stream_version",
    "schema_version",
    "topic",
    "payload",
    "actor",
    "request_id",
    "remote_address",
    "salt",
)
read_columns = attrgetter(*COLUMNS[1:])


class InlineProjection(Protocol):
    """What an import asks of a projection that appends keep up to date."""

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def topics(self) -> frozenset[str]:
        """The topics it is applied to."""
        ...

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent]) -> None:
        """Fold a batch, in position order, into its tables. What it raises undoes the import."""
        ...


class Restoration:
    """Writes one export to an empty log."""

    def __init__(self, log: Log, archive: ExportReader, inline: Sequence[InlineProjection], progress: Progress) -> None:
        """`inline` projections are updated in the same transaction. Progress counts each event twice."""
        self._log = log
        self._archive = archive
        self._inline = inline
        self._progress = progress
        self._committing = False

    async def run(self) -> None:
        """Record every event of the export with its position and instant.

        After LogNotEmpty, InvalidExport or Unavailable nothing is recorded. Raises OutcomeUnknown if the connection
        breaks during commit.
        """
        log_id = await self._log.ensure_id()
        try:
            async with self._log.database.connection() as connection, connection.transaction():
                await self._restore(connection, log_id)
                self._committing = True
        except Unavailable as error:
            if not self._committing:
                raise
            msg = "The connection broke during commit: the log holds all events or none. Check with 'log stats'."
            raise OutcomeUnknown(msg) from error

    async def _restore(self, connection: Connection, log_id: int) -> None:
        await connection.execute(SQL["allow_slow_input"])
        await connection.fetchrow(LOG["lock_head"], log_id)
        names, versions = [p.name for p in self._inline], [p.version for p in self._inline]
        if not await connection.fetchval(LOG["inline_is_current"], names, versions):
            raise OtherProjectionVersion
        bounds = await connection.fetchrow(SQL["head_and_newest"], log_id)
        if bounds is None or bounds["position"] or bounds["newest"]:
            msg = f"log {self._log.name!r} is not empty: an export can be imported only into an empty log"
            raise LogNotEmpty(msg)
        if self._archive.header.after:
            msg = f"the export starts after position {self._archive.header.after}: a log starts at position 1"
            raise InvalidExport(msg)
        events = self._archive.events()
        while batch := list(islice(events, PAGE)):
            await self._record(connection, log_id, batch)
            self._progress(len(batch))
        head = self._archive.head
        if head is not None:
            await check_streams(connection, log_id, head.position, self._refuse, self._progress)
            await connection.fetch(SQL["restore_head"], log_id, head.position, head.recorded_at)

    async def _record(self, connection: Connection, log_id: int, batch: Sequence[RecordedEvent]) -> None:
        records = [(log_id, *read_columns(event)) for event in batch]
        try:
            await connection.copy_records_to_table("event_log", columns=COLUMNS, records=records)
            for projection in self._inline:
                of_interest = [event for event in batch if event.topic in projection.topics]
                if of_interest:
                    await projection.apply(connection, log_id, of_interest)
        except (ValueError, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
            # The server's error details quote rows, which contain digests; its message, the first argument, does not.
            what = f"positions {batch[0].position} to {batch[-1].position} cannot be recorded: {error.args[0]}"
            raise InvalidExport(what) from error

    def _refuse(self, position: int, what: str) -> None:
        raise self._archive.build_error(position, what)
