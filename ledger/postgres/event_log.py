"""The log of one issuer in PostgreSQL."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from ledger.batching.batch_loader import BatchLoader
from ledger.domain.errors import Unavailable
from ledger.domain.recording import LogHead, RecordedEvent, VersionConflict, Write, WriteResult
from ledger.postgres.append import AppendBatch, watch_commit
from ledger.postgres.logs import Log
from ledger.postgres.outcome import find_outcome
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

BEGINNING = datetime.fromtimestamp(0, UTC)
"""The instant of a log that does not exist yet."""

LAST_POSITION = sys.maxsize


class PostgresEventLog:
    """Implements `ledger.domain.recording.EventLog`."""

    def __init__(self, log: Log, projection_versions: Mapping[str, int]) -> None:
        """`projection_versions` are those of the inline projections that this release writes, by name."""
        self._log = log
        self._database = log.database
        self._projections = [list(projection_versions), list(projection_versions.values())]
        self._streams = BatchLoader(self._read_streams)

    async def append(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record independent writes in one transaction.

        When the connection breaks, or a synchronous standby does not confirm the commit, the log is asked what became
        of them before this returns. Raises Unavailable (nothing was recorded) or OutcomeUnknown.
        """
        log_id = await self._log.ensure_id()
        batch = AppendBatch(writes)
        session = 0
        try:
            async with self._database.connection() as connection:
                session = connection.get_server_pid()
                with watch_commit(connection) as commit:
                    row = await connection.fetchrow(SQL["append_events"], log_id, *self._projections, *batch.arguments)
                confirmed = commit.confirmed
        except Unavailable:
            if not session:
                raise
            confirmed = False
        if not confirmed:
            return await find_outcome(self._database, log_id, session, writes)
        assert row is not None, "the function returns one row"
        return batch.results(row)

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order, all that were recorded before the call. Calls share queries."""
        return await self._streams.load(stream_id) or []

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """A page of the log in position order."""
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["read_log"], log_id, after, LAST_POSITION, limit)
        return [recorded_event(row) for row in rows]

    async def head(self) -> LogHead:
        """The newest position and when it was recorded."""
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["head"], log_id)
        if row is None:
            return LogHead(0, BEGINNING)
        return LogHead(row["position"], row["recorded_at"])

    async def _read_streams(self, streams: Sequence[UUID]) -> Mapping[UUID, Sequence[RecordedEvent]]:
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["read_streams"], log_id, streams)
        found: dict[UUID, list[RecordedEvent]] = {}
        for row in rows:
            found.setdefault(row["stream_id"], []).append(recorded_event(row))
        for events in found.values():
            events.sort(key=lambda event: event.stream_version)
        return found
