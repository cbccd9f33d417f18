"""The catch-up projection `event_index`: which events have which type and actor, for audit queries.

The two indexes on the log that it replaces slowed every append down.
"""

from collections.abc import Iterable, Sequence

from ledger.domain.events import EVENT_TYPES
from ledger.domain.recording import RecordedEvent
from ledger.postgres.database import Connection
from projections.projection import LogRow, Projected, Projection

COLUMNS = ("log_id", "position", "topic", "actor")


class EventIndexProjection(Projection):
    """One permanent row per event."""

    name = "event_index"
    version = 1
    handles = EVENT_TYPES
    tables = ("event_index",)

    def read(self, rows: Iterable[RecordedEvent | LogRow]) -> list[Projected]:
        """Do not decode: an event whose payload cannot be read is found too."""
        return [Projected(None, row) for row in rows]

    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Run one COPY per batch."""
        records = [(log_id, row.position, row.topic, row.actor) for row in (projected.row for projected in events)]
        await connection.copy_records_to_table("event_index", records=records, columns=COLUMNS)
