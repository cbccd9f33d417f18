"""One log in PostgreSQL: the recorder.

Positions are dense and in commit order because the head row is locked before anything is numbered and until commit.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from ledger.conflicts import Numbered, number_writes, streams_of
from ledger.errors import Unavailable
from ledger.postgres.at_once import Left, left_after, results_at_once, statement_for
from ledger.postgres.database import Connection
from ledger.postgres.inline import InlineProjection, check_versions, versions_of
from ledger.postgres.logs import Log
from ledger.postgres.outcome import find_outcome
from ledger.postgres.rows import event_columns, recorded_event
from ledger.postgres.statements import load_statements
from ledger.postgres.streams import PostgresStreams
from ledger.recording import (
    LogHead,
    RecordedEvent,
    StoredEvent,
    VersionConflict,
    Write,
    WriteResult,
)

SQL = load_statements("ledger.postgres", "event_log.sql")

BEGINNING = datetime.fromtimestamp(0, UTC)
"""The instant of a log that does not exist yet."""

LAST_VERSION = 2**31 - 1
LAST_POSITION = sys.maxsize


class PostgresRecorder:
    """Implements `ledger.recording.Recorder` for the log of one issuer."""

    def __init__(self, log: Log, inline: Sequence[InlineProjection] = ()) -> None:
        """`inline` projections are written in the appending transaction, in this order."""
        self._log = log
        self._database = log.database
        self._inline = inline
        self._versions = versions_of(inline)
        self._streams = PostgresStreams(log)
        self._last_position: int | None = None
        self._left: Left | None = None

    async def write(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record many independent writes in one transaction.

        When the connection breaks during commit, the log is asked what became of them before anything is answered.
        Raises Unavailable (nothing was recorded) or OutcomeUnknown.
        """
        attempt = _Attempt(await self._log.to_write(), writes)
        try:
            async with self._database.connection() as connection:
                if not await self._append_at_once(connection, attempt):
                    await self._attempt(connection, attempt)
        except Unavailable:
            if not attempt.committing:
                raise
            return await find_outcome(
                self._database, attempt.log_id, attempt.numbered.results, attempt.numbered.survivors
            )
        return attempt.numbered.results

    async def _append_at_once(self, connection: Connection, attempt: "_Attempt") -> bool:
        """Append in one statement if the log is as this process left it and nothing conflicts; else change nothing."""
        left, writes = self._left, attempt.writes
        if left is None or not left.holds(writes):
            return False
        statement = statement_for(attempt.log_id, left, writes, self._inline, self._versions)
        if statement is None:
            return False
        attempt.numbered = Numbered(results_at_once(left, writes, BEGINNING), writes, ())
        attempt.committing = True
        self._left = None
        try:
            row = await connection.fetchrow(statement.text, *statement.arguments)
        except asyncpg.UniqueViolationError:
            row = None
        if row is None:
            attempt.committing = False
            return False
        attempt.numbered = Numbered(results_at_once(left, writes, row["recorded_at"]), writes, ())
        self._last_position = left.position + sum(len(write.events) for write in writes)
        self._left = Left(self._last_position, left.versions)
        return True

    async def _attempt(self, connection: Connection, attempt: "_Attempt") -> None:
        try:
            await connection.execute(SQL["begin_and_lock_head"] % attempt.log_id)
            streams = streams_of(attempt.writes)
            stand = await connection.fetch(SQL["stand_of_log"], attempt.log_id, streams, *self._versions)
            check_versions(current=stand[0]["inline_is_current"])
            position = stand[0]["position"]
            recorded_at = max(stand[0]["recorded_at"], stand[0]["now"])
            versions = {row["stream_id"]: row["version"] for row in stand}
            attempt.numbered = number_writes(attempt.writes, versions, head=position, recorded_at=recorded_at)
            if attempt.numbered.events:
                await self._append(connection, attempt, position, recorded_at)
            left = self._left_by(attempt, versions, position)
        except BaseException:
            # The connection may be what failed; the transaction ends with it then.
            if not connection.is_closed():
                await connection.execute("ROLLBACK;")
            raise
        attempt.committing = True
        await connection.execute("COMMIT;")
        self._last_position, self._left = left

    def _left_by(self, attempt: "_Attempt", versions: Mapping[UUID, int], head: int) -> tuple[int, Left | None]:
        """Where the batch leaves the log, and what is known of it then: only where nobody else came between."""
        position = head + len(attempt.numbered.events)
        if head != self._last_position:
            return position, None
        guards = [guard for write in attempt.writes for guard in write.guards]
        return position, left_after(self._left, guards, versions, attempt.numbered.events, position)

    async def _append(self, connection: Connection, attempt: "_Attempt", position: int, recorded_at: datetime) -> None:
        events = attempt.numbered.events
        await connection.fetch(
            SQL["append"],
            attempt.log_id,
            position,
            recorded_at,
            *event_columns(events),
        )
        for projection in self._inline:
            of_interest = [event for event in events if event.topic in projection.topics]
            if of_interest:
                await projection.apply(connection, attempt.log_id, of_interest)

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
        log_id = await self._log.to_read()
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
        arguments = (await self._log.to_read(), after, last, limit)
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
        log_id = await self._log.to_read()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["head"], log_id)
        if row is None:
            return LogHead(0, BEGINNING)
        return LogHead(row["position"], row["recorded_at"])


class _Attempt:
    """One transaction's worth of writes: what becomes of each, and how far it came."""

    def __init__(self, log_id: int, writes: Sequence[Write]) -> None:
        self.log_id = log_id
        self.writes = writes
        self.numbered = Numbered((), (), ())
        self.committing = False
