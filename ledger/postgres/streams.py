"""The log stream by stream, read in batches: those that are asked for while a query runs share the next."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ledger.batching.batch_loader import BatchLoader
from ledger.domain.recording import RecordedEvent
from ledger.postgres.logs import Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")


class PostgresStreams:
    """The streams of one log. Implements `ledger.use_cases.ports.Streams`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reads = BatchLoader(self._find)

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order, all that were recorded before this call. Raises Unavailable."""
        return await self._reads.load(stream_id) or []

    async def _find(self, streams: Sequence[UUID]) -> Mapping[UUID, Sequence[RecordedEvent]]:
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            rows = await connection.fetch(SQL["read_streams"], log_id, streams)
        found: dict[UUID, list[RecordedEvent]] = {}
        for row in rows:
            found.setdefault(row["stream_id"], []).append(recorded_event(row))
        for events in found.values():
            events.sort(key=lambda event: event.stream_version)
        return found
