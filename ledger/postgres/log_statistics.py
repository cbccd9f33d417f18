"""What a log consists of, in numbers."""

from datetime import date, datetime

from msgspec import Struct

from ledger.postgres.logs import Log
from ledger.postgres.whole_log import SQL, LogBounds, Progress, check_bounds_unchanged

PAGE = 50_000
"""Positions a page: counted by the database, so that few rows come back."""


class LogStatistics(Struct, kw_only=True):
    """The numbers of one log up to its head at the time. Days are of UTC; days without events are left out.

    `table_bytes` and `index_bytes` are of the table that all logs share.
    """

    events: int = 0
    streams: int = 0
    first: datetime | None = None
    last: datetime | None = None
    topics: dict[str, int]
    days: dict[date, int]
    payload_bytes: int = 0
    table_bytes: int = 0
    index_bytes: int = 0

    def add(
        self,
        *,
        topic: str,
        day: date,
        events: int,
        streams: int,
        payload_bytes: int,
        first: datetime,
        last: datetime,
    ) -> None:
        """Add a count of some events of one topic and one day."""
        self.events += events
        self.streams += streams
        self.payload_bytes += payload_bytes
        self.topics[topic] = self.topics.get(topic, 0) + events
        self.days[day] = self.days.get(day, 0) + events
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


async def count_log(log: Log, bounds: LogBounds, progress: Progress) -> LogStatistics:
    """Count a log, a page at a time. Raises Unavailable."""
    total = LogStatistics(topics={}, days={})
    async with log.database.connection() as connection:
        for after in range(0, bounds.head.position, PAGE):
            until = min(after + PAGE, bounds.head.position)
            for row in await connection.fetch(SQL["page_to_count"], bounds.log_id, after, until):
                total.add(**row)
            progress(until - after)
        sizes = await connection.fetchrow(SQL["sizes"])
    if sizes is None:  # a SELECT without FROM has a row
        raise AssertionError
    await check_bounds_unchanged(log, bounds)
    total.table_bytes, total.index_bytes = sizes["table_bytes"], sizes["index_bytes"]
    return total
