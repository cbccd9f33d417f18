"""Pages of the archived part of a log, read from archive files."""

from collections.abc import Collection, Iterator, Sequence

from ledger.domain.recording import RecordedEvent
from ledger.postgres.archive.catalogue import ArchivedRange, ArchiveSource, read_archived_events
from projections.rebuilding.errors import ArchivesRequired


class ArchivedPages:
    """The archived part of one log. Consecutive pages read each file once."""

    def __init__(self, log_id: int, archives: Sequence[ArchivedRange], source: ArchiveSource | None) -> None:
        self._log_id = log_id
        self._archives = archives
        self._source = source
        self._position = -1
        self._events: Iterator[RecordedEvent] = iter(())
        self._next: RecordedEvent | None = None

    @property
    def until(self) -> int:
        """The last archived position, 0 if there is none."""
        return self._archives[-1].last if self._archives else 0

    def read_page(self, after: int, until: int, topics: Collection[str]) -> list[RecordedEvent]:
        """Read the events of some topics in (after, until]. Raises ArchivesRequired, InvalidArchive."""
        if self._source is None:
            raise ArchivesRequired(self._log_id, self.until)
        if after != self._position:
            self._events = read_archived_events(self._archives, self._source, after, self.until)
            self._next = next(self._events, None)
        events = []
        while self._next is not None and self._next.position <= until:
            if self._next.topic in topics:
                events.append(self._next)
            self._next = next(self._events, None)
        self._position = until
        return events
