"""Count what a log holds: events by topic and day, streams, bytes."""

from datetime import date, datetime

import asyncpg
from msgspec import Struct

from ledger.postgres.logs import Log
from ledger.postgres.whole_log import SQL, LogBounds, Progress, check_bounds_unchanged

PAGE_POSITIONS = 50_000
"""Positions a page. The database counts, so that few rows are transferred."""


class LogStatistics(Struct, kw_only=True):
    """Numbers of one log up to its head. Days are UTC days; days without events are left out.

    `table_bytes` and `index_bytes` measure the table that all logs share.
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

    def add(self, row: asyncpg.Record) -> None:
        """Add the count of one topic on one day, a row of `page_to_count`."""
        self.events += row["events"]
        self.streams += row["streams"]
        self.payload_bytes += row["payload_bytes"]
        self.topics[row["topic"]] = self.topics.get(row["topic"], 0) + row["events"]
        self.days[row["day"]] = self.days.get(row["day"], 0) + row["events"]
        self.first = row["first"] if self.first is None else min(self.first, row["first"])
        self.last = row["last"] if self.last is None else max(self.last, row["last"])


async def count_log(log: Log, bounds: LogBounds, progress: Progress) -> LogStatistics:
    """Count a log, one page at a time. Raises Unavailable."""
    total = LogStatistics(topics={}, days={})
    async with log.database.connection() as connection:
        for after in range(0, bounds.head.position, PAGE_POSITIONS):
            until = min(after + PAGE_POSITIONS, bounds.head.position)
            for row in await connection.fetch(SQL["page_to_count"], bounds.log_id, after, until):
                total.add(row)
            progress(until - after)
        total.table_bytes, total.index_bytes = await connection.fetchrow(SQL["sizes"]) or (0, 0)
    await check_bounds_unchanged(log, bounds)
    return total
