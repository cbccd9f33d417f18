"""Resolve the moment that a response is as of: an instant, a position, or now."""

from datetime import UTC, datetime

from ledger.domain.clock import Clock
from ledger.domain.errors import Archived
from ledger.domain.token_record import Moment
from ledger.postgres.archive.catalogue import read_archived_until
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import PositionBeyondHead
from projections.audit.checkpoint import ProjectionCheckpoint
from projections.log_positions import find_settled_position

LOG = load_statements("ledger.postgres", "event_log.sql")

EPOCH = datetime.fromtimestamp(0, UTC)


class PostgresAuditMoments:
    """Implements `ledger.use_cases.audit.AuditMoments`."""

    def __init__(self, log: Log, event_log: PostgresEventLog, checkpoint: ProjectionCheckpoint, clock: Clock) -> None:
        self._log = log
        self._event_log = event_log
        self._checkpoint = checkpoint
        self._clock = clock

    async def resolve(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """Resolve a moment and wait for the projection. Raises AheadOfLog, Archived, NotCaughtUp, Unavailable."""
        if as_of is None:
            return Moment(await self._checkpoint.wait_for(min_position), self._clock())
        moment = await self._find(as_of)
        await self._checkpoint.wait_for(max(moment.position, min_position))
        return moment

    async def resolve_in_log(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """Resolve a moment without waiting for the projection. Raises AheadOfLog, Archived, Unavailable."""
        head = 0
        if as_of is None or min_position:
            head = (await self._event_log.head()).position
            if min_position > head:
                raise PositionBeyondHead(min_position, head)
        return Moment(head, self._clock()) if as_of is None else await self._find(as_of)

    async def _find(self, as_of: datetime | int) -> Moment:
        if isinstance(as_of, int):
            return Moment(as_of, await self._read_recorded_at(as_of))
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            return Moment(await find_settled_position(connection, log_id, as_of), as_of)

    async def _read_recorded_at(self, position: int) -> datetime:
        if position == 0:
            return EPOCH
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            instant: datetime | None = await connection.fetchval(LOG["recorded_at"], log_id, position)
            until = await read_archived_until(connection, log_id)
        if instant is not None:
            return instant
        if position <= until:
            msg = f"the time of position {position} is not known: the log is archived up to position {until}"
            raise Archived(msg, until)
        raise PositionBeyondHead(position, (await self._event_log.head()).position)
