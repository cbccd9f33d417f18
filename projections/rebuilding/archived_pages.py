"""Pages of a log's beginning, which is in archives, as a build reads those of the log."""

from collections.abc import Collection, Iterator, Sequence

from ledger.domain.recording import RecordedEvent
from ledger.postgres.archive.catalogue import ArchivedRange, ArchiveSource, read_archived_events
from projections.projection import LogRow
from projections.rebuilding.errors import ArchivesRequired


class ArchivedPages:
    """The archived part of one log, read forwards from wherever it is asked for."""

    def __init__(self, log_id: int, archives: Sequence[ArchivedRange], folder: ArchiveSource | None) -> None:
        self._log_id = log_id
        self._archives = archives
        self._folder = folder
        self._position = -1
        self._events: Iterator[RecordedEvent] = iter(())
        self._next: RecordedEvent | None = None

    @property
    def until(self) -> int:
        """The last position that is archived, 0 when none is."""
        return self._archives[-1].last if self._archives else 0

    def page(self, after: int, until: int, topics: Collection[str]) -> list[LogRow]:
        """The events of some topics after a position and up to another. Raises ArchivesRequired, InvalidExport."""
        if self._folder is None:
            raise ArchivesRequired(self._log_id, self.until)
        if after != self._position:
            self._events = read_archived_events(self._archives, self._folder, after, self.until)
            self._next = next(self._events, None)
        rows = []
        while self._next is not None and self._next.position <= until:
            if self._next.topic in topics:
                rows.append(_log_row(self._next))
            self._next = next(self._events, None)
        self._position = until
        return rows


def _log_row(event: RecordedEvent) -> LogRow:
    return LogRow(
        event.position,
        event.recorded_at,
        event.stream_version,
        event.topic,
        event.schema_version,
        event.payload,
        event.actor,
        event.request_id,
        event.remote_address,
    )
