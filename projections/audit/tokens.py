"""Find tokens for auditors: one from its stream, many through the projection `token_history`."""

from datetime import datetime, timedelta
from uuid import UUID

from ledger.domain.errors import Archived
from ledger.domain.recording import EventMapper
from ledger.domain.token_record import Moment, TokenRecord, fold_token_record
from ledger.postgres.archive.catalogue import find_position_at
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.use_cases.audit import TokenPage, TokenQuery
from ledger.use_cases.ports import ActiveTokens
from projections.audit.checkpoint import ProjectionCheckpoint
from projections.audit.token_history_queries import find_jti, find_token, issued_until, read_page

TICK = timedelta(microseconds=1)
"""The resolution of a timestamp in PostgreSQL."""


class PostgresAuditTokens:
    """Implements `ledger.use_cases.audit.AuditTokens`."""

    def __init__(
        self,
        log: Log,
        event_log: PostgresEventLog,
        active_tokens: ActiveTokens,
        checkpoint: ProjectionCheckpoint,
        mapper: EventMapper,
    ) -> None:
        self._log = log
        self._event_log = event_log
        self._active_tokens = active_tokens
        self._checkpoint = checkpoint
        self._mapper = mapper

    async def find_token(self, jti: UUID) -> TokenRecord | None:
        """Find a token in its own stream, or in the projection if the stream is archived.

        Raises Unavailable, StoredDataError.
        """
        rows = await self._event_log.read_stream(jti)
        return fold_token_record(rows, self._mapper) if rows else await find_token(self._log, jti)

    async def find_jti(self, digest: bytes) -> UUID | None:
        """Find the jti of a digest. Raises NotCaughtUp, Unavailable."""
        if (found := await find_jti(self._log, digest)) is not None:
            return found
        if (active := await self._active_tokens.get(digest)) is not None:
            return active.jti
        # The token may have been revoked or swept before the projection reached its issuance.
        await self._checkpoint.wait_for((await self._event_log.head()).position)
        return await find_jti(self._log, digest)

    async def find_tokens(self, query: TokenQuery, moment: Moment, *, before: int | None, limit: int) -> TokenPage:
        """Find a page of tokens as of a moment. Raises Unavailable."""
        last = moment.position if query.issued_before is None else await self._issued_up_to(query.issued_before)
        top = min(last, moment.position) + 1
        first = 1 if query.issued_after is None else await self._issued_up_to(query.issued_after - TICK) + 1
        return await read_page(self._log, query, moment, first=first, before=min(top, before or top), limit=limit)

    async def _issued_up_to(self, instant: datetime) -> int:
        """The newest position recorded by an instant; of an archived part only issuances count."""
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            try:
                return await find_position_at(connection, log_id, instant)
            except Archived as error:
                return await issued_until(connection, log_id, instant, error.until)
