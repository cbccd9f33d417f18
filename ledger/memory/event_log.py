"""The event log in memory, for tests: same behaviour, no durability."""

from collections.abc import Callable, Sequence
from uuid import UUID

from ledger.domain.clock import Clock, utc_now
from ledger.domain.recording import LogHead, NewEvent, RecordedEvent, VersionConflict, Write, WriteResult

InlineView = Callable[[Sequence[RecordedEvent]], None]
"""Folds the recorded events of a batch, in position order, before the append returns."""


class MemoryEventLog:
    """Implements `ledger.domain.recording.EventLog`. Not thread-safe: it serves one event loop."""

    def __init__(self, *, clock: Clock = utc_now, inline: InlineView = lambda _recorded: None) -> None:
        """What `inline` raises fails the whole batch, and nothing of it is recorded."""
        self._clock = clock
        self._inline = inline
        self._log: list[RecordedEvent] = []
        self._streams: dict[UUID, list[RecordedEvent]] = {}
        self._recorded_at = clock()

    async def append(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record independent writes, in this order; a write in conflict leaves the others alone."""
        recorded_at = max(self._recorded_at, self._clock())
        versions: dict[UUID, int] = {}
        results: list[WriteResult | VersionConflict] = []
        recorded: list[RecordedEvent] = []
        for write in writes:
            after = self._versions_after(write, versions)
            if isinstance(after, VersionConflict):
                results.append(after)
                continue
            versions |= after
            first = len(self._log) + len(recorded) + 1
            positions = range(first, first + len(write.events))
            for event, position in zip(write.events, positions, strict=True):
                fields = {name: getattr(event, name) for name in NewEvent.__struct_fields__}
                recorded.append(RecordedEvent(**fields, position=position, recorded_at=recorded_at))
            results.append(WriteResult(positions, recorded_at))
        if recorded:
            self._inline(recorded)
            self._recorded_at = recorded_at
            self._log.extend(recorded)
            for row in recorded:
                self._streams.setdefault(row.stream_id, []).append(row)
        return results

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order."""
        return self._streams.get(stream_id, [])[:]

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """A page of the log in position order."""
        return self._log[after : after + limit]

    async def head(self) -> LogHead:
        """The newest position and its instant; for an empty log, when it was made."""
        return LogHead(len(self._log), self._recorded_at)

    def _versions_after(self, write: Write, moved: dict[UUID, int]) -> dict[UUID, int] | VersionConflict:
        """The versions of the streams of a write once it is recorded; `moved` are those of the batch so far."""

        def current(stream: UUID) -> int:
            return moved.get(stream, len(self._streams.get(stream, ())))

        for guard in write.guards:
            if current(guard.stream_id) != guard.version:
                return VersionConflict(guard.stream_id, version=current(guard.stream_id))
        after: dict[UUID, int] = {}
        for event in write.events:
            version = after.get(event.stream_id, current(event.stream_id))
            if event.stream_version != version + 1:
                return VersionConflict(event.stream_id, version=version)
            after[event.stream_id] = event.stream_version
        return after
