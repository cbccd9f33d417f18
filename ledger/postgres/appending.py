"""Appending to one log: a batch is one transaction, of one statement where that can be.

Positions are dense and in commit order because the head row is locked before anything is numbered and until commit.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from ledger.domain.conflicts import number_writes, results_after, streams_of
from ledger.domain.errors import Unavailable
from ledger.domain.recording import RecordedEvent, Take, VersionConflict, Write, WriteResult
from ledger.postgres.at_once import Statement, statement_for
from ledger.postgres.database import Connection
from ledger.postgres.inline import InlineProjection, check_versions, versions_of
from ledger.postgres.logs import Log
from ledger.postgres.outcome import find_outcome
from ledger.postgres.rows import event_columns
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")


class Appender:
    """Appends what one process writes to a log."""

    def __init__(self, log: Log, inline: Sequence[InlineProjection] = ()) -> None:
        """`inline` projections are written in the appending transaction, in this order."""
        self._log = log
        self._database = log.database
        self._inline = inline
        self._versions = versions_of(inline)
        self._last_position = 0
        self._alone = True

    async def append_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Record what is given; it is asked for once, at its turn where others append. As `EventLog.append_next`."""
        attempt = _Attempt(await self._log.ensure_id(), take)
        try:
            async with self._database.connection() as connection:
                attempt.session = connection.get_server_pid()
                await self._append(connection, attempt)
        except Unavailable:
            if not attempt.committing:
                raise
            return await find_outcome(
                self._database, attempt.log_id, attempt.session, attempt.results, attempt.survivors
            )
        return attempt.results

    async def _append(self, connection: Connection, attempt: "_Attempt") -> None:
        """Append in one statement while this process has the log to itself; where others append too, in turn.

        At a unique key all that is known is that one of the writes is in conflict.
        """
        if self._alone and await self._append_at_once(connection, attempt):
            return
        try:
            await self._append_in_turn(connection, attempt)
        except asyncpg.UniqueViolationError:
            if attempt.statement is None:
                raise
            attempt.statement = None
            await self._append_in_turn(connection, attempt)

    def _take(self, attempt: "_Attempt") -> None:
        if not attempt.writes:
            attempt.writes = attempt.take()
            attempt.statement = statement_for(attempt.log_id, attempt.writes, self._inline, self._versions)

    async def _append_at_once(self, connection: Connection, attempt: "_Attempt") -> bool:
        """Append all of the writes, in a transaction of its own; or change nothing."""
        self._take(attempt)
        statement = attempt.statement
        if statement is None:
            return False
        attempt.survivors, attempt.committing = attempt.writes, True
        try:
            row = await connection.fetchrow(statement.text, *statement.arguments)
        except asyncpg.UniqueViolationError:
            row = attempt.statement = None
        if row is None:
            attempt.committing = self._alone = False
            return False
        attempt.results = results_after(row["before"], attempt.writes, row["recorded_at"])
        self._last_position = row["before"] + statement.events
        return True

    async def _append_in_turn(self, connection: Connection, attempt: "_Attempt") -> None:
        """Wait for the head, then append: all of the writes by one statement, or each that is not in conflict."""
        async with _head_lock(connection, attempt.log_id):
            self._take(attempt)
            statement = attempt.statement
            row = None if statement is None else await connection.fetchrow(statement.text, *statement.arguments)
            if statement is not None and row is not None:
                attempt.survivors = attempt.writes
                attempt.results = results_after(row["before"], attempt.writes, row["recorded_at"])
                before, events = row["before"], statement.events
            else:
                before, events = await self._append_each(connection, attempt)
        attempt.committing = True
        await connection.execute("COMMIT;")
        self._alone = before == self._last_position  # nobody came between
        self._last_position = before + events

    async def _append_each(self, connection: Connection, attempt: "_Attempt") -> tuple[int, int]:
        """Append the writes that are not in conflict with where streams are: after which position, how many events."""
        streams = streams_of(attempt.writes)
        stand = await connection.fetch(SQL["stand_of_log"], attempt.log_id, streams, *self._versions)
        check_versions(current=stand[0]["inline_is_current"])
        position: int = stand[0]["position"]
        recorded_at = max(stand[0]["recorded_at"], stand[0]["now"])
        versions = {row["stream_id"]: row["version"] for row in stand}
        numbered = number_writes(attempt.writes, versions, head=position, recorded_at=recorded_at)
        if numbered.events:
            await self._insert(connection, attempt.log_id, numbered.events, position, recorded_at)
        attempt.results, attempt.survivors = numbered.results, numbered.survivors
        return position, len(numbered.events)

    async def _insert(
        self,
        connection: Connection,
        log_id: int,
        events: Sequence[RecordedEvent],
        position: int,
        recorded_at: datetime,
    ) -> None:
        await connection.fetch(SQL["append"], log_id, position, recorded_at, *event_columns(events))
        for projection in self._inline:
            of_interest = [event for event in events if event.topic in projection.topics]
            if of_interest:
                await projection.apply(connection, log_id, of_interest)


class _Attempt:
    """One transaction's worth of writes: what becomes of each, and how far it came.

    `results` may be known only to the log while it commits; then all of them survive.
    """

    def __init__(self, log_id: int, take: Take) -> None:
        self.log_id = log_id
        self.take = take
        self.session = 0
        self.writes: Sequence[Write] = ()
        self.statement: Statement | None = None
        self.results: Sequence[WriteResult | VersionConflict] = ()
        self.survivors: Sequence[Write] = ()
        self.committing = False


@asynccontextmanager
async def _head_lock(connection: Connection, log_id: int) -> AsyncIterator[None]:
    """Begin a transaction with the head lock. What is raised within ends it; else it is the caller's to end."""
    try:
        await connection.execute(SQL["begin_and_lock_head"] % log_id)
        yield
    except BaseException:
        # The connection may be what failed; the transaction ends with it then.
        if not connection.is_closed():
            await connection.execute("ROLLBACK;")
        raise
