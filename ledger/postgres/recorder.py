"""One log in PostgreSQL: the recorder."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from ledger.domain.recording import (
    LogHead,
    RecordedEvent,
    StoredEvent,
    Take,
    VersionConflict,
    Write,
    WriteResult,
)
from ledger.postgres.appending import Appender
from ledger.postgres.inline import InlineProjection
from ledger.postgres.logs import Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.postgres.streams import PostgresStreams

SQL = load_statements("ledger.postgres", "event_log.sql")

BEGINNING = datetime.fromtimestamp(0, UTC)
"""The instant of a log that does not exist yet."""

LAST_VERSION = 2**31 - 1
LAST_POSITION = sys.maxsize


class PostgresRecorder:
    """Implements `ledger.domain.recording.Recorder` for the log of one issuer."""

    def __init__(self, log: Log, inline: Sequence[InlineProjection] = ()) -> None:
        """`inline` projections are written in the appending transaction, in this order."""
        self._log = log
        self._database = log.database
        self._appender = Appender(log, inline)
        self._streams = PostgresStreams(log)

    async def write(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record many independent writes in one transaction.

        When the connection breaks during commit, the log is asked what became of them before anything is answered.
        Raises Unavailable (nothing was recorded) or OutcomeUnknown.
        """
        return await self.write_next(lambda: writes)

    async def write_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Record what is given, in one transaction, as `write` does; where others append, it is asked for in turn."""
        return await self._appender.write_next(take)

    async def insert_events(self, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """Record one write; return its positions. Raises VersionConflict."""
        if not stored_events:
            return []
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
        """The events of a stream in version order, bounded by version. Whole streams share queries."""
        if gt is None and lte is None and limit is None and not desc:
            return await self._streams.select_events(originator_id)
        statement = SQL["read_stream_backwards" if desc else "read_stream"]
        last = LAST_VERSION if lte is None else lte
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, log_id, originator_id, gt or 0, last, limit)
        return [recorded_event(row) for row in rows]

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
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        last = LAST_POSITION if stop is None else stop
        arguments = (await self._log.find_id(), after, last, limit)
        async with self._database.connection() as connection:
            if topics:
                rows = await connection.fetch(SQL["read_log_topics"], *arguments, topics)
            else:
                rows = await connection.fetch(SQL["read_log"], *arguments)
        return [recorded_event(row) for row in rows]

    async def max_notification_id(self) -> int | None:
        """The newest position, or None when the log is empty."""
        return (await self.head()).position or None

    async def head(self) -> LogHead:
        """The newest position and its instant."""
        log_id = await self._log.find_id()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["head"], log_id)
        if row is None:
            return LogHead(0, BEGINNING)
        return LogHead(row["position"], row["recorded_at"])
