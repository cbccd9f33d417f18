"""The audit trail of one log in memory, for tests: each query folds the whole log, without any index or projection."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ledger.batching.log_tail import LogTail
from ledger.domain.clock import Clock
from ledger.domain.events import TokenIssued
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.token_record import Moment, TokenRecord, fold_token_record
from ledger.memory.event_log import MemoryEventLog
from ledger.use_cases.audit import (
    Activity,
    ActivityQuery,
    AuditTrail,
    ClientActivity,
    EventPage,
    EventQuery,
    InstantInFuture,
    PositionBeyondHead,
    Summary,
    TokenPage,
    TokenQuery,
    event_matches,
)

EPOCH = datetime.fromtimestamp(0, UTC)
POLL_SECONDS = 0.005


class MemoryAuditTrail(AuditTrail):
    """An audit trail whose parts are all folded from the whole log. Nothing lags, so nothing is waited for."""

    def __init__(self, event_log: MemoryEventLog, *, mapper: EventMapper, clock: Clock) -> None:
        fold = _Fold(event_log, mapper, clock)
        super().__init__(moments=fold, tokens=fold, events=fold, activity=fold)


class _Fold:
    def __init__(self, event_log: MemoryEventLog, mapper: EventMapper, clock: Clock) -> None:
        self._event_log = event_log
        self._mapper = mapper
        self._clock = clock
        self._tail = LogTail(self._read, lambda: asyncio.sleep(POLL_SECONDS), mapper)

    async def resolve(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        rows = await self._rows()
        if as_of is None:
            _check(min_position, rows)
            return Moment(len(rows), self._clock())
        if isinstance(as_of, int):
            _check(max(as_of, min_position), rows)
            return Moment(as_of, rows[as_of - 1].recorded_at if as_of else EPOCH)
        _check(min_position, rows)
        if as_of > self._clock():
            raise InstantInFuture(as_of, self._clock())
        return Moment(sum(row.recorded_at <= as_of for row in rows), as_of)

    async def resolve_in_log(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        return await self.resolve(as_of, min_position)

    async def find_token(self, jti: UUID) -> TokenRecord | None:
        return fold_token_record(await self._event_log.read_stream(jti), self._mapper)

    async def find_jti(self, digest: bytes) -> UUID | None:
        for event in (self._mapper.decode(row).event for row in await self._rows()):
            if isinstance(event, TokenIssued) and event.digest == digest:
                return event.jti
        return None

    async def read_token_events(self, jti: UUID) -> Sequence[RecordedEvent]:
        rows = await self._event_log.read_stream(jti)
        return rows if rows and rows[0].topic.startswith("token.") else ()

    async def read_client_events(self, client_id: str) -> Sequence[RecordedEvent]:
        return await self._event_log.read_stream(client_stream_id(client_id))

    async def find_tokens(self, query: TokenQuery, moment: Moment, *, before: int | None, limit: int) -> TokenPage:
        found = [
            token
            for token in reversed(await self._tokens(moment.position))
            if token_matches(query, token, moment) and (before is None or token.issued.position < before)
        ]
        more = len(found) > limit
        return TokenPage(found[:limit], found[limit - 1].issued.position if more else None)

    async def find_events(self, query: EventQuery, *, after: int, limit: int, min_position: int = 0) -> EventPage:
        rows = await self._rows()
        _check(min_position, rows)
        subjects = {token.jti: token.subject for token in await self._tokens(len(rows))}
        found = [
            row
            for row in rows[after:]
            if event_matches(query, row, self._mapper) and query.subject in {None, subjects.get(row.stream_id)}
        ]
        if len(found) < limit:
            return EventPage(found, max(after, len(rows)), ended=True)
        return EventPage(found[:limit], found[limit - 1].position, ended=False)

    async def wait_for_events(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        if not self._tail.covers(after):
            page = await self.find_events(query, after=after, limit=500)
            if page.events:
                return page
            after = page.position
        return await self._tail.wait_for_events(query, after=after, seconds=seconds)

    async def summarize(self, query: ActivityQuery, *, clients: int, min_position: int = 0) -> Summary:
        rows = await self._rows()
        _check(min_position, rows)
        tokens = [t for t in await self._tokens(len(rows)) if query.client_id in {None, t.client_id}]
        buckets, start, width = [], query.since, timedelta(seconds=query.bucket)
        while start < query.until:
            buckets.append(_activity(tokens, start, start + width))
            start += width
        of_clients = []
        for client_id in {token.client_id for token in tokens}:
            total = _activity([t for t in tokens if t.client_id == client_id], query.since, query.until)
            if total.issued or total.revoked or total.active:
                of_clients.append(ClientActivity(client_id, total.issued, total.revoked, total.active))
        of_clients.sort(key=lambda client: (-client.issued, -client.active, client.client_id))
        return Summary(len(rows), buckets, of_clients[:clients])

    @property
    def waiting(self) -> int:
        return self._tail.waiting

    async def close(self) -> None:
        await self._tail.close()

    async def _rows(self) -> Sequence[RecordedEvent]:
        return await self._read(0, 2**31)

    async def _read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        return await self._event_log.read(after, limit)

    async def _tokens(self, position: int) -> Sequence[TokenRecord]:
        streams: dict[UUID, list[RecordedEvent]] = {}
        for row in (await self._rows())[:position]:
            if row.topic.startswith("token."):
                streams.setdefault(row.stream_id, []).append(row)
        found = (fold_token_record(rows, self._mapper) for rows in streams.values())
        return [token for token in found if token is not None]


def _activity(tokens: Sequence[TokenRecord], start: datetime, end: datetime) -> Activity:
    counts: Counter[str] = Counter()
    for token in tokens:
        issued_at = token.issued.recorded_at
        ends_at = max(token.expires_at, issued_at)
        if token.revoked is not None:
            ends_at = min(ends_at, token.revoked.recorded_at)
            counts["revoked"] += start <= token.revoked.recorded_at < end
        counts["issued"] += start <= issued_at < end
        counts["active"] += issued_at < end <= ends_at
    return Activity(start, counts["issued"], counts["revoked"], counts["active"])


def _check(position: int, rows: Sequence[RecordedEvent]) -> None:
    if position > len(rows):
        raise PositionBeyondHead(position, len(rows))


def token_matches(query: TokenQuery, token: TokenRecord, moment: Moment) -> bool:
    """Whether a token matches at a moment; it does not if it was issued later."""
    recorded_at = token.issued.recorded_at
    state = token.state(moment)
    return (
        state != "not_issued"
        and query.client_id in {None, token.client_id}
        and query.subject in {None, token.subject}
        and (query.scope is None or query.scope in token.scope)
        and query.status in {None, state}
        and (query.issued_after is None or recorded_at >= query.issued_after)
        and (query.issued_before is None or recorded_at <= query.issued_before)
    )
