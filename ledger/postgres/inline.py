"""What the log asks of a projection that is written in the appending transaction."""

from collections.abc import Sequence
from typing import Protocol

from ledger.postgres.database import Connection
from ledger.recording import RecordedEvent


class InlineProjection(Protocol):
    """A projection kept inside the append: when an event is recorded, its rows are there."""

    @property
    def topics(self) -> frozenset[str]:
        """The topics it is applied to."""
        ...

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent]) -> None:
        """Fold a batch, in position order, into its tables. What it raises undoes the whole append."""
        ...
