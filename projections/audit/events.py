"""Read events for auditors: of a stream, by a query, or as they are recorded."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from ledger.batching.log_tail import PAGE_EVENTS, LogTail
from ledger.domain.codec import CODEC
from ledger.domain.errors import Archived
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.postgres.archive.catalogue import (
    REMOVABLE_TOPICS,
    build_archived_error,
    find_archive,
    find_position_at,
    read_archived_until,
    read_archives,
)
from ledger.postgres.database import Connection
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import EventPage, EventQuery, PositionBeyondHead
from projections.audit.checkpoint import ProjectionCheckpoint
from projections.audit.token_history_queries import find_token
from projections.audit.tokens import TICK

LOG = load_statements("ledger.postgres", "event_log.sql")
SQL = load_statements("projections.audit", "events.sql")

TOPICS = sorted(CODEC.topics)
TAIL_POLL_SECONDS = 1.0

MAX_LAG_EVENTS = 2000
"""Events that may be missing from `event_index`. While it is being filled, a query fails instead of missing more."""


class PostgresAuditEvents:
    """Implements `ledger.use_cases.audit.AuditEvents`."""

    def __init__(
        self,
        log: Log,
        event_log: PostgresEventLog,
        token_history: ProjectionCheckpoint,
        event_index: ProjectionCheckpoint,
        *,
        notifications: LogNotifications,
        mapper: EventMapper,
    ) -> None:
        self._log = log
        self._event_log = event_log
        self._token_history = token_history
        self._event_index = event_index
        self._notifications = notifications
        self._notified = 0
        self._tail = LogTail(self._read_log, self._wait_for_growth, mapper)

    @property
    def waiting(self) -> int:
        """How many callers wait for events."""
        return self._tail.waiting

    async def close(self) -> None:
        """Stop reading; callers that wait get an empty page."""
        await self._tail.close()

    async def read_token_events(self, jti: UUID) -> Sequence[RecordedEvent]:
        """Read the events of a token. Raises Archived, Unavailable."""
        rows = await self._event_log.read_stream(jti)
        if not rows:
            await self._check_not_archived(jti)
        return rows if rows and rows[0].topic.startswith("token.") else ()

    async def read_client_events(self, client_id: str) -> Sequence[RecordedEvent]:
        """Read the events of a client. Raises Unavailable."""
        return await self._event_log.read_stream(client_stream_id(client_id))

    async def find_events(self, query: EventQuery, *, after: int, limit: int, min_position: int = 0) -> EventPage:
        """Find events after a position. Raises AheadOfLog, Archived, NotCaughtUp, Unavailable."""
        if query.client_id is not None or query.subject is not None:
            last = await self._token_history.wait_for(min_position)
        else:
            last = (await self._event_log.head()).position
            if last < min_position:
                raise PositionBeyondHead(min_position, last)
            if query.actor is not None or query.types:
                last = await self._event_index.wait_for(max(min_position, last - MAX_LAG_EVENTS))
        stop = last if query.until is None else min(last, await self._position_at(query.until))
        start = after if query.since is None else max(after, await self._position_at(query.since - TICK))
        if start >= stop:
            return EventPage((), max(after, last), ended=True)
        rows = [recorded_event(row) for row in await self._select(query, start, stop, limit)]
        ended = len(rows) < limit
        matching = [row for row in rows if query.actor in {None, row.actor}]
        return EventPage(matching, max(after, last) if ended else rows[-1].position, ended=ended)

    async def wait_for_events(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        """Find events after a position as soon as there are any. Raises Unavailable, StoredDataError."""
        if not self._tail.covers(after):
            page = await self.find_events(query, after=after, limit=PAGE_EVENTS)
            if page.events or not page.ended:
                return page
            after = page.position
        return await self._tail.wait_for_events(query, after=after, seconds=seconds)

    async def _select(self, query: EventQuery, start: int, stop: int, limit: int) -> Sequence[asyncpg.Record]:
        log_id = await self._log.find_id()
        topics = list(query.types) or TOPICS
        async with self._log.database.connection() as connection:
            rows = await _select_on(connection, query, topics, (log_id, start, stop, limit))
            # Check after reading: events archived during the read may be missing from it.
            if not REMOVABLE_TOPICS.isdisjoint(topics) and start < (
                until := await read_archived_until(connection, log_id)
            ):
                raise build_archived_error(until)
        return rows

    async def _position_at(self, instant: datetime) -> int:
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            return await find_position_at(connection, log_id, instant)

    async def _check_not_archived(self, jti: UUID) -> None:
        token = await find_token(self._log, jti)
        if token is None:
            return
        first = token.issued.position
        async with self._log.database.connection() as connection:
            archive = find_archive(await read_archives(connection, await self._log.find_id()), first)
        if archive is not None:
            msg = (
                "the events of this token are archived and no longer in the log: "
                f"archive {archive.file_name} has them from position {first} on"
            )
            raise Archived(msg, archive.last)

    async def _read_log(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        self._notified = self._notifications.count(await self._log.find_id())
        return await self._event_log.read(after, limit)

    async def _wait_for_growth(self) -> None:
        await self._notifications.wait(await self._log.find_id(), since=self._notified, seconds=TAIL_POLL_SECONDS)


async def _select_on(
    connection: Connection, query: EventQuery, topics: Sequence[str], bounds: tuple[int, int, int, int]
) -> Sequence[asyncpg.Record]:
    """Select by the index that fits the query; the caller filters by actor if a client or subject is given."""
    if query.subject is not None:
        return await connection.fetch(SQL["of_subject"], *bounds, query.subject, query.client_id, topics)
    if query.client_id is not None:
        stream = client_stream_id(query.client_id)
        return await connection.fetch(SQL["of_client"], *bounds, query.client_id, stream, topics)
    if query.actor is not None:
        return await connection.fetch(SQL["of_actor"], *bounds, query.actor, topics)
    if query.types:
        return await connection.fetch(SQL["of_topics"], *bounds, topics)
    return await connection.fetch(LOG["read_log"], *bounds)
