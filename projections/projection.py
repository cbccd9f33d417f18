"""What a projection is: a name, a version, the events it reads, its tables, and how a batch is folded into them.

One declaration, from which everything else follows: writing it with the append or following the log, building it anew
beside the live tables, verifying it, replaying it as of a moment. `projections.catalogue` finds the declarations.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from ledger.domain.events import Event
from ledger.domain.recording import EventMapper, NewEvent, RecordedEvent
from ledger.postgres.database import Connection
from ledger.postgres.inline import PartOfAppend


class LogRow(Struct, frozen=True, gc=False):
    """A row of the log: what builds read by the million, where a RecordedEvent would cost ten times as much."""

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
    """An event as a projection gets it: what happened, and the row that records it (position, when, who)."""

    event: Event
    row: RecordedEvent | LogRow


class Projection(ABC):
    """A read model. `handles` is the one list of what it reads: topics to select follow from it, and events to fold.

    Its tables have a log_id in their primary keys, and what is in them is a function of the log alone: not of the
    clock, and not of how events came in batches. But rows of `expiry_columns` may be gone once they have expired.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the rows of the same events become others: the tables are then built anew."""

    inline: ClassVar[bool] = False
    """Written in the transaction that records the event; otherwise it follows the log, at no cost to requests."""

    handles: ClassVar[tuple[type[Event], ...]]
    tables: ClassVar[tuple[str, ...]]

    looked_up_by: ClassVar[tuple[str, ...]] = ()
    """Indexes that fold itself needs, besides primary keys; a build makes the others when the rows are there."""

    stream_columns: ClassVar[Mapping[str, str]] = {}
    """Of a table whose rows are of one stream each, the column that holds its id: it can be verified by sample."""

    expiry_columns: ClassVar[Mapping[str, str]] = {}
    """Of a table whose rows may go when they have expired, the column that says when, in seconds since 1970."""

    hidden_columns: ClassVar[frozenset[str]] = frozenset()
    """Columns whose values no tool shows."""

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self._topics = frozenset(event_type.TOPIC for event_type in self.handles)

    @property
    def topics(self) -> frozenset[str]:
        """The topics it reads."""
        return self._topics

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent | LogRow]) -> None:
        """Fold rows of its topics, in position order, into its tables, in the transaction of the connection.

        Raises a StoredDataError for a row that this code cannot read.
        """
        await self.fold(connection, log_id, self.read(events))

    def in_append(self, events: Sequence[NewEvent]) -> Sequence[PartOfAppend] | None:  # noqa: ARG002 (for those that can)
        """What it writes for these events of its topics, as parts of the statement that appends, where it can.

        Raises a StoredDataError for an event that this code cannot read back.
        """
        return None

    def read(self, rows: Iterable[RecordedEvent | LogRow]) -> list[Projected]:
        """What these rows record. Raises a StoredDataError for a row that this code cannot read."""
        decode = self._mapper.decode_payload
        return [Projected(decode(row.topic, row.schema_version, row.payload), row) for row in rows]

    def without_expired(self, events: Sequence[Projected], by: int) -> Sequence[Projected]:
        """What a rebuild folds: these events without those whose rows would have expired by then, to be swept away."""
        del by
        return events

    @abstractmethod
    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Write what these events mean. Only events of `handles` come, in position order, each once.

        Tables are named without a schema: a build has the same statements write to its own.
        """
