"""One log in memory: the event_log that unit tests run on. It forgets everything when the process ends."""

from collections.abc import Callable, Sequence
from uuid import UUID

from ledger.domain.clock import Clock, utc_now
from ledger.domain.conflicts import number_writes, streams_of
from ledger.domain.recording import (
    LogHead,
    RecordedEvent,
    Take,
    VersionConflict,
    Write,
    WriteResult,
)

InlineView = Callable[[Sequence[RecordedEvent]], None]
"""Folds the rows of a batch, in position order, before anybody is told that they are recorded."""


def _no_view(_recorded: Sequence[RecordedEvent]) -> None:
    pass


class MemoryEventLog:
    """Implements `ledger.domain.recording.EventLog`. Not thread-safe: it serves one event loop."""

    def __init__(self, *, clock: Clock = utc_now, inline: InlineView = _no_view) -> None:
        """What `inline` raises fails the whole batch, and nothing of it is recorded."""
        self._clock = clock
        self._inline = inline
        self._log: list[RecordedEvent] = []
        self._streams: dict[UUID, list[RecordedEvent]] = {}
        self._recorded_at = clock()

    async def append(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record independent writes, in this order; a write in conflict leaves the others alone."""
        recorded_at = max(self._recorded_at, self._clock())
        versions = {stream: len(self._streams.get(stream, ())) for stream in streams_of(writes)}
        numbered = number_writes(writes, versions, head=len(self._log), recorded_at=recorded_at)
        recorded = numbered.events
        if recorded:
            self._inline(recorded)
            self._recorded_at = recorded_at
            self._log.extend(recorded)
            for row in recorded:
                self._streams.setdefault(row.stream_id, []).append(row)
        return numbered.results

    async def append_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Append what `take` gives, at once."""
        return await self.append(take())

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order."""
        return self._streams.get(stream_id, [])[:]

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """A page of the log in position order."""
        return self._log[after : after + limit]

    async def head(self) -> LogHead:
        """The newest position and its instant; for an empty log, when it was made."""
        return LogHead(len(self._log), self._recorded_at)
