"""The base class of projections: a name, a version, the events it reads, its tables, and a fold.

Inline updates, following the log, rebuild, verification and replay all use this one declaration.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from ledger.domain.events import Event
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.postgres.database import Connection


class LogRow(Struct, frozen=True, gc=False):
    """A row of the log. Builds read millions; a RecordedEvent would cost ten times as much."""

    position: int
    recorded_at: datetime
    stream_version: int
    topic: str
    schema_version: int
    payload: bytes
    actor: str | None
    request_id: str | None
    remote_address: str | None


class Projected(Struct, frozen=True):
    """An event and the row that records it."""

    event: Any
    """The decoded event; None if the projection does not decode."""
    row: RecordedEvent | LogRow


class Projection(ABC):
    """A read model. `handles` determines both the topics to select and the events to fold.

    Primary keys of its tables include log_id. The rows are a function of the log alone: not of the clock, and not of
    the batches in which events arrived. Rows with `expiry_columns` may be deleted once they have expired.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Increment it when the same events produce other rows: the tables are then rebuilt."""

    inline: ClassVar[bool] = False
    """Whether it is updated in the transaction that appends the event; otherwise it follows the log."""

    handles: ClassVar[tuple[type[Event], ...]]
    tables: ClassVar[tuple[str, ...]]

    looked_up_by: ClassVar[tuple[str, ...]] = ()
    """Indexes that `fold` needs besides primary keys; a build creates the others after filling the tables."""

    stream_columns: ClassVar[Mapping[str, str]] = {}
    """By table whose rows belong to one stream each, the column of the stream id: it can be verified by sample."""

    expiry_columns: ClassVar[Mapping[str, str]] = {}
    """By table whose rows may be deleted when expired, the column of the expiry, in seconds since 1970."""

    hidden_columns: ClassVar[frozenset[str]] = frozenset()
    """Columns whose values no tool may show."""

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self._topics = frozenset(event_type.TOPIC for event_type in self.handles)

    @property
    def topics(self) -> frozenset[str]:
        """The topics that it reads."""
        return self._topics

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent | LogRow]) -> None:
        """Fold rows of its topics, in position order, in the transaction of the connection. Raises StoredDataError."""
        await self.fold(connection, log_id, self.read(events))

    def read(self, rows: Iterable[RecordedEvent | LogRow]) -> list[Projected]:
        """Decode rows. Raises StoredDataError."""
        decode = self._mapper.decode_payload
        return [Projected(decode(row.topic, row.schema_version, row.payload), row) for row in rows]

    def without_expired(self, events: Sequence[Projected], by: int) -> Sequence[Projected]:
        """Leave out events whose rows would have expired by then: a rebuild does not write them."""
        del by
        return events

    @abstractmethod
    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Write the rows of these events, which are of `handles`, in position order, each once.

        Statements name tables without a schema, because a build runs them in its own.
        """
