"""What a projection is: a name, a version, the events it reads, its tables, and how a batch is folded into them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from ledger.events import Event
from ledger.postgres.database import Connection
from ledger.recording import EventMapper, RecordedEvent


class Projected(Struct, frozen=True):
    """An event as a projection gets it: what happened, and the row that records it (position, when, who)."""

    event: Event
    row: RecordedEvent


class Projection(ABC):
    """A read model. `handles` is the one list of what it reads: topics to select follow from it, and events to fold."""

    name: ClassVar[str]
    version: ClassVar[int]
    handles: ClassVar[tuple[type[Event], ...]]
    tables: ClassVar[tuple[str, ...]]

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self._topics = frozenset(event_type.TOPIC for event_type in self.handles)

    @property
    def topics(self) -> frozenset[str]:
        """The topics it reads."""
        return self._topics

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent]) -> None:
        """Fold rows of its topics, in position order, into its tables, in the transaction of the connection.

        Raises a StoredDataError for a row that this code cannot read.
        """
        decoded = [Projected(self._mapper.to_domain_event(row).event, row) for row in events]
        await self.fold(connection, log_id, decoded)

    @abstractmethod
    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Write what these events mean. Only events of `handles` come, in position order, each once."""
