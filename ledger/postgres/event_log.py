"""One log in PostgreSQL: the event_log."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from ledger.domain.recording import (
    LogHead,
    RecordedEvent,
    Take,
    VersionConflict,
    Write,
    WriteResult,
)
from ledger.postgres.appending import Appender
from ledger.postgres.inline import InlineProjection
from ledger.postgres.logs import Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.postgres.streams import PostgresStreams

SQL = load_statements("ledger.postgres", "event_log.sql")

BEGINNING = datetime.fromtimestamp(0, UTC)
"""The instant of a log that does not exist yet."""

LAST_POSITION = sys.maxsize


class PostgresEventLog:
    """Implements `ledger.domain.recording.EventLog` for the log of one issuer."""

    def __init__(self, log: Log, inline: Sequence[InlineProjection] = ()) -> None:
        """`inline` projections are written in the appending transaction, in this order."""
        self._log = log
        self._database = log.database
        self._appender = Appender(log, inline)
        self._streams = PostgresStreams(log)

    async def append(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record independent writes in one transaction.

        When the connection breaks during commit, the log is asked what became of them before this returns.
        Raises Unavailable (nothing was recorded) or OutcomeUnknown.
        """
        return await self.append_next(lambda: writes)

    async def append_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Append what `take` gives, in one transaction, as `append` does."""
        return await self._appender.append_next(take)

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order. Concurrent calls share queries."""
        return await self._streams.read_stream(stream_id)

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """A page of the log in position order."""
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["read_log"], log_id, after, LAST_POSITION, limit)
        return [recorded_event(row) for row in rows]

    async def head(self) -> LogHead:
        """The newest position and its instant."""
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["head"], log_id)
        if row is None:
            return LogHead(0, BEGINNING)
        return LogHead(row["position"], row["recorded_at"])
