"""The history of one log in PostgreSQL. Implements `ledger.use_cases.audit.AuditTrail`.

What is asked of one stream is read from the log itself and is complete. What is searched for is found through the
projection `token_history`, which follows; an answer says as of which position it is.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from ledger.batching.log_tail import PAGE, LogTail
from ledger.domain.clock import Clock
from ledger.domain.codec import CODEC
from ledger.domain.errors import Archived
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.token_record import Moment, TokenRecord, token_record
from ledger.postgres.archive.catalogue import (
    REMOVED_TOPICS,
    archive_at,
    archived,
    archived_until,
    archives_of,
    position_at,
)
from ledger.postgres.database import Connection
from ledger.postgres.logs import Log
from ledger.postgres.notifications import Wakeups
from ledger.postgres.recorder import PostgresRecorder
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import (
    ActivityQuery,
    AheadOfLog,
    EventPage,
    EventQuery,
    NotCaughtUp,
    Summary,
    TokenPage,
    TokenQuery,
)
from ledger.use_cases.ports import ActiveTokens
from projections.audit.activity_queries import read_summary
from projections.audit.token_history_queries import find_jti, find_token, issued_until, read_page
from projections.following.lease import read_checkpoint
from projections.token_history import TokenHistoryProjection

LOG = load_statements("ledger.postgres", "event_log.sql")
EVENTS = load_statements("projections.audit", "audited_events.sql")

PATIENCE_SECONDS = 2.0
"""How long a read waits for the projection to come to a position."""

LOOK_SECONDS = 0.02
TOPICS = sorted(CODEC.topics)
TAIL_LOOK_SECONDS = 1.0
BEGINNING = datetime.fromtimestamp(0, UTC)
MOMENT = timedelta(microseconds=1)
"""The least time between two instants that a timestamp tells apart."""


class PostgresAuditTrail:
    """Answers auditors of one issuer."""

    def __init__(
        self,
        log: Log,
        recorder: PostgresRecorder,
        active_tokens: ActiveTokens,
        *,
        wakeups: Wakeups,
        mapper: EventMapper,
        clock: Clock,
    ) -> None:
        self._log = log
        self._database = log.database
        self._recorder = recorder
        self._active_tokens = active_tokens
        self._wakeups = wakeups
        self._mapper = mapper
        self._clock = clock
        self._tail = LogTail(self._read_log, self._wait_for_growth, mapper)

    async def moment(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """The moment of an instant, of a position, or now. Raises AheadOfLog, NotCaughtUp, Unavailable."""
        if as_of is None:
            return Moment(await self._caught_up(min_position), self._clock())
        moment = await self._moment_of(as_of)
        await self._caught_up(max(moment.position, min_position))
        return moment

    async def log_moment(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """The same for what is read from the log itself. Raises AheadOfLog, Unavailable."""
        head = 0
        if as_of is None or min_position:
            head = (await self._recorder.head()).position
            if min_position > head:
                raise _ahead(min_position, head)
        return Moment(head, self._clock()) if as_of is None else await self._moment_of(as_of)

    async def token(self, jti: UUID) -> TokenRecord | None:
        """A token from its own stream, or where that is archived from the projection, which has read it before.

        Raises Unavailable, StoredDataError.
        """
        rows = await self._recorder.select_events(jti)
        return token_record(rows, self._mapper) if rows else await find_token(self._log, jti)

    async def jti_of(self, digest: bytes) -> UUID | None:
        """The jti of a digest. Raises Unavailable, NotCaughtUp."""
        found = await find_jti(self._log, digest)
        if found is None and (active := await self._active_tokens.get(digest)) is not None:
            return active.jti
        if found is None:  # unless it was revoked or swept away before the projection heard that it was issued
            await self._caught_up((await self._recorder.head()).position)
            return await find_jti(self._log, digest)
        return found

    async def token_events(self, jti: UUID) -> Sequence[RecordedEvent]:
        """The rows of a token's stream. Raises Archived, Unavailable."""
        rows = await self._recorder.select_events(jti)
        if not rows:
            await self._check_not_archived(jti)
        return rows if rows and rows[0].topic.startswith("token.") else ()

    async def client_events(self, client_id: str) -> Sequence[RecordedEvent]:
        """The rows of a client's stream. Raises Unavailable."""
        return await self._recorder.select_events(client_stream_id(client_id))

    async def tokens(self, query: TokenQuery, moment: Moment, *, before: int | None, limit: int) -> TokenPage:
        """A page of tokens as of a moment. Raises Unavailable."""
        last = moment.position if query.issued_before is None else await self._issued_up_to(query.issued_before)
        top = min(last, moment.position) + 1
        first = 1 if query.issued_after is None else await self._issued_up_to(query.issued_after - MOMENT) + 1
        return await read_page(self._log, query, moment, first=first, before=min(top, before or top), limit=limit)

    async def events(self, query: EventQuery, *, after: int, limit: int, min_position: int = 0) -> EventPage:
        """A page of events after a position. Raises AheadOfLog, Archived, NotCaughtUp, Unavailable."""
        if query.client_id is not None or query.subject is not None:
            last = await self._caught_up(min_position)
        else:
            last = (await self._recorder.head()).position
            if last < min_position:
                raise _ahead(min_position, last)
        stop = last
        if query.until is not None:
            stop = min(stop, await self._up_to(query.until))
        start = after
        if query.since is not None:
            start = max(start, await self._up_to(query.since - MOMENT))
        if start >= stop:
            return EventPage((), max(after, last), ended=True)
        rows = [recorded_event(row) for row in await self._find(query, start, stop, limit)]
        ended = len(rows) < limit
        of_interest = [row for row in rows if query.actor in {None, row.actor}]
        return EventPage(of_interest, max(after, last) if ended else rows[-1].position, ended=ended)

    async def news(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        """The first events after a position, as soon as there are any. Raises Unavailable, StoredDataError."""
        if not self._tail.covers(after):
            page = await self.events(query, after=after, limit=PAGE)
            if page.events or not page.ended:
                return page
            after = page.position
        return await self._tail.news(query, after=after, seconds=seconds)

    async def summary(self, query: ActivityQuery, *, clients: int, min_position: int = 0) -> Summary:
        """Activity per bucket and client. Raises AheadOfLog, NotCaughtUp, Unavailable."""
        position = await self._caught_up(min_position)
        return await read_summary(self._log, query, position=position, clients=clients)

    @property
    def waiting(self) -> int:
        """How many wait for news."""
        return self._tail.waiting

    async def close(self) -> None:
        """Let go of those who wait for news."""
        await self._tail.close()

    async def _find(self, query: EventQuery, start: int, stop: int, limit: int) -> Sequence[asyncpg.Record]:
        log_id = await self._log.to_read()
        topics = list(query.types) or TOPICS
        bounds = (log_id, start, stop, limit)
        async with self._database.connection() as connection:
            rows = await self._find_on(connection, query, topics, bounds)
            # After the reading: what was archived before it was over may be missing.
            if not REMOVED_TOPICS.isdisjoint(topics):
                until = await archived_until(connection, log_id)
                if start < until:
                    raise archived(until)
        return rows

    async def _find_on(
        self, connection: Connection, query: EventQuery, topics: Sequence[str], bounds: tuple[int, int, int, int]
    ) -> Sequence[asyncpg.Record]:
        if query.subject is not None:
            return await connection.fetch(EVENTS["of_subject"], *bounds, query.subject, query.client_id, topics)
        if query.client_id is not None:
            stream = client_stream_id(query.client_id)
            return await connection.fetch(EVENTS["of_client"], *bounds, query.client_id, stream, topics)
        if query.actor is not None:
            return await connection.fetch(EVENTS["of_actor"], *bounds, query.actor, topics)
        if query.types:
            return await connection.fetch(EVENTS["of_topics"], *bounds, topics)
        return await connection.fetch(LOG["read_log"], *bounds)

    async def _caught_up(self, position: int) -> int:
        """The checkpoint of the projection, once it has come to a position. Raises AheadOfLog, NotCaughtUp."""
        log_id = await self._log.to_read()
        checkpoint = await read_checkpoint(self._database, log_id, TokenHistoryProjection.name)
        if checkpoint >= position:
            return checkpoint
        head = (await self._recorder.head()).position
        if position > head:
            raise _ahead(position, head)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            checkpoint = await read_checkpoint(self._database, log_id, TokenHistoryProjection.name)
            if checkpoint >= position:
                return checkpoint
        msg = f"The history is at position {checkpoint} and was asked for {position}; it follows the log, try again."
        raise NotCaughtUp(msg)

    async def _moment_of(self, as_of: datetime | int) -> Moment:
        if isinstance(as_of, int):
            return Moment(as_of, await self._recorded_at(as_of))
        return Moment(await self._position_at(as_of), as_of)

    async def _recorded_at(self, position: int) -> datetime:
        if position == 0:
            return BEGINNING
        log_id = await self._log.to_read()
        async with self._database.connection() as connection:
            instant: datetime | None = await connection.fetchval(LOG["recorded_at"], log_id, position)
            until = await archived_until(connection, log_id)
        if instant is None and position <= until:
            msg = f"when position {position} was recorded is not known here: up to {until} the log is archived"
            raise Archived(msg, until)
        if instant is None:
            raise _ahead(position, (await self._recorder.head()).position)
        return instant

    async def _position_at(self, instant: datetime) -> int:
        """The newest position recorded by an instant; that of a moment ago will not change any more."""
        log_id = await self._log.to_read()
        async with self._database.connection() as connection:
            now = await connection.fetchrow(LOG["clock_and_head"], log_id)
            if now is not None and instant > now["now"]:
                msg = f"as_of lies ahead: it is {now['now'].isoformat()} here"
                raise AheadOfLog(msg)
            if now is not None and instant >= now["recorded_at"]:
                await connection.fetch(LOG["settle"], log_id)
            return await position_at(connection, log_id, instant)

    async def _up_to(self, instant: datetime) -> int:
        """The newest position recorded by an instant, as far as the log has come. Raises Archived."""
        log_id = await self._log.to_read()
        async with self._database.connection() as connection:
            return await position_at(connection, log_id, instant)

    async def _issued_up_to(self, instant: datetime) -> int:
        """The same, where only tokens that were issued count: the projection knows them all."""
        log_id = await self._log.to_read()
        async with self._database.connection() as connection:
            try:
                return await position_at(connection, log_id, instant)
            except Archived as error:
                return await issued_until(connection, log_id, instant, error.until)

    async def _check_not_archived(self, jti: UUID) -> None:
        """Raises Archived when there was a stream of this token."""
        token = await find_token(self._log, jti)
        if token is None:
            return
        async with self._database.connection() as connection:
            archive = archive_at(await archives_of(connection, await self._log.to_read()), token.issued.position)
        if archive is not None:
            msg = (
                f"the events of this token are archived, and not in the log any more: archive {archive.file_name} has "
                f"them from position {token.issued.position} on"
            )
            raise Archived(msg, archive.last)

    async def _read_log(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        return await self._recorder.select_notifications(after, limit, inclusive_of_start=False)

    async def _wait_for_growth(self, position: int) -> None:
        await self._wakeups.wait(await self._log.to_read(), beyond=position, seconds=TAIL_LOOK_SECONDS)


def _ahead(position: int, head: int) -> AheadOfLog:
    return AheadOfLog(f"position {position} lies ahead of the log, which ends at {head}")
