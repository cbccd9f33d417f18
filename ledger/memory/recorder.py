"""One log in memory: the recorder that unit tests run on. It forgets everything when the process ends."""

from collections.abc import Callable, Sequence
from uuid import UUID

from ledger.domain.clock import Clock, utc_now
from ledger.domain.conflicts import number_writes, streams_of
from ledger.domain.recording import (
    LogHead,
    RecordedEvent,
    StoredEvent,
    Take,
    VersionConflict,
    Write,
    WriteResult,
    stream_id,
)

InlineView = Callable[[Sequence[RecordedEvent]], None]
"""Folds the rows of a batch, in position order, before anybody is told that they are recorded."""


def _no_view(_recorded: Sequence[RecordedEvent]) -> None:
    pass


class MemoryRecorder:
    """Implements `ledger.domain.recording.Recorder`. Not thread-safe: it serves one event loop."""

    def __init__(self, *, clock: Clock = utc_now, inline: InlineView = _no_view) -> None:
        """What `inline` raises fails the whole batch, and nothing of it is recorded."""
        self._clock = clock
        self._inline = inline
        self._log: list[RecordedEvent] = []
        self._streams: dict[UUID, list[RecordedEvent]] = {}
        self._recorded_at = clock()

    async def write(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record many independent writes, in this order; a write that conflicts leaves the others alone."""
        recorded_at = max(self._recorded_at, self._clock())
        versions = {stream: len(self._streams.get(stream, ())) for stream in streams_of(writes)}
        numbered = number_writes(writes, versions, head=len(self._log), recorded_at=recorded_at)
        recorded = numbered.events
        if recorded:
            self._inline(recorded)
            self._recorded_at = recorded_at
            self._log.extend(recorded)
            for row in recorded:
                self._streams.setdefault(stream_id(row), []).append(row)
        return numbered.results

    async def write_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Record what is given, at once."""
        return await self.write(take())

    async def insert_events(self, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """Record one write; return its positions. Raises VersionConflict."""
        (result,) = await self.write([Write(stored_events)])
        if isinstance(result, VersionConflict):
            raise result
        return result.positions

    async def select_events(
        self,
        originator_id: UUID,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[RecordedEvent]:
        """The events of a stream in version order, bounded by version."""
        rows = [
            row
            for row in self._streams.get(originator_id, ())
            if (gt is None or row.originator_version > gt) and (lte is None or row.originator_version <= lte)
        ]
        if desc:
            rows.reverse()
        return rows[:limit]

    async def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[RecordedEvent]:
        """A page of the log in position order, from start to stop, of these topics (all when empty)."""
        first = 1 if start is None else start if inclusive_of_start else start + 1
        rows = [
            row
            for row in self._log
            if row.position >= first and (stop is None or row.position <= stop) and (not topics or row.topic in topics)
        ]
        return rows[:limit]

    async def max_notification_id(self) -> int | None:
        """The newest position, or None when the log is empty."""
        return len(self._log) or None

    async def head(self) -> LogHead:
        """The newest position and its instant; for an empty log, when it was made."""
        return LogHead(len(self._log), self._recorded_at)
